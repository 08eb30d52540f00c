"""The steps that judge: reason, look closer, decide."""

from __future__ import annotations

import asyncio

from graphs.inspection.decide import decide as decide_by_rule
from graphs.inspection.judgement import places_to_look
from graphs.inspection.perceive import PROMPT_OVERLAY, in_scope, reference_at_hand
from graphs.inspection.plan import REASON
from graphs.inspection.step import Outcome, Visit
from graphs.reasoning import CloseView, Evidence, Opinion
from knowledge_base.schema import Defect
from tools.zoom import crop_box, side_by_side


async def reason(visit: Visit) -> Outcome:
    """Ask the reasoner for its opinion on the whole part."""
    if not visit.state.plan.takes(REASON):
        return Outcome({}, "not planned")
    opinion = await visit.tools.reasoner.judge(await asyncio.to_thread(gather_evidence, visit))
    return Outcome({"opinions": [opinion]}, _told(opinion))


async def reason_from_evidence_instead(visit: Visit) -> Outcome:
    """The fallback's opinion where the reasoner failed; none if the user wants no fallback."""
    if visit.tools.fallback is None:
        return Outcome({}, "no opinion: the reasoner failed and no other may stand in")
    opinion = await visit.tools.fallback.judge(await asyncio.to_thread(gather_evidence, visit))
    return Outcome({"opinions": [opinion]}, f"{_told(opinion)}, standing in for {visit.tools.reasoner.name}")


async def look_closer(visit: Visit) -> Outcome:
    """Enlarge the next doubtful place and ask again, blind to the first answer."""
    view = await asyncio.to_thread(_next_view, visit)
    evidence = await asyncio.to_thread(gather_evidence, visit)
    opinion = await visit.tools.reasoner.look_closer(evidence, view)
    update = {"opinions": [opinion], "looks": view.number}
    return Outcome(update, f"place {view.number}: {_told(opinion)}")


def _next_view(visit: Visit) -> CloseView:
    """The next doubtful place, enlarged."""
    state, images = visit.state, visit.tools.images
    reading = state.measurements.leading.reading if state.measurements.leading else None
    place = places_to_look(reading, state.opinions)[state.looks]
    reference = reference_at_hand(visit)
    box = crop_box(place, state.request.image.width_px, state.request.image.height_px)
    query = in_scope(visit, images.pixels(state.request.image))
    picture = side_by_side(query, reference, box)
    return CloseView(
        number=state.looks + 1,
        picture=picture,
        box=box,
        box_of_interest=place,
        beside_reference=reference is not None,
    )


async def stop_looking(visit: Visit) -> Outcome:
    """No more looks, where one failed."""
    return Outcome({"looks": visit.state.request.max_looks}, "no closer look: the model failed")


def decide(visit: Visit) -> Outcome:
    """Weigh opinions, readings and faults."""
    state = visit.state
    decision = decide_by_rule(
        image=state.request.image,
        intake=state.intake,
        measurements=state.measurements,
        opinions=state.opinions,
        faults=state.faults,
        reference_seen=reference_at_hand(visit) is not None,
        reasoner=visit.tools.reasoner.name,
    )
    return Outcome({"decision": decision}, f"{decision.verdict}, {len(decision.defects)} defect(s)")


def gather_evidence(visit: Visit) -> Evidence:
    """Load what the state refers to, for one step."""
    state, tools = visit.state, visit.tools
    leading = state.measurements.leading
    return Evidence(
        image=state.request.image,
        query=in_scope(visit, tools.images.pixels(state.request.image)),
        reference=reference_at_hand(visit),
        reading=leading.reading if leading else None,
        overlay=tools.artifacts.image(PROMPT_OVERLAY) if tools.artifacts.has(PROMPT_OVERLAY) else None,
        passages=state.recalled.passages,
        product=state.recalled.product or state.request.product,
        known_defects=known_defects(visit),
        roi=state.request.roi is not None,
        attempt=visit.attempt,
    )


def known_defects(visit: Visit) -> tuple[Defect, ...]:
    """The product's documented defects; none where no document speaks of it or none can be read."""
    product = visit.state.recalled.product
    if product is None or visit.tools.knowledge is None:
        return ()
    return tuple(known.entry for known in visit.tools.knowledge().defects(product))


def _told(opinion: Opinion) -> str:
    return f"{opinion.by} says {opinion.judgement} ({opinion.confidence:.2f})"
