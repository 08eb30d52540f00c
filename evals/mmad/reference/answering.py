"""Answers questions as MMAD's published runners do: each alone, after the same pictures, greedily.

Where the runners and this differ, because an endpoint is asked and not a model in memory:

- The letter is a constrained choice with its probabilities, unless `constrained` is off; then the model
  writes up to 128 tokens as there, and a strict parser reads them.
- Questions about a case are asked side by side once its pictures are in the server's prefix cache.
- Chat template, default system turn and precision are the server's, and so is every generation setting beside
  temperature 0 (Qwen2.5-VL ships a repetition penalty of 1.05, which vLLM takes from the model).
- The order of texts and pictures is kept by servers that hand parts to the template one by one, as vLLM does
  for Qwen; for templates that take one string, InternVL's among them, vLLM needs `--interleave-mm-strings`.
- Pictures are resized here, by Pillow's bicubic filter; there the last resizing is the processor's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from evals.mmad.reference.letters import strict_letter
from evals.mmad.reference.marks import drawn
from evals.mmad.reference.prompts import THINK, Dialect, Shown, Turn, messages, question_text
from evals.mmad.reference.sizes import as_shown
from evals.pictures import leave_picture
from evals.types import Case, GivenAnswer, Question, Shots, Task
from tools.errors import ToolError, VlmEmpty, VlmRefused, VlmTruncated
from tools.image import encode_jpeg
from tools.types import MapValues, Notation, Pixels
from tools.vlm.base import GREEDY, Choice, Message, Reply, Usage, VisionLanguageModel

ANSWER_TOKENS: Final = 128
THOUGHT_TOKENS: Final = 256
_NO_USAGE: Final = Usage()


@dataclass(frozen=True)
class _Case:
    """What all questions of a case share. `thought` and `usage` are of the turn before the questions."""

    shown: Shown
    measured_seconds: float
    turns: tuple[Turn, ...] = ()
    thought: str | None = None
    thought_seconds: float = 0.0
    usage: Usage = _NO_USAGE


class ReferenceAnswerer:
    """Answers under MMAD's published protocol; `answer` is an `evals.types.Answer`.

    Args:
        vlm: the model; its limits of picture sizes are part of the protocol (64 to 1280 x 28 x 28 pixels).
        read: pixels of a picture, RGB uint8 (height, width, 3); called in a thread.
        shots: templates to show, 0 to 8; fewer where a case lists fewer.
        which: the list they are taken from.
        knowledge: what is told of a case's class; None tells nothing.
        expert: the anomaly map of a case, at the query's size; called in a thread. None: no expert.
        expert_name: who measures, which decides how it is drawn (`evals.mmad.reference.marks`).
        notation: how it is drawn.
        cot: let the model think in words once a case, before the questions.
        history: show the earlier questions of the case and the replies to them.
        constrained: take the letter as a constrained choice; off: from free text.
        dialect: whose words are used (`evals.mmad.reference.prompts`).
    """

    def __init__(
        self,
        vlm: VisionLanguageModel,
        *,
        read: Callable[[Path], Pixels],
        shots: int = 1,
        which: Shots = "random",
        knowledge: Callable[[Case], str] | None = None,
        expert: Callable[[Case], MapValues] | None = None,
        expert_name: str = "",
        notation: Notation = "bbox",
        cot: bool = False,
        history: bool = False,
        constrained: bool = True,
        dialect: Dialect = "qwen2.5-vl",
    ) -> None:
        self._vlm = vlm
        self._read = read
        self._shots = shots
        self._which = which
        self._knowledge = knowledge
        self._expert = expert
        self._expert_name = expert_name
        self._notation = notation
        self._cot = cot
        self._history = history
        self._constrained = constrained
        self._dialect = dialect

    async def answer(self, task: Task) -> AsyncGenerator[GivenAnswer, None]:
        """Answer the wanted questions of a case, each as soon as it is known.

        A reply that was cut off is read as far as it goes; one that was refused or is empty holds no answer.

        Raises:
            ToolError: a picture cannot be read, the expert cannot measure, or the endpoint gives no usable
                answer. Answers to other questions are given first.
        """
        if not task.wanted:
            return
        case = await asyncio.to_thread(self._prepared, task)
        if self._cot:
            case = await self._thought_over(case)
        if self._history:
            async for given in self._in_turn(task, case):
                yield given
            return
        first, *rest = task.wanted
        yield _told_with(case, await self._ask(case, first, case.turns))
        others = [self._ask(case, question, case.turns) for question in rest]
        async with aclosing(_as_known(others)) as known:
            async for given in known:
                yield given

    async def _in_turn(self, task: Task, case: _Case) -> AsyncIterator[GivenAnswer]:
        """One question after another, each after all earlier ones of the image and their replies."""
        replies = dict(task.earlier)
        for place, question in enumerate(sorted(task.wanted, key=lambda question: question.number)):
            earlier = [
                Turn(question_text(other, self._dialect), replies[other.number])
                for other in task.case.questions
                if other.number < question.number and replies.get(other.number, "").strip()
            ]
            given = await self._ask(case, question, (*case.turns, *earlier))
            replies[question.number] = given.reply
            yield given if place else _told_with(case, given)

    async def _ask(self, case: _Case, question: Question, turns: tuple[Turn, ...]) -> GivenAnswer:
        asked = messages(
            case.shown, question_text(question, self._dialect), turns=turns, dialect=self._dialect
        )
        started = time.perf_counter()
        letter: str | None
        if self._constrained:
            sampling = replace(GREEDY, max_tokens=ANSWER_TOKENS)
            choice = Choice(question.asked.letters)
            reply = await self._vlm.complete(asked, constraint=choice, sampling=sampling)
            letter = reply.text
        else:
            reply = await self._written(asked, ANSWER_TOKENS)
            letter = strict_letter(reply.text, question.asked.options)
        return GivenAnswer(
            number=question.number,
            letter=letter,
            probabilities=None if reply.probabilities is None else dict(reply.probabilities),
            by=f"vlm:{self._vlm.name}",
            reply=reply.text,
            thought=case.thought,
            seconds=time.perf_counter() - started,
            prompt_tokens=reply.usage.prompt_tokens,
            completion_tokens=reply.usage.completion_tokens,
            cached_tokens=reply.usage.cached_tokens,
        )

    async def _thought_over(self, case: _Case) -> _Case:
        started = time.perf_counter()
        reply = await self._written(messages(case.shown, THINK, dialect=self._dialect), THOUGHT_TOKENS)
        return replace(
            case,
            turns=(Turn(THINK, reply.text),) if reply.text.strip() else (),
            thought=reply.text,
            thought_seconds=time.perf_counter() - started,
            usage=reply.usage,
        )

    async def _written(self, asked: list[Message], most_tokens: int) -> Reply:
        """Free text: cut off at the limit as it is, and no text where the model declines or says nothing.

        The tokens of such a reply are not told.
        """
        try:
            return await self._vlm.complete(asked, sampling=replace(GREEDY, max_tokens=most_tokens))
        except VlmTruncated as cut:
            return Reply(text=cut.text, usage=_NO_USAGE, seconds=0.0)
        except (VlmEmpty, VlmRefused):
            return Reply(text="", usage=_NO_USAGE, seconds=0.0)

    def _prepared(self, task: Task) -> _Case:
        case = task.case
        query = self._read(case.path)
        marked, seconds = None, 0.0
        if self._expert is not None:
            started = time.perf_counter()
            marked = drawn(query, self._expert(case), self._notation, self._expert_name)
            seconds = time.perf_counter() - started
            if task.overlay is not None:
                leave_picture(task.overlay, encode_jpeg(marked))
        templates = [self._read(path) for path in case.templates(self._which, self._shots)]
        shown = Shown(
            query=self._sized(query),
            templates=tuple(map(self._sized, templates)),
            knowledge=None if self._knowledge is None else self._knowledge(case),
            marked=None if marked is None else self._sized(marked),
            notation=self._notation,
        )
        return _Case(shown, seconds)

    def _sized(self, pixels: Pixels) -> Pixels:
        return as_shown(pixels, self._vlm, self._dialect)


def _told_with(case: _Case, given: GivenAnswer) -> GivenAnswer:
    """A case's first answer, with what measuring and thinking took."""
    cached = (given.cached_tokens, case.usage.cached_tokens)
    return given.model_copy(
        update={
            "measured_seconds": case.measured_seconds,
            "seconds": given.seconds + case.thought_seconds,
            "prompt_tokens": given.prompt_tokens + case.usage.prompt_tokens,
            "completion_tokens": given.completion_tokens + case.usage.completion_tokens,
            "cached_tokens": sum(tokens or 0 for tokens in cached) if any(cached) else given.cached_tokens,
        }
    )


async def _as_known(asked: Sequence[Coroutine[Any, Any, GivenAnswer]]) -> AsyncGenerator[GivenAnswer, None]:
    """Answers in the order in which they come; a fault is raised after the others were given."""
    tasks = [asyncio.create_task(question) for question in asked]
    fault: ToolError | None = None
    try:
        for done in asyncio.as_completed(tasks):
            try:
                given = await done
            except ToolError as error:
                fault = error
            else:
                yield given
    finally:
        for pending in tasks:
            pending.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if fault is not None:
        raise fault
