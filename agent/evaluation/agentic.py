"""The agent protocol: inspect an image as a user would, then answer from what was found."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from agent.api import Inspector
from agent.evaluation.plan import GROUND_TRUTH, EvaluationPlan
from evals.pictures import leave_picture
from evals.types import Case, GivenAnswer, Question, Task
from graphs.questions.question import Subject
from graphs.report import KnowledgePassage
from tools.errors import VlmServerError, VlmTimeout, VlmUnreachable

Passages = Callable[[Case], tuple[KnowledgePassage, ...]]
"""What is told of a case's class in the place of a look-up; empty: the agent looks things up itself."""

_AWAY = {error.kind: error for error in (VlmUnreachable, VlmTimeout, VlmServerError)}
"""Faults that say nothing of the part: the model was not there, and the image is inspected again later."""

_MOST_AT_ONCE = 256
_OVERLAY_PX = 512


class AgentAnswerer:
    """Answers the questions of a case; see `evals.types.Answer`.

    Args:
        inspector: inspects each image once.
        plan: which templates are shown and whether the product is told.
        passages: knowledge that is given.
    """

    def __init__(self, inspector: Inspector, plan: EvaluationPlan, passages: Passages) -> None:
        self._inspector = inspector
        self._plan = plan
        self._passages = passages
        # An inspection that waits for the model holds a thread of ours, and none of the experts'.
        self._waiting = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="inspection")

    async def answer(self, task: Task) -> AsyncGenerator[GivenAnswer, None]:
        """Inspect, then answer: the first question alone, so that the others find its prefix in the cache."""
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        subject = await loop.run_in_executor(self._waiting, self._inspect, task)
        measured = time.perf_counter() - started
        first, *rest = task.wanted
        given = await self._ask(subject, first)
        yield given.model_copy(update={"measured_seconds": measured})
        asked = [asyncio.ensure_future(self._ask(subject, question)) for question in rest]
        try:
            for done in asyncio.as_completed(asked):
                yield await done
        finally:
            for pending in asked:
                pending.cancel()

    def close(self) -> None:
        """Stop what is running."""
        self._inspector.cancel()
        self._waiting.shutdown(wait=False, cancel_futures=True)

    def _inspect(self, task: Task) -> Subject:
        case, plan = task.case, self._plan
        with self._inspector.inspection(
            case.path,
            case.templates(plan.templates, plan.shots),
            product=case.category if plan.product == "told" else None,
            mask=_marked(case) if plan.expert == GROUND_TRUTH else None,
            passages=self._passages(case),
            on_record=False,
        ) as inspection:
            if task.overlay is not None and (overlay := inspection.drawn("overlay")) is not None:
                leave_picture(task.overlay, _reduced(overlay))
            subject = inspection.subject()
        if (
            away := next((fault for fault in subject.report.faults if fault.kind in _AWAY), None)
        ) is not None:
            raise _AWAY[away.kind](away.message)
        return subject

    async def _ask(self, subject: Subject, question: Question) -> GivenAnswer:
        started = time.perf_counter()
        chosen, usage = await self._inspector.respondent.answer(subject, question.asked)
        return GivenAnswer(
            number=question.number,
            letter=chosen.letter,
            probabilities=chosen.probabilities,
            by=chosen.by,
            reply=chosen.why,
            seconds=time.perf_counter() - started,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            verdict=subject.report.verdict,
        )


def _marked(case: Case) -> Path | npt.NDArray[np.uint8]:
    """The mask of a case's defects; a black one where nothing is marked, which says that the part is good."""
    if case.truth is not None:
        return case.truth
    with Image.open(case.path) as image:
        width, height = ImageOps.exif_transpose(image).size
    return np.zeros((height, width), np.uint8)


def _reduced(picture: bytes) -> bytes:
    """A picture as JPEG, no larger than a gallery shows it."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((_OVERLAY_PX, _OVERLAY_PX))
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=80)
    return packed.getvalue()
