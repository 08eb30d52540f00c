"""What runs in a Ray actor: an answerer that is held open, and answers sent back one by one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from evals.types import Answer, GivenAnswer, Task
from tools.errors import ToolError

OpenAnswer: TypeAlias = Callable[[], AbstractAsyncContextManager[Answer]]
"""Opens who answers, in the process that will use it. Is pickled: a function of a module, or a `partial`."""


@dataclass(frozen=True)
class Picture:
    """The picture that was left for a task (JPEG); the actor may not see the run's folder."""

    content: bytes


Sent: TypeAlias = GivenAnswer | Picture | ToolError
"""What an actor sends for a task. A `ToolError` is the last, and is sent as it is: Ray would wrap it."""


class Worker:
    """Holds an answerer open for the life of an actor."""

    def __init__(self, open_answer: OpenAnswer) -> None:
        self._open_answer = open_answer
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[Answer] | None = None
        self._holding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the answerer.

        Raises:
            Exception: whatever opening it raises.
        """
        self._opened = asyncio.get_running_loop().create_future()
        self._holding = asyncio.create_task(self._hold(self._opened))
        await asyncio.wait((self._opened, self._holding), return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            await self._holding

    async def _hold(self, opened: asyncio.Future[Answer]) -> None:
        """One task opens and closes: cancel scopes within the answerer may not cross tasks."""
        async with self._open_answer() as answer:
            opened.set_result(answer)
            await self._closing.wait()

    async def answer(self, task: Task) -> AsyncGenerator[Sent, None]:
        """Answer a task; see `evals.types.Answer`."""
        assert self._opened is not None, "open comes first"  # noqa: S101 - a bug of the driver
        with tempfile.TemporaryDirectory(prefix="overlay-") as folder:
            overlay = Path(folder) / "overlay.jpg" if task.overlay is not None else None
            try:
                async with aclosing(self._opened.result()(replace(task, overlay=overlay))) as answers:
                    async for given in answers:
                        yield given
                fault: ToolError | None = None
            except ToolError as error:
                fault = error
            if overlay is not None and overlay.is_file():
                yield Picture(overlay.read_bytes())
            if fault is not None:
                yield fault

    async def close(self) -> None:
        """Close the answerer."""
        self._closing.set()
        if self._holding is not None:
            await self._holding
