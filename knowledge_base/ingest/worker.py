"""The process in which files are parsed: `python -m knowledge_base.ingest.worker`.

Parsers of foreign formats hang, swell and die on files that were made for it. Here they do so alone: this
process holds no keys, may write no file, and has bounded memory where the system can bound it. It takes a
request a line on stdin ({"path", "suffix"}) and answers on stdout with a block a line, then `["end"]` or
`["error", message]`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Block, Heading, Note, Paragraph, to_line
from knowledge_base.ingest.formats import blocks_reader
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.opening import open_listed

_FLUSH_S = 0.2
_BLOCK_CHARACTERS = 4_000_000


def main() -> None:
    """Answer requests until stdin ends."""
    limits = Limits(**json.loads(sys.argv[1]))
    _confine(limits)
    for request in sys.stdin:
        asked = json.loads(request)
        _answer(Path(asked["path"]), asked["suffix"], limits)


def _answer(path: Path, suffix: str, limits: Limits) -> None:
    flushed = time.monotonic()
    last = '["end"]'
    try:
        for block in bounded_blocks(path, suffix, limits):
            sys.stdout.write(to_line(block) + "\n")
            if time.monotonic() - flushed > _FLUSH_S:
                sys.stdout.flush()
                flushed = time.monotonic()
    except DocumentInvalid as exc:
        last = json.dumps(["error", str(exc)])
    except MemoryError:
        last = json.dumps(["error", "takes too much memory to read; split it"])
    except Exception as exc:  # noqa: BLE001 - parsers raise whatever a damaged file makes them stumble over
        last = json.dumps(
            ["error", f"cannot be read ({type(exc).__name__}); save it anew or in another format"]
        )
    sys.stdout.write(last + "\n")
    sys.stdout.flush()


def bounded_blocks(path: Path, suffix: str, limits: Limits) -> Iterator[Block]:
    """The blocks of a file, as far as the limits allow.

    Raises:
        DocumentInvalid: it cannot be read, or is beyond the limits; the message does not name the file.
    """
    characters = 0
    with open_listed(path) as file:
        for block in blocks_reader(suffix)(file, limits):
            length = _length(block)
            characters += length
            if length > _BLOCK_CHARACTERS:
                raise DocumentInvalid(f"has a paragraph of {length} characters; it is no ordinary document")
            if characters > limits.characters:
                raise DocumentInvalid(f"holds more than {limits.characters} characters of text; split it")
            yield block


def _length(block: Block) -> int:
    match block:
        case Heading() | Paragraph():
            return len(block.text)
        case Note():
            return 0
        case _:
            return sum(len(name) + len(value) for name, value in block.cells)


def _confine(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # Windows: time is bounded by the other side, memory is not
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = limits.memory_bytes if hard == resource.RLIM_INFINITY else min(limits.memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
