"""What every step of the inspection shares: timing, progress, deadlines, and failures that become faults."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy

from graphs.inspection.state import InspectionState
from graphs.report import Fault, TraceEntry
from graphs.toolbox import Toolbox
from knowledge_base.errors import KnowledgeError
from tools.errors import ToolError, VlmTimeout
from tools.vlm.recording import at_step

Update: TypeAlias = Mapping[str, Any]

MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Outcome:
    """What a step leaves behind: fields of the state to write, and a line for the trace."""

    update: Update
    detail: str


@dataclass(frozen=True)
class Visit:
    """One visit of a step: the state and handles it may use, and which attempt this is (from 1)."""

    state: InspectionState
    tools: Toolbox
    attempt: int


class Rescue(Protocol):
    """What a step does instead when it failed for good."""

    def __call__(self, visit: Visit) -> Awaitable[Outcome]:
        """Give a replacement for the step's outcome."""


Body: TypeAlias = Callable[[Visit], Outcome] | Callable[[Visit], Awaitable[Outcome]]
"""A step's own work: a plain function runs in a worker thread, an async one under a deadline."""


class Node(Protocol):
    """A step as LangGraph calls it."""

    async def __call__(self, state: InspectionState, *, runtime: Runtime[Toolbox]) -> dict[str, Any]:
        """Do the step; returns the fields of the state to write."""


def is_retryable(error: Exception) -> bool:
    """Whether trying the step again can help; everything unexpected is a bug and is not tried again."""
    return isinstance(error, ToolError | KnowledgeError) and error.retryable


RETRY = RetryPolicy(initial_interval=0.5, max_attempts=MAX_ATTEMPTS, retry_on=is_retryable)


def as_node(
    name: str,
    body: Body,
    *,
    deadline_s: float | None = None,
    rescue: Rescue | None = None,
) -> Node:
    """Make a LangGraph node of a step's body.

    A body that is a plain function runs in a worker thread. An expected error (`ToolError`, `KnowledgeError`)
    that is retryable rises until the last attempt, so that the graph's retry policy sees it; then it becomes
    a `Fault` and `rescue` (or nothing) stands in. Any other exception is a bug and rises.

    Args:
        name: the step's name in trace, faults and progress.
        body: the work.
        deadline_s: seconds after which an async body is cancelled; this counts as `VlmTimeout`.
        rescue: what to do instead after a failure.
    """

    async def node(state: InspectionState, *, runtime: Runtime[Toolbox]) -> dict[str, Any]:
        attempt = runtime.execution_info.node_attempt if runtime.execution_info else 1
        visit = Visit(state, runtime.context, attempt)
        runtime.stream_writer({"step": name, "attempt": attempt})
        started = time.perf_counter()
        faults: list[Fault] = []
        try:
            with at_step(name):
                outcome = await _run(name, body, visit, deadline_s)
        except (ToolError, KnowledgeError) as error:
            if error.retryable and attempt < MAX_ATTEMPTS:
                raise
            faults = [Fault(step=name, kind=error.kind, message=str(error), retryable=error.retryable)]
            outcome = await rescue(visit) if rescue else Outcome({}, "nothing: see faults")
        _refuse_unknown_fields(name, outcome.update)
        entry = TraceEntry(step=name, seconds=time.perf_counter() - started, detail=outcome.detail)
        return {**outcome.update, "trace": [entry], "faults": [*outcome.update.get("faults", ()), *faults]}

    return node


async def _run(
    name: str,
    body: Body,
    visit: Visit,
    deadline_s: float | None,
) -> Outcome:
    if not inspect.iscoroutinefunction(body):
        return await asyncio.to_thread(cast("Callable[[Visit], Outcome]", body), visit)
    deadline = asyncio.timeout(deadline_s)
    try:
        async with deadline:
            return cast("Outcome", await body(visit))
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise VlmTimeout(
            f"step {name} gave no answer within {deadline_s:g} s; check the server or raise the time-out"
        ) from error


def _refuse_unknown_fields(name: str, update: Update) -> None:
    # LangGraph drops unknown keys in silence, and a lost result would look like "nothing found".
    if unknown := set(update) - set(InspectionState.model_fields):
        raise TypeError(f"step {name} wrote fields that the state does not have: {sorted(unknown)}")
