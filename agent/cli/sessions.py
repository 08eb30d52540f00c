"""What `agent chat --list` and `--delete` do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agent.chat.sessions import Sessions
from agent.settings import Settings


def list_sessions(explicit: Mapping[str, Any], config: Path | None) -> None:
    """Print each session's name, when it was used last, and its size."""
    found = Sessions(Settings.resolve(explicit, config=config).data_dir).list()
    if not found:
        click.echo("no sessions yet; begin one with: agent chat")
    width = max((len(info.name) for info in found), default=0)
    for info in found:
        used = info.used.astimezone().strftime("%Y-%m-%d %H:%M")
        click.echo(f"{info.name:<{width}}  {used}  {info.bytes / 2**20:7.1f} MiB")


def delete_session(explicit: Mapping[str, Any], config: Path | None, name: str) -> None:
    """Delete a session.

    Raises:
        UsageError: there is none, or it is in use.
    """
    Sessions(Settings.resolve(explicit, config=config).data_dir).delete(name)
    click.echo(f"deleted session {name}")
