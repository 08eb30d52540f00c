"""Running counts of an evaluation, for whoever shows them, and the log that machines read."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TextIO

from evals.types import AnswerRecord, Case
from graphs.questions.question import SUBTASKS, Subtask
from tools.errors import ToolError


class Counts:
    """What there is, what is on record, and how many of the answers of this process are right."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self.total = 0
        self.earlier = 0
        self.faults = 0
        self.asked: Counter[Subtask] = Counter()
        self.right: Counter[Subtask] = Counter()

    def start(self, total: int, earlier: int) -> None:
        """So many questions there are, so many are on record from earlier."""
        self.total, self.earlier, self._began = total, earlier, self._clock()

    def add(self, record: AnswerRecord) -> None:
        """Count an answer."""
        self.asked[record.subtask] += 1
        self.right[record.subtask] += record.right

    @property
    def now(self) -> int:
        """Questions answered by this process."""
        return self.asked.total()

    @property
    def rate(self) -> float:
        """Questions a second; 0 before the first."""
        return self.now / max(self._clock() - self._began, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at this rate; None before the first answer."""
        return (self.total - self.earlier - self.now) / self.rate if self.now else None

    def accuracies(self) -> dict[Subtask, float]:
        """Plain accuracy in percent of each subtask that was asked, in MMAD's order."""
        return {s: 100 * self.right[s] / self.asked[s] for s in SUBTASKS if self.asked[s]}


class JsonLines:
    """A line of JSON a minute, also while nothing moves, one before and one after; see `evals.run.Watch`.

    `left_s` is None before the first answer of this process; `accuracy` in percent is of its answers alone.
    `fault` is the last fault of any kind.
    """

    def __init__(
        self, stream: TextIO, every_s: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._every_s = every_s
        self._counts = Counts(clock)
        self._fault: dict[str, str] | None = None
        self._lock = Lock()
        self._over = Event()
        self._ticking = Thread(target=self._tick, name="log-json", daemon=True)

    def started(self, questions: int, answered: int) -> None:
        """See `Watch`."""
        self._counts.start(questions, answered)
        self._write("started")
        self._ticking.start()

    def answered(self, record: AnswerRecord) -> None:
        """See `Watch`."""
        with self._lock:
            self._counts.add(record)

    def fault(self, case: Case, error: ToolError) -> None:
        """See `Watch`."""
        with self._lock:
            self._counts.faults += 1
            self._fault = {"image": case.image, "kind": error.kind, "message": str(error)}

    def finished(self) -> None:
        """See `Watch`."""
        self._over.set()
        self._ticking.join()
        self._write("finished")

    def _tick(self) -> None:
        while not self._over.wait(self._every_s):
            self._write("running")

    def _write(self, event: str) -> None:
        with self._lock:
            counts = self._counts
            line = {
                "event": event,
                "questions": counts.total,
                "answered": counts.earlier + counts.now,
                "per_s": round(counts.rate, 3),
                "left_s": None if counts.left_s is None else round(counts.left_s),
                "accuracy": {subtask: round(value, 2) for subtask, value in counts.accuracies().items()},
                "faults": counts.faults,
                "fault": self._fault,
            }
        with suppress(OSError, ValueError):  # nobody reads any more: no reason to stop the run
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()
