"""Options that several commands share; None means "not given", so that environment and file can speak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def folder_options(command: Command) -> Command:
    """Options that name the settings file and the data folder."""
    for option in reversed(
        (
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
    ):
        command = option(command)
    return command


def setting_options(command: Command) -> Command:
    """Options that name the settings file, the data folder and the model's endpoint."""
    command = folder_options(command)
    for option in reversed(
        (
            click.option("--vlm-url", help="Base URL of an OpenAI-compatible endpoint. [env: AGENT_VLM_URL]"),
            click.option("--vlm-model", help="Model; left out, the only one served. [env: AGENT_VLM_MODEL]"),
            click.option("--vlm-timeout-s", type=float, help="Seconds an answer. [env: AGENT_VLM_TIMEOUT_S]"),
        )
    ):
        command = option(command)
    return command
