"""A part as an inspection leaves it, for questions about it."""

from __future__ import annotations

from graphs.questions.question import Subject
from graphs.reasoning import Evidence
from graphs.report import DefectReport
from tools.types import ImageRef


def subject_of(query, reference, reading, *, product=None, known=()):
    image = ImageRef(path="q.png", sha256="a" * 64, width_px=query.shape[1], height_px=query.shape[0])
    report = DefectReport(
        image=image,
        template=None,
        product=product,
        verdict="review",
        confidence=0.5,
        reasoner="evidence",
        summary="Done.",
        defects=(),
    )
    evidence = Evidence(
        image=image,
        query=query,
        reference=reference,
        reading=reading,
        overlay=None,
        passages=(),
        product=product,
        known_defects=known,
    )
    return Subject(report, evidence)
