"""`agent eval check` and `agent eval download`: MMAD's data, looked over and brought here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import as_json, folder_options, mmad_folder, quietly


@click.command(no_args_is_help=True)
@mmad_folder
@click.option("--fast", is_flag=True, help="Open no image: only look whether the files are there.")
@as_json
@quietly
@folder_options
def check(data: Path, fast: bool, json_: bool, quiet: bool, config: Path | None, **explicit: Any) -> int:  # noqa: ANN401
    """Look an MMAD folder over: what is there, and what is missing, at odds or out of place.

    Images that show another product than their templates are suspects; tables are printed with and without
    them. Ends with 2 if anything is wrong.
    """
    from agent.cli.checking import check_data

    return check_data(data, fast=fast, json_=json_, quiet=quiet, explicit=explicit, config=config)


@click.command(no_args_is_help=True)
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--revision",
    metavar="REV",
    help="Commit, branch or tag. [default: where its images are]",
)
@click.option("--source", default="jiang-cc/MMAD", show_default=True, help="Data set at the hub.")
@quietly
def download(target: Path, revision: str | None, source: str, quiet: bool) -> None:
    """Bring MMAD into the folder TARGET; the same command goes on where it stopped.

    Needs the hub; set HF_ENDPOINT for a mirror and HF_TOKEN for a private copy. The data have licences of
    their own.
    """
    from agent.cli.checking import download_data

    download_data(target, revision=revision, source=source, quiet=quiet)
