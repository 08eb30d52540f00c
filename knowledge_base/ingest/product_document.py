"""Tells product documents from other YAML: those have a schema, and are not cut as text."""

from __future__ import annotations

from pathlib import Path

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.characters import text_of
from knowledge_base.ingest.opening import open_listed

_MOST_BYTES = 2_000_000  # a product document is far smaller
_MARK = "schema_version"


def is_product_document(path: Path) -> bool:
    """Whether a file is YAML with `schema_version` among its outermost keys; it may be damaged after that.

    False also for files that cannot be read.
    """
    if path.suffix.lower() not in {".yaml", ".yml"}:
        return False
    try:
        with open_listed(path.resolve()) as file:
            if file.seek(0, 2) > _MOST_BYTES:
                return False
            file.seek(0)
            text, _ = text_of(file)
    except (DocumentInvalid, OSError):
        return False
    return _has_mark(text)


def _has_mark(text: str) -> bool:
    import yaml

    from knowledge_base.ingest.yaml_text import LOADER

    depth, keys = 0, True
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if isinstance(event, yaml.ScalarEvent) and depth == 1 and keys and event.value == _MARK:
                return True
            opens = isinstance(event, yaml.CollectionStartEvent)
            closes = isinstance(event, yaml.CollectionEndEvent)
            if depth == 1 and not closes:
                keys = not keys
            if opens and depth == 0:
                if not isinstance(event, yaml.MappingStartEvent):
                    return False
                keys = True
            depth += opens - closes
    except yaml.YAMLError:
        return False
    return False
