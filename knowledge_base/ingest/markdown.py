"""Markdown with tables and front matter, rendered to HTML: what a reader would not see is not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest import html, yaml_text
from knowledge_base.ingest.blocks import Block
from knowledge_base.ingest.characters import text_of
from knowledge_base.ingest.limits import Limits

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)


def blocks(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    """Headings, paragraphs and the rows of tables.

    Raises:
        DocumentInvalid: it is no text.
    """
    from markdown_it import MarkdownIt

    text, note = text_of(file)
    if note:
        yield note
    if front := _FRONT_MATTER.match(text):
        try:
            read = list(yaml_text.blocks_of(front[1], limits))
        except DocumentInvalid:
            pass  # two rules with text between them
        else:
            yield from read
            text = text[front.end() :]
    yield from html.blocks_of(MarkdownIt("commonmark").enable("table").render(text), limits)
