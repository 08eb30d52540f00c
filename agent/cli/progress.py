"""A progress bar for a person who watches; nothing in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def counting_bar(
    doing: str, *, quiet: bool, counter: ProgressColumn | None = None
) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a bar on stderr; gives the function that is told what is done, how much, and of how much."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), counter or MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        redirect_stdout=False,
        disable=quiet or not console.is_terminal,
    ) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)


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
