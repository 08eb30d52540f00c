"""What a person sees of learning."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import click


class TrainingWatch:
    """Results on stdout, and a bar on stderr if a person watches."""

    def say(self, line: str) -> None:
        """A result that stays, above the bar."""
        click.echo(line)

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A bar of so many steps."""
        from agent.cli.progress import progress_bar

        return progress_bar(what, total, quiet=False)
