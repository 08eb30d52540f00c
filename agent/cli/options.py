"""Options that several commands share; None means "not given", so that environment and file can speak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


as_json = click.option("--json", "json_", is_flag=True, help="Print JSON on stdout and nothing else.")
quietly = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")


mmad_folder = click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with mmad.json and the images.",
)
in_run = click.option(
    "--run",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run; the same command goes on with it.",
)


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """A command with options before those that it has, listed in this order in its help."""
    for option in reversed(options):
        command = option(command)
    return command


def folder_options(command: Command) -> Command:
    """Options that name the settings file and the data folder."""
    return with_options(
        command,
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Settings file (TOML). [env: AGENT_CONFIG]",
        ),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path),
            help="Folder for stores and converted models. [env: AGENT_DATA_DIR]",
        ),
    )


def setting_options(command: Command) -> Command:
    """Options that name the settings file, the data folder and the model's endpoint."""
    return with_options(
        folder_options(command),
        click.option("--vlm-url", help="Base URL of an OpenAI-compatible endpoint. [env: AGENT_VLM_URL]"),
        click.option("--vlm-model", help="Model; left out, the only one served. [env: AGENT_VLM_MODEL]"),
        click.option("--vlm-timeout-s", type=float, help="Seconds an answer. [env: AGENT_VLM_TIMEOUT_S]"),
    )
