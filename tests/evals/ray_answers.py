"""Answerers for actors of a Ray cluster, which find them by name."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from evals.types import Answer, GivenAnswer, Task
from tests.evals.run_parts import given
from tools.errors import ImageMissing, VlmUnreachable


@asynccontextmanager
async def plain(notes: Path, name: str = "plain", dies_on: str = "") -> AsyncIterator[Answer]:
    """The same answers as ever, and a picture for every case; notes which process answered what.

    The process kills itself before the third question about the image `dies_on`, the first time it is asked.
    The others then wait for the one that takes its place.
    """
    (notes / f"{name}-{os.getpid()}.opened").touch()

    async def answer(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        if task.overlay is not None:
            task.overlay.write_bytes(f"JPEG of {task.case.image}".encode())
        for question in task.wanted:
            await asyncio.sleep(0.005)
            if task.case.image == dies_on and question.number == 3 and not (notes / "died").exists():
                (notes / "died").write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            while (notes / "died").exists() and len(list(notes.glob("*.opened"))) < 3:
                await asyncio.sleep(0.05)
            with (notes / f"{name}-{os.getpid()}.answered").open("a") as file:
                file.write(f"{task.case.image} {question.number} {sorted(task.earlier)}\n")
            yield given(task.case.image, question.number)

    yield answer
    (notes / f"{name}-{os.getpid()}.closed").touch()


@asynccontextmanager
async def away(notes: Path) -> AsyncIterator[Answer]:
    """An endpoint that is never there."""

    async def answer(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        with (notes / "away").open("a") as file:
            file.write(f"{task.case.image}\n")
        raise VlmUnreachable("nobody there")
        yield

    yield answer


@asynccontextmanager
async def troubled() -> AsyncIterator[Answer]:
    """Cannot read one image, and dies over another, every time."""

    async def answer(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        if task.case.image.endswith("00001.png"):
            raise ImageMissing("no such image")
        if task.case.image.endswith("00004.png"):
            os.kill(os.getpid(), signal.SIGKILL)
        for question in task.wanted:
            yield given(task.case.image, question.number)

    yield answer


@asynccontextmanager
async def closed_door() -> AsyncIterator[Answer]:
    """Cannot be opened."""
    raise ImageMissing("weights are not there")
    yield
