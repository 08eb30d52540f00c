"""A progress bar for a person who watches; nothing in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(doing: str, total: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr; gives the function that moves it on by one."""
    console = Console(stderr=True)
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, redirect_stdout=False, disable=quiet or not console.is_terminal
    ) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda: progress.advance(task)
