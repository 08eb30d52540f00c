"""What a product document may say, and how it falls into passages that a report can cite.

A document is a YAML file that a process engineer edits. Each fact in it becomes one `PassageText` with an
id that stays the same as long as the entry keeps its place: `bare_pcb/normal`, `bare_pcb/open-circuit/look`,
`bare_pcb/open-circuit/cause-1`, `bare_pcb/open-circuit/action-containment-1`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from knowledge_base.patterns import compiled

Section: TypeAlias = Literal[
    "normal", "variation", "layout", "defect", "cause", "effect", "action", "confirm", "imaging", "text"
]
"""What a passage speaks about; `text` is prose that no heading assigns to another section."""

Library: TypeAlias = Literal["shipped", "own", "files", "mmad"]
"""Where a passage comes from: documents of this package, product documents of the user's own, files that were
added, or the MMAD benchmark's domain knowledge, which names the defects of its test images (near-oracle)."""

Family: TypeAlias = Literal["surface", "structural", "contamination", "dimensional", "assembly", "print"]
"""Which of six families a defect belongs to; `assembly` includes logical defects (count, order, place)."""

ActionKind: TypeAlias = Literal["containment", "correction", "prevention"]
"""Protect the customer now; remove the cause; keep it from coming back."""

Severity: TypeAlias = Literal["minor", "major", "critical"]

SECTIONS: tuple[Section, ...] = get_args(Section)
LIBRARIES: tuple[Library, ...] = get_args(Library)
ACTION_KINDS: tuple[ActionKind, ...] = get_args(ActionKind)

RuleKind: TypeAlias = Literal[
    "count", "presence", "position", "order", "orientation", "match", "level", "size", "text"
]
"""What a rule of the layout constrains; `match` ties two features to each other (label and contents, say),
and `text` is about what is printed on the part."""

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
    `document` is the key under which the passage is indexed and removed; `product` is None where the text is
    not about one product; `page` counts from 1 in documents that have pages.
    """

    id: str
    document: str
    library: Library
    product: str | None
    section: Section
    defect: str | None = None
    kind: str | None = None
    page: int | None = None
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
    `extent` is small below a fiftieth of the image. `topology` says what the defect does to the outline of
    the material, where it always does the same: it parts it (`gap`) or joins what is apart (`bridge`), takes
    from an edge (`bite`) or adds to one (`bump`), opens it inside (`hole`) or lies alone (`island`). An
    undecided trait is better than a wrong one.
    """

    polarity: Literal["brighter", "darker", "either"]
    shape: Literal["elongated", "compact", "any"]
    extent: Literal["small", "large", "any"]
    material: Literal["missing", "added", "either", "n/a"]
    topology: Literal["gap", "bridge", "bite", "bump", "hole", "island", "any"] = "any"


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


class Rule(_Entry):
    """What the layout of a good part keeps to, so that counts and places can be checked.

    `minimum` and `maximum` bound how many there are (`count`, `presence`); `defect` names a breach.

    Of printed text (`text`), `pattern` is a regular expression that some line must hold, in which a space
    stands for any spacing or none; `varies` says that this text is another on each part, as date codes and
    serial numbers are. A rule with neither says that the print equals that of the good part, digits too.
    """

    id: DefectId
    kind: RuleKind
    component: Label
    text: Sentence
    minimum: Annotated[int, Field(ge=0)] | None = None
    maximum: Annotated[int, Field(ge=0)] | None = None
    pattern: str | None = None
    varies: bool = False
    defect: DefectId | None = None

    @property
    def regex(self) -> re.Pattern[str] | None:
        """The pattern of printed text, compiled."""
        return compiled(self.pattern) if self.pattern is not None else None

    @model_validator(mode="after")
    def _text_fits_the_kind(self) -> Self:
        if self.kind != "text" and (self.pattern is not None or self.varies):
            raise ValueError(f"rule {self.id!r} is not of text, and has a pattern or varies")
        if self.pattern is not None:
            try:
                compiled(self.pattern)
            except ValueError as error:
                raise ValueError(f"rule {self.id!r}: {error}") from error
        return self

    @model_validator(mode="after")
    def _bounds_fit_the_kind(self) -> Self:
        bounded = self.minimum is not None or self.maximum is not None
        if self.kind == "count" and not bounded:
            raise ValueError(f"rule {self.id!r} counts, and has no minimum and no maximum")
        if bounded and self.kind not in {"count", "presence"}:
            raise ValueError(f"rule {self.id!r} is no count, and has a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"rule {self.id!r} has a minimum above its maximum")
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
    layout: tuple[Rule, ...] = ()
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

    @model_validator(mode="after")
    def _rules_are_distinct_and_name_defects(self) -> Self:
        known, seen = {defect.id for defect in self.defects}, set[str]()
        for rule in self.layout:
            if rule.id in seen:
                raise ValueError(f"rule id {rule.id!r} is used twice")
            seen.add(rule.id)
            if rule.defect is not None and rule.defect not in known:
                raise ValueError(f"rule {rule.id!r} names defect {rule.defect!r}, which is not described")
        return self

    def rule_passage(self, rule: Rule) -> str:
        """Id of the passage that states a rule of the layout."""
        return f"{self.id}/{_rule_key(rule)}"

    def passages(self, file: str, library: Library = "shipped") -> Iterator[PassageText]:
        """Every fact as a passage, in the order of the document.

        Args:
            file: how sources name this document, for example `documents/bare_pcb.yaml`.
            library: where the document comes from.
        """

        def passage(
            section: Section, key: str, place: str, text: str, kind: str | None = None
        ) -> PassageText:
            heading = f"{self.name}: {place}"
            return self._passage(file, library, section, key, place, heading, text, kind)

        yield passage("normal", "normal", "normal appearance", self.normal)
        for i, text in enumerate(self.variation, 1):
            yield passage("variation", f"variation-{i}", "allowed variation", text)
        for rule in self.layout:
            place = f"layout > {rule.component.lower()}"
            yield passage("layout", _rule_key(rule), place, rule.text, kind=rule.kind)
        for i, text in enumerate(self.imaging, 1):
            yield passage("imaging", f"imaging-{i}", "imaging advice", text)
        for defect in self.defects:
            yield from self._defect_passages(file, library, defect)

    def _defect_passages(self, file: str, library: Library, defect: Defect) -> Iterator[PassageText]:
        def passage(
            section: Section, key: str, place: str, text: str, kind: str | None = None, also: str = ""
        ) -> PassageText:
            key, place = f"{defect.id}/{key}", f"defects > {defect.name.lower()} > {place}"
            heading = f"{self.name}: {defect.name}{also}"
            return self._passage(file, library, section, key, place, heading, text, kind, defect.id)

        names = ", ".join((*defect.synonyms, *defect.standards))
        synonyms = f" ({names})" if names else ""
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

    def _passage(
        self,
        file: str,
        library: Library,
        section: Section,
        key: str,
        place: str,
        heading: str,
        text: str,
        kind: str | None,
        defect: str | None = None,
    ) -> PassageText:
        return PassageText(
            id=f"{self.id}/{key}",
            document=f"{library}/{self.id}",
            library=library,
            product=self.id,
            section=section,
            defect=defect,
            kind=kind,
            source=f"{file}, {place}",
            heading=heading,
            text=text,
        )


def name_key(name: str) -> str:
    """What is compared when names are: case, spaces, underscores, hyphens and the rest do not count."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _rule_key(rule: Rule) -> str:
    return f"layout-{rule.id}"
