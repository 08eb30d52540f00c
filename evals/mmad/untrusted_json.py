"""Read a JSON object that nobody vouches for: any size, any nesting, any bytes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from evals.errors import DatasetInvalid
from evals.mmad.lfs import REMEDY, is_pointer
from tools.pixel_modes import printable

LARGEST_BYTES: Final = 1 << 30
"""A larger file is refused unread; MMAD's published one has some tens of millions."""


class _Repeating(dict[str, Any]):
    """A JSON object in which keys stood more than once; the last value of each counts."""

    repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) == len(pairs):
        return held
    marked = _Repeating(held)
    times = Counter(key for key, _ in pairs)
    marked.repeated = tuple(key for key, count in times.items() if count > 1)
    return marked


def repeated_keys(held: dict[str, Any]) -> tuple[str, ...]:
    """Keys that stood more than once in an object that was read by `parsed_object`."""
    return held.repeated if isinstance(held, _Repeating) else ()


def parsed_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; where a key stands twice in any object, the last value counts.

    Raises:
        DatasetInvalid: missing, unreadable, too large, cut off, no UTF-8, no JSON, no object.
    """
    name = printable(str(path))
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise DatasetInvalid(f"{name} has {size / 1e9:.1f} GB; a file of questions has far less")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetInvalid(f"there is no {name}; name the folder that holds {path.name}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DatasetInvalid(f"{name} cannot be read ({why}); check the path and its permissions") from error
    if is_pointer(path):
        raise DatasetInvalid(f"{name} {REMEDY}")
    try:
        entries = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise DatasetInvalid(f"{name} is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise DatasetInvalid(
            f"{name} is not JSON or was cut off ({error.msg}, line {error.lineno}); copy it again"
        ) from error
    except (RecursionError, ValueError) as error:  # nested thousands deep; a number of thousands of digits
        raise DatasetInvalid(f"{name} is not a file of questions ({type(error).__name__})") from error
    if not isinstance(entries, dict):
        raise DatasetInvalid(f"{name} must hold an object of images, not {called(entries)}")
    return entries


def called(value: object) -> str:
    """What JSON calls a value's type."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return next((name for type_, name in names.items() if isinstance(value, type_)), "a number")


def shown(value: object) -> str:
    """A value from the file, short and harmless."""
    if value is None:
        return "missing"
    return repr(printable(value[:80])) if isinstance(value, str) else called(value)
