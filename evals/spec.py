"""What a run is of: everything that changes an answer, so that a run is never gone on with as another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field, field_validator

from evals.errors import RunMismatch
from graphs.evidence import EVIDENCE
from tools.pixel_modes import printable
from tools.types import Value

_REMEDY: Final = "give another --run folder, or the setting as it was"
_NOTHING: Final = object()
_LONGEST_SHOWN: Final = 120


class RunSpec(Value):
    """`run.json`: written first, never changed.

    `answered_by` is `vlm:<model>` or `evidence`. `settings`, `subset` and `versions` hold plain JSON values.
    `files` maps each data file that a run may read to its sha256. `notes` are for readers, and not compared.
    """

    format: Literal[1] = 1
    benchmark: str
    protocol: str
    answered_by: str
    settings: dict[str, Any]
    subset: dict[str, Any]
    versions: dict[str, str]
    data: str
    files: dict[str, str] = Field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def vlm_used(self) -> bool:
        """Whether a vision-language model had a part in the answers."""
        return self.answered_by != EVIDENCE

    @field_validator("settings", "subset")
    @classmethod
    def _as_read_back(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Tuples as lists, so that a value equals itself once it was written and read."""
        try:
            plain: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
        except TypeError as error:
            raise ValueError(f"not plain JSON: {error}") from error
        return plain

    def refuse_another(self, wanted: RunSpec) -> None:
        """See that a new call wants what this run was begun with; the folder of the data may have moved.

        Raises:
            RunMismatch: it does not; names the first difference.
        """
        for field in ("benchmark", "protocol", "answered_by"):
            _refuse(field, getattr(self, field), getattr(wanted, field))
        for group in ("settings", "subset", "versions"):
            ours, theirs = getattr(self, group), getattr(wanted, group)
            for name in sorted({*ours, *theirs}):
                _refuse(f"{group}.{name}", ours.get(name, _NOTHING), theirs.get(name, _NOTHING))
        changed = _first_difference(self.files, wanted.files)
        if changed is not None:
            raise RunMismatch(
                f"the data changed since this run began: {changed}; "
                "give another --run folder, or the data as they were"
            )


def _refuse(field: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise RunMismatch(
            f"this run was begun with {printable(field)} = {_shown(ours)}, not {_shown(theirs)}; {_REMEDY}"
        )


def _shown(value: object) -> str:
    if value is _NOTHING:
        return "nothing"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _first_difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    if ours == theirs:
        return None
    for file in sorted({*ours, *theirs}):
        if file not in theirs:
            return f"{printable(file)} is gone"
        if file not in ours:
            return f"{printable(file)} is new"
        if ours[file] != theirs[file]:
            return f"{printable(file)} has another content"
    return None
