"""How well experts did on the products on record: found out once, kept until the record changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from agent.errors import UsageError
from agent.profiles import Profiles, slug
from tools.atomic import write_atomically
from tools.errors import ToolError
from tools.experts.bench import ExpertBench
from tools.experts.trial import LEAST_IMAGES, Trial
from tools.types import Value

FILE: Final = "trials.json"


class _Kept(Value):
    """`state` is that of the record which the trials were made on."""

    state: str
    trials: tuple[Trial, ...]


class Trials:
    """Trials of experts, a file for each product.

    Args:
        root: folder that holds a folder for each product.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, product: str, state: str) -> tuple[Trial, ...]:
        """The trials made on this state of a product's record; none if there were none, or it has changed."""
        try:
            kept = _Kept.model_validate_json(self._file(product).read_bytes())
        except (OSError, ValidationError):
            return ()  # none yet, or damaged, which is as good as none: they are made again
        return kept.trials if kept.state == state else ()

    def keep(self, product: str, state: str, trials: Sequence[Trial]) -> None:
        """Keep the trials of a product in the place of earlier ones.

        Raises:
            OSError: the folder cannot be written.
        """
        kept = _Kept(state=state, trials=tuple(trials))
        write_atomically(self._file(product), json.dumps(kept.model_dump(mode="json"), indent=1).encode())

    def weak(self, product: str, state: str) -> dict[str, str]:
        """Why each weak expert is weak on a product, by its name."""
        return {trial.expert: trial.weakness for trial in self.of(product, state) if trial.weakness}

    def _file(self, product: str) -> Path:
        return self._root / slug(product) / FILE


def try_on_record(
    profiles: Profiles,
    trials: Trials,
    bench: ExpertBench,
    product: str,
    experts: Sequence[str],
    *,
    advance: Callable[[], None] = lambda: None,
) -> tuple[list[Trial], dict[str, str]]:
    """Try experts on a product's good images, and keep what came of it.

    Returns:
        The trials, and why the other experts could not be tried, by name.

    Raises:
        UsageError: the product is not on record, or has too few good images.
        KnowledgeError: the library is damaged.
    """
    record = profiles.open(product)
    if record is None:
        known = ", ".join(profiles.counts()) or "none"
        raise UsageError(f"no product {product!r} on record; on record: {known}")
    if len(record.profile) < LEAST_IMAGES:
        raise UsageError(
            f"{product} has {len(record.profile)} good image(s) on record, and a trial needs {LEAST_IMAGES}; "
            f"add more: agent templates add DIR --product {product}"
        )
    made: list[Trial] = []
    failed: dict[str, str] = {}
    for name in experts:
        try:
            made.append(bench.tried(name, record.profile, advance=advance))
        except ToolError as error:
            failed[name] = str(error)
    trials.keep(product, record.state, made)
    return made, failed
