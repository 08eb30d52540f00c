"""Evaluates into the run folder of the first argument: for tests that kill it, or fill its disk.

The second argument is the most bytes that a file may have.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from evals.log import RunFolder
from evals.pacing import Pace
from evals.run import run_evaluation
from evals.types import GivenAnswer, Task
from tests.evals.run_parts import benchmark, given, spec

IMAGES = 60
IN_FLIGHT = 6


def say(line: str) -> None:
    """Write a line on stdout now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def slowly(task: Task) -> AsyncGenerator[GivenAnswer, None]:
    """The same answers as ever, in another order and at other times; says on stdout what it is asked."""
    for question in random.sample(task.wanted, len(task.wanted)):
        await asyncio.sleep(random.uniform(0, 0.01))
        say(f"{task.case.image} {question.number}")
        yield given(task.case.image, question.number)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    with RunFolder.open(Path(sys.argv[1]), spec()) as folder:
        outcome = asyncio.run(run_evaluation(benchmark(IMAGES), slowly, folder, pace=Pace(fixed=IN_FLIGHT)))
    assert outcome.open == 0
    say("done")
