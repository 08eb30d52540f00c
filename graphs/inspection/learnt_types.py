"""Types that were learnt from examples, given to the regions of a part and to the defects of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from graphs.findings.learnt import LearntName, LearntTypes, learnt_name, name_by_expert
from graphs.findings.naming import naming
from graphs.findings.study import study
from graphs.inspection.defects import SAID, Found, Terms
from graphs.language.catalog import Language, joined
from graphs.reasoning import Evidence
from graphs.words import percent
from tools.types import TypeChance

LearntNames: TypeAlias = Mapping[int, LearntName]
"""By the number of the region, from 1; none where a region is likelier of no learnt type."""

NOT_LEARNT: Final[LearntNames] = {}


def names_by_expert(evidence: Evidence) -> LearntNames:
    """What the types that the leading expert tells apart and the documents make of each marked region."""
    if evidence.reading is None or not any(region.types for region in evidence.marks):
        return NOT_LEARNT
    found: dict[int, LearntName] = {}
    for number, finding in enumerate(study(evidence, most=len(evidence.marks)).findings, start=1):
        known = naming(finding, evidence.known_defects)
        name = name_by_expert(finding.region, known, evidence.reading.expert)
        if name is not None:
            found[number] = name
    return found


def learnt_names(types: LearntTypes, evidence: Evidence) -> LearntNames:
    """What learnt types and documents make of each marked region.

    Raises:
        ToolError: the types need what cannot be had here, such as a reader of print.
    """
    found: dict[int, LearntName] = {}
    for number, finding in enumerate(study(evidence, most=len(evidence.marks)).findings, start=1):
        aligned = evidence.reference is not None and evidence.reference.shape == evidence.query.shape
        good = evidence.reference if aligned and finding.region.polarity is not None else None
        chances = types.chances(evidence.query, good, finding.region)
        name = learnt_name(chances, naming(finding, evidence.known_defects), types.name)
        if name is not None:
            found[number] = name
    return found


def named_by_types(
    found: Sequence[Found], expert: str | None, names: LearntNames, terms: Terms
) -> list[Found]:
    """Defects with what learnt types say of their regions.

    What a check of layout or print named stays as it is named.

    Args:
        found: the defects.
        expert: whose regions were marked; None where nothing was measured.
        names: of these regions.
        terms: what defects are told in.
    """
    by_id = {f"region:{expert}:{number}": name for number, name in names.items()}
    return [_named(one, by_id, terms) for one in found]


def _named(found: Found, by_id: Mapping[str, LearntName], terms: Terms) -> Found:
    defect, known_as = found
    name = next((by_id[id_] for id_ in defect.evidence if id_ in by_id), None)
    checked = any(id_.startswith(("layout:", "print:")) for id_ in defect.evidence)
    if name is None or checked or not name.possible:
        return found
    update: dict[str, object] = {
        "description": joined(terms.language, (defect.description, _told(name, terms.language))),
        "evidence": (*defect.evidence, name.source),
    }
    if name.good:
        return defect.model_copy(update=update), known_as
    if not name.sure:
        chances = tuple(TypeChance(type=one, probability=likely) for one, likely in name.possible)
        return defect.model_copy(update={**update, "alternatives": chances}), known_as
    update |= {"type": name.ranked[0][0], "type_confidence": name.ranked[0][1]}
    if name.documented is not None and defect.severity == "unknown":
        update["severity"] = name.documented.severity
    return defect.model_copy(update=update), (name.documented.id,) if name.documented else ()


def _told(name: LearntName, language: Language) -> str:
    first, likely = name.ranked[0]
    if name.good:
        return SAID.say(language, "learnt.good", share=percent(likely, language))
    listed = [f"{one} ({percent(share, language)})" for one, share in name.possible]
    types = SAID.say(language, "comma").join(listed)
    if name.expert is not None:
        said = "typed.sure" if name.sure else "typed.possible"
        return SAID.say(
            language, said, expert=name.expert, type=first, share=percent(likely, language), types=types
        )
    if name.sure:
        return SAID.say(language, "learnt.sure", type=first, share=percent(likely, language))
    return SAID.say(language, "learnt.possible", types=types)
