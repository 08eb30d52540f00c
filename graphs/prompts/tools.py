"""The arguments of tools, as bounded JSON schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

LONGEST_QUERY: Final = 200

BOX: Final[Mapping[str, Any]] = {
    "type": "array",
    "items": {"type": "integer", "minimum": -1000, "maximum": 100_000},
    "minItems": 4,
    "maxItems": 4,
}
"""A box in the model's own frame."""

QUERY: Final[Mapping[str, Any]] = {"type": "string", "minLength": 1, "maxLength": LONGEST_QUERY}
"""What to look up."""


def schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object with these fields, all of them required."""
    return {
        "type": "object",
        "properties": dict(fields),
        "required": list(fields),
        "additionalProperties": False,
    }
