"""What `agent eval report` and `agent eval compare` do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from agent.cli.json_output import print_json
from agent.cli.tables import print_titled
from evals.compare import compare
from evals.log import read_answers, read_spec
from evals.mmad.tables import difference_tables, flip_table
from evals.report.page import write_report
from evals.spec import RunSpec

SAID_OF_A_RUN = ("protocol", "answered_by")


def write_pages(run: Path, data: Path | None, *, quiet: bool) -> None:
    """Write a run's page and Markdown, and say where.

    Raises:
        RunDamaged: the folder holds no run, or cannot be written.
        DatasetInvalid: `data` is no data set.
    """
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        written = write_report(run, data=data)
    else:
        with console.status("drawing the page"):
            written = write_report(run, data=data)
    for path in written:
        click.echo(path)


def print_comparison(first: Path, second: Path, *, flips: int, json_: bool) -> None:
    """Print paired differences, and what else the runs differ in.

    Raises:
        RunDamaged: a folder holds no run.
        RunMismatch: they have no question in common.
    """
    differing = differing_settings(read_spec(first), read_spec(second))
    compared = compare(read_answers(first), read_answers(second))
    if json_:
        print_json({"differing": differing, **compared.model_dump(mode="json")})
        return
    click.echo(f"first: {first}\nsecond: {second}")
    for name, (ours, theirs) in differing.items():
        click.echo(f"  {name}: {ours} -> {theirs}")
    if not differing:
        click.echo("  the same settings")
    click.echo(f"{compared.questions:,} question(s) that both answered")
    if compared.only_first.questions or compared.only_second.questions or compared.changed:
        click.echo(
            f"left out: {compared.only_first.questions:,} of the first alone, "
            f"{compared.only_second.questions:,} of the second alone, {compared.changed:,} that were changed"
        )
    for table in difference_tables(compared):
        print_titled(table)
    if flips and compared.flips:
        print_titled(flip_table(compared.flips[:flips]))
        if (left := len(compared.flips) - flips) > 0:
            click.echo(f"and {left:,} more; --flips shows them")


def differing_settings(first: RunSpec, second: RunSpec) -> Mapping[str, tuple[Any, Any]]:
    """What changes an answer and is not the same in both runs."""
    ours, theirs = (
        {**{name: getattr(spec, name) for name in SAID_OF_A_RUN}, **spec.settings, **spec.versions}
        for spec in (first, second)
    )
    return {
        name: (ours.get(name), theirs.get(name))
        for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    }
