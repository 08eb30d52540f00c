"""What a product document may say, and how it falls into passages that a report can cite.

A document is a YAML file that a process engineer edits. Each fact in it becomes one `PassageText` with an
id that stays the same as long as the entry keeps its place: `bare_pcb/normal`, `bare_pcb/open-circuit/look`,
`bare_pcb/open-circuit/cause-1`, `bare_pcb/open-circuit/action-containment-1`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Section: TypeAlias = Literal[
    "normal", "variation", "defect", "cause", "effect", "action", "confirm", "imaging"
]
"""What a passage speaks about."""

Family: TypeAlias = Literal["surface", "structural", "contamination", "dimensional", "assembly", "print"]
"""Which of six families a defect belongs to; `assembly` includes logical defects (count, order, place)."""

ActionKind: TypeAlias = Literal["containment", "correction", "prevention"]
"""Protect the customer now; remove the cause; keep it from coming back."""

Severity: TypeAlias = Literal["minor", "major", "critical"]

SECTIONS: tuple[Section, ...] = get_args(Section)
ACTION_KINDS: tuple[ActionKind, ...] = get_args(ActionKind)

Sentence: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=10, max_length=1200, pattern=r"\S")
]
"""One or a few sentences of prose."""

Label: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=80)]
"""A name of a few words."""

ProductId: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=60)
]
DefectId: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)
]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PassageText(_Entry):
    """One citable fact.

    `text` is what the document says, word for word. `heading` names product and defect: it is embedded with
    the text so that a sentence like "Worn drill" is found under what it explains, and it is not quoted.
    """

    id: str
    product: str
    section: Section
    defect: str | None
    kind: str | None
    source: str
    heading: str
    text: str

    @property
    def digest(self) -> str:
        """Hash over all that the index stores of this passage."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]


class Traits(_Entry):
    """How a defect shows in measurements, for a reasoner that compares them with a region.

    `polarity` and `extent` are seen against a good part under the document's own imaging advice;
    `extent` is small below a fiftieth of the image. An undecided trait is better than a wrong one.
    """

    polarity: Literal["brighter", "darker", "either"]
    shape: Literal["elongated", "compact", "any"]
    extent: Literal["small", "large", "any"]
    material: Literal["missing", "added", "either", "n/a"]


class Cause(_Entry):
    """Why a defect arises, and in which step of the process."""

    step: Label
    text: Sentence


class Action(_Entry):
    """Something to do about a defect."""

    kind: ActionKind
    text: Sentence


class Defect(_Entry):
    """One way in which the product goes wrong.

    `id` is part of every passage id: keep it when the name is improved. `standards` lists the names that
    standards use. `severity` applies when nothing more is known; `severity_guide` says when it differs.
    """

    id: DefectId
    name: Label
    synonyms: tuple[Label, ...] = ()
    family: Family
    standards: tuple[Label, ...] = ()
    look: Sentence
    where: Sentence
    traits: Traits
    severity: Severity
    severity_guide: Sentence
    causes: tuple[Cause, ...] = Field(min_length=1)
    effects: tuple[Sentence, ...] = Field(min_length=1)
    actions: tuple[Action, ...] = Field(min_length=1)
    confirm: Sentence

    @model_validator(mode="after")
    def _every_kind_of_action(self) -> Self:
        present = {action.kind for action in self.actions}
        if missing := [kind for kind in ACTION_KINDS if kind not in present]:
            raise ValueError(f"defect {self.id!r} has no {' and no '.join(missing)} action")
        return self


class ProductDocument(_Entry):
    """All that is known about one product, or (with `general`) about parts of any kind."""

    schema_version: Literal[1]
    id: ProductId
    name: Label
    synonyms: tuple[Label, ...] = ()
    general: bool = False
    normal: Sentence
    variation: tuple[Sentence, ...] = Field(min_length=1)
    imaging: tuple[Sentence, ...] = Field(min_length=1)
    defects: tuple[Defect, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unambiguous(self) -> Self:
        ids: set[str] = set()
        names: dict[str, str] = {}
        for defect in self.defects:
            if defect.id in ids:
                raise ValueError(f"defect id {defect.id!r} is used twice")
            ids.add(defect.id)
            for name in (defect.name, *defect.synonyms):
                if (other := names.setdefault(name_key(name), defect.id)) != defect.id:
                    raise ValueError(f"{name!r} names both {other!r} and {defect.id!r}")
        return self

    def passages(self, file: str) -> Iterator[PassageText]:
        """Every fact as a passage, in the order of the document.

        Args:
            file: how sources name this document, for example `documents/bare_pcb.yaml`.
        """
        yield self._passage(file, "normal", "normal", "normal appearance", self.normal)
        for i, text in enumerate(self.variation, 1):
            yield self._passage(file, "variation", f"variation-{i}", "allowed variation", text)
        for i, text in enumerate(self.imaging, 1):
            yield self._passage(file, "imaging", f"imaging-{i}", "imaging advice", text)
        for defect in self.defects:
            yield from self._defect_passages(file, defect)

    def _defect_passages(self, file: str, defect: Defect) -> Iterator[PassageText]:
        def passage(
            section: Section, key: str, place: str, text: str, kind: str | None = None, also: str = ""
        ) -> PassageText:
            return PassageText(
                id=f"{self.id}/{defect.id}/{key}",
                product=self.id,
                section=section,
                defect=defect.id,
                kind=kind,
                source=f"{file}, defects > {defect.name.lower()} > {place}",
                heading=f"{self.name}: {defect.name}{also}",
                text=text,
            )

        synonyms = f" ({', '.join(defect.synonyms)})" if defect.synonyms else ""
        yield passage(
            "defect", "look", "look, where", f"{defect.look} {defect.where}", also=f"{synonyms}, look"
        )
        yield passage(
            "defect", "severity", "severity", defect.severity_guide, kind=defect.severity, also=", severity"
        )
        for i, cause in enumerate(defect.causes, 1):
            yield passage(
                "cause", f"cause-{i}", "causes", cause.text, kind=cause.step, also=f", cause in {cause.step}"
            )
        for i, text in enumerate(defect.effects, 1):
            yield passage("effect", f"effect-{i}", "effects", text, also=", effect")
        counts = dict.fromkeys(ACTION_KINDS, 0)
        for action in defect.actions:
            counts[action.kind] += 1
            key = f"action-{action.kind}-{counts[action.kind]}"
            yield passage("action", key, "actions", action.text, kind=action.kind, also=f", {action.kind}")
        yield passage("confirm", "confirm", "confirm", defect.confirm, also=", how to confirm")

    def _passage(self, file: str, section: Section, key: str, place: str, text: str) -> PassageText:
        return PassageText(
            id=f"{self.id}/{key}",
            product=self.id,
            section=section,
            defect=None,
            kind=None,
            source=f"{file}, {place}",
            heading=f"{self.name}: {place}",
            text=text,
        )


def name_key(name: str) -> str:
    """What is compared when names are: case, spaces, underscores, hyphens and the rest do not count."""
    return "".join(character for character in name.casefold() if character.isalnum())
