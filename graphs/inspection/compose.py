"""The last step: everything known becomes the report, which checks itself."""

from __future__ import annotations

from graphs.inspection.state import Advice, InspectionState
from graphs.inspection.step import Outcome, Visit
from graphs.report import Criterion, Defect, DefectReport, KnowledgePassage


def compose(visit: Visit) -> Outcome:
    """Write the report."""
    state = visit.state
    if state.decision is None:
        raise RuntimeError("compose was reached without a decision")
    leading = state.measurements.leading
    templates = state.request.templates or state.recalled_templates
    report = DefectReport(
        inspection_id=visit.tools.inspection_id,
        image=state.request.image,
        template=leading.reference if leading else (templates[0] if templates else None),
        product=state.recalled.product or state.request.product,
        verdict=state.decision.verdict,
        confidence=state.decision.confidence,
        reasoner=state.decision.reasoner,
        summary=state.decision.summary,
        defects=_explained(state.decision.defects, state.advice),
        recommendations=state.advice.recommendations,
        readings=tuple(measured.reading for measured in state.measurements.measured),
        knowledge=_knowledge(state),
        knowledge_note=state.advice.note,
        plan=state.plan.steps,
        trace=tuple(state.trace),
        faults=tuple(state.faults),
        versions=visit.tools.versions,
        layout=state.layout,
        print=state.printed,
        looks=tuple(state.looks),
        spent=state.spent,
        language=state.request.language,
        mm_per_px=state.request.mm_per_px,
        person=state.person,
    )
    return Outcome({"report": report}, f"{report.verdict}, confidence {report.confidence:.2f}")


def _explained(defects: tuple[Defect, ...], advice: Advice) -> tuple[Defect, ...]:
    """The defects with their causes and criteria, if any were looked up."""
    if not advice.causes:
        return defects
    return tuple(
        defect.model_copy(update={"causes": causes, **_by_criterion(defect, criterion)})
        for defect, causes, criterion in zip(defects, advice.causes, advice.criteria, strict=True)
    )


def _by_criterion(defect: Defect, criterion: Criterion | None) -> dict[str, object]:
    """The criterion, and the severity that it sets where nobody gave one."""
    if criterion is None:
        return {}
    severity = criterion.severity if defect.severity == "unknown" else defect.severity
    return {"criterion": criterion, "severity": severity}


def _knowledge(state: InspectionState) -> tuple[KnowledgePassage, ...]:
    """What is cited first, then what was consulted, each once."""
    passages = {passage.id: passage for passage in (*state.advice.passages, *state.recalled.passages)}
    return tuple(passages.values())
