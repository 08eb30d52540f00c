"""One marked picture, and the name of what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.errors import ExpertError
from tools.plain_text import plain

SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

COMBINED: Final = "combined"
"""The type of a picture that shows several, after the folders of that name in MVTec AD."""

_SAYS_NOTHING: Final = frozenset(
    {
        "abnormal",
        "anomalies",
        "anomalous",
        "anomaly",
        "bad",
        "defect",
        "defective",
        "defects",
        "ng",
        "other",
        "unknown",
    }
)
_LONGEST_KIND: Final = 60


@dataclass(frozen=True)
class Example:
    """A picture, and where it is damaged: `mask` is a file that is not black there; None is a good part.

    `kind` is the type of the damage in plain words ("bent wire"); None for a good part, and where the layout
    names no type.
    """

    picture: Path
    mask: Path | None = None
    kind: str | None = None


def kind_of(label: str) -> str | None:
    """The type of defect that a folder's name or a label stands for, in plain words.

    >>> kind_of("Bent_Wire"), kind_of("defective")
    ('bent wire', None)

    Raises:
        ExpertError: it is too long for a name.
    """
    words = plain(label.replace("_", " ").replace("-", " ").lower())
    if len(words) > _LONGEST_KIND:
        raise ExpertError(
            f"{words[:_LONGEST_KIND]}... is too long for a type of defect: {_LONGEST_KIND} characters at most"
        )
    return None if not words or words in _SAYS_NOTHING else words
