"""`agent eval report` and `agent eval compare`: runs as pages and side by side."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli.options import as_json, quietly

run_folder = click.Path(path_type=Path, file_okay=False)


@click.command(no_args_is_help=True)
@click.argument("run", type=run_folder)
@click.option(
    "--data", type=run_folder, help="Folder of the data, for the pictures. [default: where the run found it]"
)
@quietly
def report(run: Path, data: Path | None, quiet: bool) -> None:
    """Write RUN/report.html (self-contained) and RUN/report.md."""
    from agent.cli.looking import write_pages

    write_pages(run, data, quiet=quiet)


@click.command(no_args_is_help=True)
@click.argument("first", type=run_folder)
@click.argument("second", type=run_folder)
@click.option(
    "--flips", type=click.IntRange(0), default=20, show_default=True, help="Flipped questions shown."
)
@as_json
def compare(first: Path, second: Path, flips: int, json_: bool) -> None:
    """Show in what the run SECOND differs from the run FIRST, over the questions that both answered."""
    from agent.cli.looking import print_comparison

    print_comparison(first, second, flips=flips, json_=json_)
