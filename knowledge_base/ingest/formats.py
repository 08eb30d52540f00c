"""Which files can be read, and by what."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from knowledge_base.ingest.blocks import Block
from knowledge_base.ingest.limits import Limits

_MODULES = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "plain_text",
    ".yaml": "yaml_text",
    ".yml": "yaml_text",
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".csv": "table",
    ".tsv": "table",
}
_TREES = frozenset(("markdown", "yaml_text", "html"))

SUFFIXES = tuple(_MODULES)
"""Ends of the names of files that can be read, in lower case."""


class Blocks(Protocol):
    """Reads a file of one format; raises `DocumentInvalid` without the file's name."""

    def __call__(self, file: BinaryIO, limits: Limits) -> Iterator[Block]:
        """Read an open file, block by block."""


def blocks_reader(suffix: str) -> Blocks:
    """What reads files whose names end so."""
    module = importlib.import_module(f"knowledge_base.ingest.{_MODULES[suffix.lower()]}")
    reader: Blocks = module.blocks
    return reader


def most_bytes(suffix: str, limits: Limits) -> int:
    """How large a file of this format may be."""
    return limits.tree_bytes if _MODULES[suffix.lower()] in _TREES else limits.file_bytes
