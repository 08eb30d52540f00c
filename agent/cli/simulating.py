"""What `agent simulate` does: run the simulation, and tell what came of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import click

from agent.cli.progress import progress_bar
from agent.errors import UsageError
from agent.simulation.folder import PREVIEW
from agent.simulation.run import SimulationResult, SimulationRun, run_simulation


def simulate_folder(given: Mapping[str, Any]) -> None:
    """Run what the options ask for; results on stdout, progress and remarks on stderr.

    Raises:
        UsageError: folders or settings cannot be used, or nothing could be drawn.
        RunDamaged: the folder cannot be written.
    """
    if given["count"] is not None and given["per_image"] is not None:
        raise UsageError("--count and --per-image say the same thing twice; give one of them")
    result = run_simulation(
        SimulationRun(
            data=given["data"],
            out=given["out"],
            kind=given["kind"],
            count=given["count"],
            per_image=given["per_image"] or 1,
            seed=given["seed"],
            textures=given["textures"],
            background=given["background"],
            patches=given["patches"],
            blend=given["blend"],
            jobs=given["jobs"] or len(os.sched_getaffinity(0)),
        ),
        _Terminal(quiet=given["quiet"]),
    )
    _tell(result, quiet=given["quiet"])


class _Terminal:
    """Warnings and a bar on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def warn(self, line: str) -> None:
        """A line on stderr, above the bar."""
        click.echo(f"agent: warning: {line}", err=True)

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A bar of so many steps."""
        return progress_bar(what, total, quiet=self._quiet)


def _tell(result: SimulationResult, *, quiet: bool) -> None:
    written = [row for row in result.rows if row.image]
    failed = [row for row in result.rows if row.image is None]
    if not written:
        raise UsageError(f"nothing was written: {failed[0].why_not}")
    kinds = Counter(f"{row.kind} {row.variety}" for row in written)
    click.echo(f"{len(written)} defects in {result.out}")
    for kind, count in sorted(kinds.items()):
        click.echo(f"  {count:6d}  {kind}")
    if quiet:
        return
    passed = Counter(note for row in written for note in row.notes)
    for note, count in passed.most_common(5):
        click.echo(f"agent: note on {count} of them: {note}", err=True)
    if failed:
        click.echo(
            f"agent: warning: {len(failed)} not written, the first because {failed[0].why_not}", err=True
        )
    click.echo(f"agent: look at {result.out / PREVIEW}", err=True)
