"""Which step follows which; pure functions of the state."""

from __future__ import annotations

from typing import Literal, TypeAlias

from graphs.evidence import EVIDENCE
from graphs.inspection.judgement import wants_closer_look
from graphs.inspection.plan import LOOK_CLOSER, RECALL_KNOWLEDGE, RECALL_TEMPLATES
from graphs.inspection.state import InspectionState

AfterPlan: TypeAlias = Literal["measure", "recall_knowledge", "recall_templates", "annotate"]


def after_intake(state: InspectionState) -> Literal["plan", "decide"]:
    """An unusable picture goes straight to the verdict, which is `review`."""
    return "decide" if state.intake.obstacle is not None else "plan"


def after_plan(state: InspectionState) -> list[AfterPlan]:
    """Measuring and remembering side by side; a reference that must be found is found before measuring."""
    following: list[AfterPlan] = []
    if state.plan.takes(RECALL_TEMPLATES):
        following.append("recall_templates")
    elif state.plan.experts:
        following.append("measure")
    if state.plan.takes(RECALL_KNOWLEDGE):
        following.append("recall_knowledge")
    return following or ["annotate"]


def after_recall_templates(state: InspectionState) -> Literal["measure", "annotate"]:
    """Measure against what was found."""
    return "measure" if state.recalled_templates and state.plan.experts else "annotate"


def after_opinion(state: InspectionState) -> Literal["look_closer", "decide"]:
    """Look again while there is doubt or contradiction, a place to look at, and looks to spend."""
    reading = state.measurements.leading.reading if state.measurements.leading else None
    by_sight = bool(state.opinions) and state.opinions[-1].by != EVIDENCE
    spare = state.looks < state.request.max_looks and state.plan.takes(LOOK_CLOSER)
    if by_sight and spare and wants_closer_look(reading, state.opinions, state.looks):
        return "look_closer"
    return "decide"
