"""Builds what is derived of a segment, flat vectors and full text, anew from its Chroma collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge_base.catalogue import Segment, Snapshot
from knowledge_base.chroma import find_collection, read_rows
from knowledge_base.errors import StoreCorrupt
from knowledge_base.lexical import LexicalWriter, is_damage, place_of
from knowledge_base.vectors import VectorWriter

if TYPE_CHECKING:
    from knowledge_base.home import Home

_BATCH = 1024


def restore(home: Home, snapshot: Snapshot) -> int:
    """Restore every segment that misses something; how many did. To be called by the one process that writes.

    Raises:
        StoreCorrupt: Chroma lost a segment, too.
    """
    try:
        reader = home.lexical(make=True).reader()
    except ValueError as exc:
        if not is_damage(exc):
            raise
        home.discard_lexical()
        reader = home.lexical(make=True).reader()
    missing: dict[str, tuple[bool, bool]] = {}
    for name, segment in snapshot.segments.items():
        text = bool(snapshot.live(name)) and not reader.holds(name)
        try:
            home.vectors(segment, snapshot.dimension)
        except (FileNotFoundError, ValueError):
            missing[name] = (True, text)
        else:
            if text:
                missing[name] = (False, True)
    if not missing:
        return 0
    writer = home.lexical().writer()
    try:
        for name, (vectors, text) in missing.items():
            _restore(home, snapshot, snapshot.segments[name], writer if text else None, vectors=vectors)
        writer.commit()
    finally:
        writer.close()
    return len(missing)


def _restore(
    home: Home, snapshot: Snapshot, segment: Segment, text: LexicalWriter | None, *, vectors: bool
) -> None:
    collection = find_collection(home.chroma(), segment.name)
    if collection is None:
        raise _lost(home)
    flat = VectorWriter(home.vectors_folder(segment.name)) if vectors else None
    try:
        for first in range(0, segment.rows, _BATCH):
            last = min(first + _BATCH, segment.rows)
            passages, rows = read_rows(collection, first, last)
            if len(passages) != last - first:
                raise _lost(home)
            if flat is not None:
                flat.add(passages, rows)
            if text is not None:
                text.add(segment.name, place_of(segment.number, first), passages)
        if flat is not None:
            flat.finish()
    except BaseException:
        if flat is not None:
            flat.abandon()
        raise
    if text is None:
        return
    live = 0
    for document in snapshot.by_segment.get(segment.name, ()):
        text.take_out(place_of(segment.number, live), place_of(segment.number, document.first))
        live = document.first + document.passages
    text.take_out(place_of(segment.number, live), place_of(segment.number, segment.rows))


def _lost(home: Home) -> StoreCorrupt:
    return StoreCorrupt(
        f"the knowledge index in {home.folder} lost passages; "
        "delete that folder, and add your files again with: agent kb add"
    )
