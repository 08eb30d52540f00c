"""The live view of an evaluation, on stderr for a person who watches."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from evals.mmad.tables import SHORT
from evals.progress import Counts
from evals.types import AnswerRecord, Case
from tools.errors import ToolError


class LiveView:
    """A bar, the rate, the running accuracy of each subtask, and faults; see `evals.run.Watch`.

    Use it as a context manager. Nothing is shown in a pipe.
    """

    def __init__(self, title: str) -> None:
        self._console = Console(stderr=True)
        self._counts = Counts()
        self._last_fault = ""
        self._bar = Progress(
            TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=self._console
        )
        self._task: TaskID = self._bar.add_task(title, total=None)
        self._live = Live(
            console=self._console, get_renderable=self._shown, refresh_per_second=4, transient=True
        )

    def started(self, questions: int, answered: int) -> None:
        """See `Watch`."""
        self._counts.start(questions, answered)
        self._bar.update(self._task, total=questions, completed=answered)

    def answered(self, record: AnswerRecord) -> None:
        """See `Watch`."""
        self._counts.add(record)
        self._bar.advance(self._task)

    def fault(self, case: Case, error: ToolError) -> None:
        """See `Watch`."""
        self._counts.faults += 1
        self._last_fault = f"{case.image}: {error}"

    def finished(self) -> None:
        """See `Watch`."""
        self._live.refresh()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _shown(self) -> Group:
        counts = self._counts
        right = "  ".join(f"{SHORT[subtask]} {value:.1f}" for subtask, value in counts.accuracies().items())
        lines = [Text(f"{counts.rate:.2f} questions/s   right so far in %: {right or '–'}", style="dim")]
        if counts.faults:
            lines.append(Text(f"{counts.faults} fault(s), the last: {self._last_fault}", style="yellow"))
        return Group(self._bar, *lines)
