"""What `agent eval check` and `agent eval download` do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.progress import DownloadColumn

from agent.cli.json_output import print_json
from agent.cli.progress import counting_bar
from agent.cli.tables import print_table
from agent.errors import EXIT_OK, EXIT_USAGE
from agent.settings import Settings
from agent.wiring import open_backbone
from evals.mmad.check_tables import what_is_there, what_is_wrong
from evals.mmad.checking import Check, check_mmad


def check_data(
    data: Path, *, fast: bool, json_: bool, quiet: bool, explicit: Mapping[str, Any], config: Path | None
) -> int:
    """Look a data set over and print what is there and what is wrong; the exit status.

    Raises:
        DatasetInvalid: it cannot be read at all.
    """
    settings = Settings.resolve(explicit, config=config)
    embed = None if fast else open_backbone(settings).embed
    with counting_bar("looking", quiet=quiet) as count:
        check = check_mmad(
            data,
            embed=embed,
            pictures=not fast,
            progress=lambda done, total: count("looking", done, total),
        )
    if json_:
        print_json(check.model_dump(mode="json"))
    else:
        _print(check, fast=fast)
    return EXIT_USAGE if check.findings else EXIT_OK


def download_data(target: Path, *, revision: str | None, source: str, quiet: bool) -> None:
    """Bring a data set from the hub, or go on bringing it.

    Raises:
        DownloadFailed: it could not be brought; what came is kept.
    """
    from evals.mmad.download import download_mmad

    with counting_bar("asking the hub", quiet=quiet, counter=DownloadColumn()) as count:
        folder = download_mmad(target, revision=revision, source=source, progress=count)
    click.echo(folder)


def _print(check: Check, *, fast: bool) -> None:
    print_table(*what_is_there(check))
    if fast:
        click.echo("\nno picture was opened (--fast)")
    if not check.findings:
        click.echo("\nnothing is wrong with it" if not fast else "no file is missing")
        return
    click.echo("")
    print_table(*what_is_wrong(check))
