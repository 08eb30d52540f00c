"""Both pictures read so that each is looked at wherever the other has text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.geometry import pad_box
from tools.print.comparing import SURE
from tools.print.forms import folded
from tools.print.places import same_place
from tools.print.reading import ReadLine, read_at, read_lines
from tools.types import Box, Pixels

_BLANK = 0.25
"""Share of the contrast of the other picture's print under which a place is blank."""

_BARELY = 8.0  # grey levels that grain and compression make anywhere
_MARGIN = 0.05
_WIDER = 0.02


def read_pair(
    query: Pixels, template: Pixels, roi_box: Box | None = None
) -> tuple[tuple[ReadLine, ...], tuple[ReadLine, ...]]:
    """Lines of a part and of the good part laid onto it, each read also where only the other has text.

    A place where something stands that cannot be read becomes a line with the text "" and confidence 0: it is
    neither missing nor known to be right. Where there is no line, the place is blank.

    Args:
        query: the part.
        template: the good part in the query's frame, of the same size.
        roi_box: only what lies in this box; None: all of it.

    Raises:
        PrintReaderUnavailable: the reader's package or weights are missing.
        ValueError: the pictures are not of one size.
    """
    if query.shape != template.shape:
        raise ValueError(f"pictures must be of one size, got {query.shape} and {template.shape}")
    found, expected = read_lines(query, roi_box), read_lines(template, roi_box)
    return (
        (*found, *_looked_up(query, found, template, expected)),
        (*expected, *_looked_up(template, expected, query, found)),
    )


def read_twice(picture: Pixels, line: ReadLine) -> bool:
    """Whether a second look at a line's place, cut out anew and wider, reads the same as surely.

    A reader's slips (a doubled character that it saw once, say) seldom repeat on another cut.
    """
    height, width = picture.shape[:2]
    again = read_at(picture, pad_box(line.box, _WIDER, 1, width, height))
    return again is not None and again.confidence >= SURE and folded(again.text) == folded(line.text)


def _looked_up(
    picture: Pixels, lines: Sequence[ReadLine], other: Pixels, of_other: Sequence[ReadLine]
) -> list[ReadLine]:
    """What a picture says at those places where the other has a line and it has none."""
    found = []
    height, width = picture.shape[:2]
    for line in of_other:
        if any(same_place(line.box, own.box) for own in lines):
            continue
        read = read_at(picture, pad_box(line.box, _MARGIN, 1, width, height))
        if read is not None:
            found.append(read.model_copy(update={"box": line.box}))
        elif _contrast(picture, line.box) > max(_BARELY, _BLANK * _contrast(other, line.box)):
            found.append(ReadLine(text="", box=line.box, confidence=0.0))
    return found


def _contrast(picture: Pixels, box: Box) -> float:
    """Span of grey levels at a place, without the rarest two hundredths on either side."""
    place = picture[box.y0 : box.y1, box.x0 : box.x1].mean(axis=2)
    low, high = np.percentile(place, (2, 98))
    return float(high - low)
