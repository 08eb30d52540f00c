"""Plain text: paragraphs stand between empty lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from knowledge_base.ingest.blocks import Block, Paragraph
from knowledge_base.ingest.characters import encoding_of, lines_of
from knowledge_base.ingest.limits import Limits

_LONGEST = 20_000  # characters held at once; a longer paragraph goes on in the next block


def blocks(file: BinaryIO, limits: Limits) -> Iterator[Block]:  # noqa: ARG001 - as every format
    """Paragraphs, read line by line.

    Raises:
        DocumentInvalid: it is no text.
    """
    encoding, note = encoding_of(file)
    if note:
        yield note
    held = ""
    for line in lines_of(file, encoding, _LONGEST):
        if not line.strip():
            yield Paragraph(held)
            held = ""
            continue
        held += line
        while len(held) > _LONGEST:
            end = max(held.rfind(" ", 0, _LONGEST), held.rfind("\n", 0, _LONGEST)) + 1 or _LONGEST
            yield Paragraph(held[:end])
            held = held[end:]
    yield Paragraph(held)
