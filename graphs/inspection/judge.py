"""The steps that judge: reason, look closer, decide."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from graphs.findings.learnt import LearntName
from graphs.inspection.decide import decide as decide_by_rule
from graphs.inspection.judgement import looks_taken, places_to_look, why_no_look
from graphs.inspection.learnt_types import NOT_LEARNT, LearntNames, learnt_names, names_by_expert
from graphs.inspection.looking import Part
from graphs.inspection.perceive import PROMPT_OVERLAY, good_images, in_scope, reference_at_hand
from graphs.inspection.plan import LOOK_CLOSER, REASON
from graphs.inspection.step import Outcome, Visit
from graphs.inspection.toolset import InspectionTools
from graphs.reasoning import CloseView, Evidence, Judgement, Opinion
from graphs.report import Deviation, Fault, Look, Spent
from knowledge_base.errors import KnowledgeError
from knowledge_base.schema import Defect
from tools.errors import ToolError
from tools.types import Pixels
from tools.zoom import crop_box, side_by_side


async def reason(visit: Visit) -> Outcome:
    """Ask the reasoner for its opinion on the whole part."""
    if not visit.state.plan.takes(REASON):
        return Outcome({}, "not planned")
    evidence = await asyncio.to_thread(gather_evidence, visit)
    opinion = await visit.tools.reasoner.judge(evidence)
    return Outcome(_with(visit, opinion, evidence, opinion.spent, opinion.looks), _told(opinion))


async def reason_from_evidence_instead(visit: Visit) -> Outcome:
    """The fallback's opinion where the reasoner failed; none if the user wants no fallback."""
    if visit.tools.fallback is None:
        return Outcome({}, "no opinion: the reasoner failed and no other may stand in")
    opinion = await visit.tools.fallback.judge(await asyncio.to_thread(gather_evidence, visit))
    update = {"opinions": [opinion], "looks": list(opinion.looks), "spent": Spent(ended="not needed")}
    return Outcome(update, f"{_told(opinion)}, standing in for {visit.tools.reasoner.name}")


async def look_closer(visit: Visit) -> Outcome:
    """Enlarge the next doubtful place and ask again, blind to the first answer."""
    state, started = visit.state, time.perf_counter()
    evidence = await asyncio.to_thread(gather_evidence, visit)
    view = await asyncio.to_thread(_next_view, visit, evidence)
    opinion = await visit.tools.reasoner.look_closer(evidence, view)
    spent = Spent(
        rounds=state.spent.rounds + 1,
        seconds=round(state.spent.seconds + time.perf_counter() - started, 3),
        tokens=state.spent.tokens + opinion.tokens,
    )
    look = Look(
        number=len(state.looks) + 1,
        by=opinion.by,
        how="blind",
        tool="zoom",
        box_xyxy_px=view.box_of_interest.xyxy,
        said=opinion.judgement,
        confidence=opinion.confidence,
        agrees=_agree(state.opinions[0].judgement, opinion.judgement),
        detail=opinion.summary,
    )
    return Outcome(_with(visit, opinion, evidence, spent, (look,)), f"place {view.number}: {_told(opinion)}")


async def stop_looking(visit: Visit) -> Outcome:
    """No more looks, where one failed."""
    ended = visit.state.spent.model_copy(update={"ended": "failed"})
    return Outcome({"spent": ended}, "no closer look: the model failed")


def decide(visit: Visit) -> Outcome:
    """Weigh opinions, readings and faults."""
    state, request = visit.state, visit.state.request
    learnt, faults = _learnt(visit)
    decision = decide_by_rule(
        image=request.image,
        intake=state.intake,
        measurements=state.measurements,
        opinions=state.opinions,
        faults=(*state.faults, *faults),
        reference_seen=reference_at_hand(visit) is not None,
        reasoner=visit.tools.reasoner.name,
        deviations=_deviations(visit),
        gated=request.gated,
        abstain_below=request.abstain_below,
        language=request.language,
        mm_per_px=request.mm_per_px,
        learnt=learnt,
    )
    update = {"decision": decision, "faults": faults}
    return Outcome(update, f"{decision.verdict}, {len(decision.defects)} defect(s)")


def _learnt(visit: Visit) -> tuple[LearntNames, list[Fault]]:
    """What the expert's types, and before them types learnt from examples, say of the marked regions.

    Types that cannot be used cost the defects these names and no more, and the report says so.
    """
    state, types = visit.state, visit.tools.types
    leading = state.measurements.leading
    if leading is None or not (marks := leading.marks(gated=state.request.gated)):
        return NOT_LEARNT, []
    names: dict[int, LearntName] = {}
    try:
        at_hand = types(state.request.product or state.recalled.product) if types else None
        if at_hand is None and not any(region.types for region in marks):
            return NOT_LEARNT, []
        evidence = gather_evidence(visit)
        names.update(names_by_expert(evidence))
        names.update(learnt_names(at_hand, evidence) if at_hand else NOT_LEARNT)
    except (ToolError, KnowledgeError) as error:
        return names, [Fault(step="decide", kind=error.kind, message=str(error))]
    return names, []


def _with(
    visit: Visit, opinion: Opinion, evidence: Evidence, spent: Spent, looks: Sequence[Look]
) -> dict[str, Any]:
    """What an opinion leaves in the state, and whether another look is owed after it."""
    opinions = [*visit.state.opinions, opinion]
    ended: str = "not needed"
    if visit.tools.reasoner.sees and visit.state.plan.takes(LOOK_CLOSER):
        ended = why_no_look(
            evidence.reading,
            opinions,
            places=len(places_to_look(evidence.marks, opinions, evidence.deviations)),
            spent=spent,
            budget=evidence.budget,
            deviates=any(deviation.decisive for deviation in evidence.deviations),
        )
    return {
        "opinions": [opinion],
        "looks": list(looks),
        "spent": spent.model_copy(update={"ended": ended}),
        "faults": list(opinion.faults),
    }


def _agree(first: Judgement, second: Judgement) -> bool | None:
    """Whether two judgements take one side; None where not both take any."""
    return None if "unsure" in {first, second} else first == second


def _next_view(visit: Visit, evidence: Evidence) -> CloseView:
    """The next doubtful place, enlarged."""
    state = visit.state
    taken = looks_taken(state.opinions)
    place = places_to_look(evidence.marks, state.opinions, evidence.deviations)[taken]
    box = crop_box(place, state.request.image.width_px, state.request.image.height_px)
    return CloseView(
        number=taken + 1,
        picture=side_by_side(evidence.query, evidence.reference, box),
        box=box,
        box_of_interest=place,
        beside_reference=evidence.reference is not None,
    )


def _deviations(visit: Visit) -> tuple[Deviation, ...]:
    """What the checks of layout and print found."""
    checks = (visit.state.layout, visit.state.printed)
    return tuple(deviation for check in checks if check for deviation in check.deviations)


def gather_evidence(visit: Visit) -> Evidence:
    """Load what the state refers to, for one step."""
    state, tools = visit.state, visit.tools
    leading = state.measurements.leading
    query = in_scope(visit, tools.images.pixels(state.request.image))
    reference = reference_at_hand(visit)
    may_ask = tools.consult and tools.reasoner.sees and state.request.close
    return Evidence(
        image=state.request.image,
        query=query,
        reference=reference,
        reading=leading.reading if leading else None,
        overlay=tools.artifacts.image(PROMPT_OVERLAY) if tools.artifacts.has(PROMPT_OVERLAY) else None,
        passages=state.recalled.passages,
        product=state.recalled.product or state.request.product,
        known_defects=known_defects(visit),
        roi=state.request.roi is not None,
        attempt=visit.attempt,
        language=state.request.language,
        mm_per_px=state.request.mm_per_px,
        deviations=_deviations(visit),
        printed=tuple(line.text for line in state.printed.lines) if state.printed else (),
        gated=state.request.gated,
        ungated=leading.ungated if leading else (),
        close=state.request.close,
        consult=InspectionTools(_part(visit, query, reference), tools.reasoner.name) if may_ask else None,
        budget=state.request.budget,
        good_parts=lambda most: _good_parts(visit, most),
    )


def _good_parts(visit: Visit, most: int) -> tuple[Pixels, ...]:
    """Pictures of good parts as the experts are given them."""
    return tuple(in_scope(visit, visit.tools.images.pixels(image)) for image in good_images(visit)[:most])


def _part(visit: Visit, query: Pixels, reference: Pixels | None) -> Part:
    """What a model that asks for tools looks at."""
    state, tools = visit.state, visit.tools
    leading = state.measurements.leading
    given = good_images(visit)
    first = leading.reference if leading and leading.reference else next(iter(given), None)
    return Part(
        query=query,
        reference=reference,
        images=tools.images,
        knowledge=tools.knowledge,
        product=state.recalled.product or state.request.product,
        others=tuple(image for image in given if image != first),
        language=state.request.language,
    )


def known_defects(visit: Visit) -> tuple[Defect, ...]:
    """The product's documented defects; none where no document speaks of it or none can be read."""
    product = visit.state.recalled.product
    if product is None or visit.tools.knowledge is None:
        return ()
    return tuple(known.entry for known in visit.tools.knowledge().defects(product))


def _told(opinion: Opinion) -> str:
    return f"{opinion.by} says {opinion.judgement} ({opinion.confidence:.2f})"
