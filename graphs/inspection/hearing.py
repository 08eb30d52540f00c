"""What a person's answer makes of a decision; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphs.inspection.defects import SAID, Terms, placed
from graphs.inspection.state import Decision
from graphs.language.catalog import joined
from graphs.report import AddedDefect, BoxXyxy, Correction, Defect, PersonSaid, Verdict
from tools.types import Box, ImageRef

BY_PERSON: Final = "person"
"""Stands in the evidence of a defect that a person drew, moved or named."""


def mistake_in(said: PersonSaid, *, defects: int, image: ImageRef) -> str | None:
    """What is wrong with an answer, in one line; None if it can be taken.

    Args:
        said: the answer.
        defects: how many there are to speak of.
        image: in whose frame boxes lie.
    """
    for correction in said.corrections:
        if correction.number > defects:
            return f"there is no defect {correction.number}; there are {defects}"
    boxes = [*(each.box_xyxy_px for each in said.corrections), *(each.box_xyxy_px for each in said.added)]
    for box in boxes:
        if box is not None and not _lies_in(box, image):
            shown = " ".join(map(str, box))
            return f"the box {shown} does not lie in the image of {image.width_px} x {image.height_px} px"
    if said.verdict == "normal" and (said.added or any(not each.remove for each in said.corrections)):
        return "a normal part has no defects: take the verdict back, or the boxes and names"
    return None


def heard(decision: Decision, said: PersonSaid, terms: Terms, documented: Mapping[str, str]) -> Decision:
    """The decision with a person's answer, which has the last word.

    Without a verdict of its own an answer that takes every defect away makes the part normal, and one that
    draws, moves or names one makes it anomalous.

    Args:
        decision: the agent's.
        said: an answer without a mistake; see `mistake_in`.
        terms: frame, scale and language of the report.
        documented: id of each defect that the product's document knows, by its names in small letters.
    """
    corrections = {each.number: each for each in said.corrections}
    known = decision.known_as or ((),) * len(decision.defects)
    found = [
        _corrected(defect, ids, corrections.get(number), terms, documented)
        for number, (defect, ids) in enumerate(zip(decision.defects, known, strict=True), start=1)
        if not (number in corrections and corrections[number].remove)
    ]
    found += [_drawn(each, terms, documented) for each in said.added]
    verdict = said.verdict or _implied(decision, said, left=len(found))
    if verdict == "normal":
        found = []
    if verdict == "anomalous" and not found:
        found = [(_unplaced(said, terms), ())]
    decided = verdict != decision.verdict or said.verdict is not None
    by = said.by or SAID.say(terms.language, "person")
    told = SAID.say(
        terms.language,
        "person.decided" if decided else "person.left",
        by=by,
        verdict=SAID.say(terms.language, f"verdict.{verdict}"),
        before=SAID.say(terms.language, f"verdict.{decision.verdict}"),
        confidence=f"{decision.confidence:.2f}",
    )
    return decision.model_copy(
        update={
            "verdict": verdict,
            "confidence": 1.0 if decided else decision.confidence,
            "summary": joined(terms.language, (told, decision.summary)),
            "defects": tuple(defect for defect, _ in found),
            "known_as": tuple(ids for _, ids in found),
        }
    )


def _implied(decision: Decision, said: PersonSaid, *, left: int) -> Verdict:
    if said.corrections and not left:
        return "normal"
    if said.added or any(each.box_xyxy_px or each.name for each in said.corrections):
        return "anomalous"
    return decision.verdict


def _corrected(
    defect: Defect,
    ids: tuple[str, ...],
    correction: Correction | None,
    terms: Terms,
    documented: Mapping[str, str],
) -> tuple[Defect, tuple[str, ...]]:
    if correction is None:
        return defect, ids
    update: dict[str, object] = {"evidence": (*defect.evidence, BY_PERSON), "confidence": 1.0}
    if correction.box_xyxy_px is not None:
        update |= placed(_box(correction.box_xyxy_px), terms)
    if correction.name is not None:
        update["type"] = correction.name
        ids = _documented(correction.name, documented)
    return defect.model_copy(update=update), ids


def _drawn(added: AddedDefect, terms: Terms, documented: Mapping[str, str]) -> tuple[Defect, tuple[str, ...]]:
    """A defect that only a person saw."""
    return Defect(
        type=added.name,
        description=SAID.say(terms.language, "person.drew", name=added.name),
        severity="unknown",
        confidence=1.0,
        support="person",
        evidence=(BY_PERSON,),
        **placed(_box(added.box_xyxy_px), terms),
    ), _documented(added.name, documented)


def _unplaced(said: PersonSaid, terms: Terms) -> Defect:
    return Defect(
        type=SAID.say(terms.language, "type.unlocated"),
        description=said.note or SAID.say(terms.language, "person.sees"),
        box_xyxy_px=None,
        cell=None,
        area_fraction=None,
        severity="unknown",
        confidence=1.0,
        support="person",
        evidence=(BY_PERSON,),
    )


def _documented(name: str, documented: Mapping[str, str]) -> tuple[str, ...]:
    found = documented.get(name.casefold())
    return (found,) if found is not None else ()


def _lies_in(box: BoxXyxy, image: ImageRef) -> bool:
    x0, y0, x1, y1 = box
    return 0 <= x0 < x1 <= image.width_px and 0 <= y0 < y1 <= image.height_px


def _box(xyxy: BoxXyxy) -> Box:
    x0, y0, x1, y1 = xyxy
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)
