"""Which step follows which; pure functions of the state."""

from __future__ import annotations

from typing import Literal, TypeAlias

from graphs.inspection.plan import CHECK_LAYOUT, READ_TEXT, RECALL_KNOWLEDGE, RECALL_TEMPLATES
from graphs.inspection.state import InspectionState

AfterMeasuring: TypeAlias = Literal["check_layout", "read_text", "annotate"]
AfterPlan: TypeAlias = Literal[
    "measure", "recall_knowledge", "recall_templates", "check_layout", "read_text", "annotate"
]


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
    else:
        following.extend(after_measuring(state))
    if state.plan.takes(RECALL_KNOWLEDGE):
        following.append("recall_knowledge")
    return following


def after_recall_templates(
    state: InspectionState,
) -> list[Literal["measure", "check_layout", "read_text", "annotate"]]:
    """Measure against what was found."""
    if state.recalled_templates and state.plan.experts:
        return ["measure"]
    return [*after_measuring(state)]


def after_measuring(state: InspectionState) -> list[AfterMeasuring]:
    """The checks that want the good part as it was aligned; drawing waits for all of them."""
    checks: list[AfterMeasuring] = []
    if state.plan.takes(CHECK_LAYOUT):
        checks.append("check_layout")
    if state.plan.takes(READ_TEXT):
        checks.append("read_text")
    return checks or ["annotate"]


def after_opinion(state: InspectionState) -> Literal["look_closer", "decide"]:
    """Look again unless the step that judged said why not, or nobody judged."""
    return "look_closer" if state.opinions and not state.spent.ended else "decide"
