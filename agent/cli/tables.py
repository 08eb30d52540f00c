"""Tables for people: as wide as the terminal, and unwrapped in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from agent.render.console import laid_out, stream_style
from tools.plain_text import plain

_ANY_WIDTH = 10_000

Cell = str | int


class Titled(Protocol):
    """A table with a title."""

    @property
    def title(self) -> str:
        """What it shows."""

    @property
    def columns(self) -> Sequence[str]:
        """Headings."""

    @property
    def rows(self) -> Sequence[Sequence[Cell]]:
        """Cells."""


def print_titled(table: Titled) -> None:
    """Print a table on stdout under its title."""
    click.echo(f"\n{table.title}")
    print_table(table.columns, table.rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under headings on stdout; numbers stand to the right, and foreign text is made harmless."""
    color, width = stream_style(sys.stdout)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for at, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[at], int) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else plain(cell)) for cell in row))
    width = width if sys.stdout.isatty() else _ANY_WIDTH
    sys.stdout.write(laid_out([table], color=color, width=width))
