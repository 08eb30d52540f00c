"""Lines of text off a picture, small, long and turned ones too."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from pydantic import Field

from tools.geometry import clip_box
from tools.image import content_hash
from tools.print.engine import SHORTEST_SIDE_PX, Quad, Reading, detect, recognise
from tools.print.forms import only_rings
from tools.print.tiles import TILE_PX, merged, scale_for, tiles_of
from tools.types import Box, Pixels, UnitFloat, Value

MOST_LINES: Final = 120
"""Lines read off one picture, tallest first; reading one takes about 30 ms on two cores."""

LONGEST_LINE: Final = 300
"""Characters of one line that are kept."""

FAINT: Final = 64
"""Grey levels between ink and ground under which a line is stretched before it is read."""

_CUT_PX = 48  # height in which the recogniser reads
_WIDEST_CUT = 3600
_RIM_PX = 16
_FIRM = 0.95  # a line read so surely is not tried in another turn
_SMALLEST_SIDE = 4
_USUAL = 0.1  # by how much less sure a line may be of the turn that the others have
_LEGIBLE = 0.5

_KEPT_PICTURES = 64
_kept: OrderedDict[tuple[str, tuple[int, int, int, int] | None], tuple[ReadLine, ...]] = OrderedDict()
_kept_lock = threading.Lock()


class ReadLine(Value):
    """A line of text as it was read; data, whatever it says.

    `box` is upright around the line, in pixels of the picture. `confidence` is the mean over the characters,
    and `characters` how sure the reader is of each of them. Text that is there and cannot be read is "".
    """

    text: str
    box: Box
    confidence: UnitFloat
    characters: tuple[UnitFloat, ...] = Field(default=())


def read_lines(pixels: Pixels, roi_box: Box | None = None) -> tuple[ReadLine, ...]:
    """Every line of text that can be read off a picture, from top to bottom and left to right.

    Text may be turned by 0, 90, 180 or 270 degrees and tilted a little. Small pictures are enlarged, large
    ones searched in tiles and, over twelve tiles, made smaller first (`reading_scale`). The results for the
    64 last pictures are kept. Lines of nothing but O and 0 are left out, since that is how holes, bolts and
    tablets in a row read. Safe to call from several threads; one engine serves them all in turn.

    Args:
        pixels: the picture.
        roi_box: only what lies in this box; it may reach over the picture's edge. None: all of it.

    Raises:
        PrintReaderUnavailable: the reader's package or weights are missing.
        ValueError: `pixels` is not RGB of uint8.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be (height, width, 3) of uint8, got {pixels.shape} of {pixels.dtype}")
    key = (content_hash(pixels), roi_box.xyxy if roi_box else None)
    with _kept_lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    lines = _read(pixels, roi_box)
    with _kept_lock:
        _kept[key] = lines
        while len(_kept) > _KEPT_PICTURES:
            _kept.popitem(last=False)
    return lines


def reading_scale(pixels: Pixels, roi_box: Box | None = None) -> float:
    """Scale at which `read_lines` searches this picture; below 1 small print may have been lost."""
    cut = _inside(pixels, roi_box)
    return scale_for(cut.shape[1], cut.shape[0]) if cut.size else 1.0


def read_at(pixels: Pixels, box: Box) -> ReadLine | None:
    """What stands at one place, though no text was found there; None where nothing legible does."""
    x0, y0, x1, y1 = box.xyxy
    quad = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    (found,) = _in_best_turn(pixels, [quad])
    legible = not only_rings(found.text) and found.confidence >= _LEGIBLE
    return _line(found, quad, pixels) if legible else None


def _read(pixels: Pixels, roi_box: Box | None) -> tuple[ReadLine, ...]:
    part = _inside(pixels, roi_box)
    if min(part.shape[:2]) < _SMALLEST_SIDE:
        return ()
    offset = np.array([roi_box.x0, roi_box.y0] if roi_box else [0, 0], np.float32)
    quads = [quad for quad in _search(part) if _thickness(quad) >= _SMALLEST_SIDE]
    quads = sorted(quads, key=_thickness, reverse=True)[:MOST_LINES]
    found = zip(_in_best_turn(part, quads), quads, strict=True)
    lines = [_line(reading, quad + offset, pixels) for reading, quad in found if not only_rings(reading.text)]
    return tuple(sorted(lines, key=lambda line: (line.box.y0, line.box.x0)))


def _inside(pixels: Pixels, roi_box: Box | None) -> Pixels:
    return pixels if roi_box is None else pixels[roi_box.y0 : roi_box.y1, roi_box.x0 : roi_box.x1]


def _search(pixels: Pixels) -> list[Quad]:
    """Where lines are, in pixels of the picture as it was given."""
    height, width = pixels.shape[:2]
    scale = scale_for(width, height)
    scaled = _resized(pixels, scale)
    in_tiles, fragments, whole = list[Quad](), list[Quad](), list[Quad]()
    tiles = list(tiles_of(scaled.shape[1], scaled.shape[0]))
    for tile in tiles:
        corner = np.array([tile.x0, tile.y0], np.float32)
        for quad in _detect(scaled[tile.y0 : tile.y1, tile.x0 : tile.x1]):
            (fragments if tile.cuts(quad) else in_tiles).append((quad + corner) / scale)
    if len(tiles) > 1:
        small = TILE_PX / max(height, width)
        whole = [quad / small for quad in _detect(_resized(pixels, small))]
    return merged(whole, in_tiles, fragments)


def _detect(pixels: Pixels) -> list[Quad]:
    """Lines of a piece, which is given a rim: the detector enlarges narrow pieces beyond measure."""
    height, width = pixels.shape[:2]
    right, bottom = (_RIM_PX + max(0, SHORTEST_SIDE_PX - side) for side in (width, height))
    rimmed = cv2.copyMakeBorder(pixels, _RIM_PX, bottom, _RIM_PX, right, cv2.BORDER_REPLICATE)
    limits = np.array([width, height], np.float32)
    return [np.clip(quad - _RIM_PX, 0, limits) for quad in detect(np.asarray(rimmed, np.uint8))]


def _resized(pixels: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (max(_SMALLEST_SIDE, round(width * scale)), max(_SMALLEST_SIDE, round(height * scale)))
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)


def _in_best_turn(pixels: Pixels, quads: Sequence[Quad]) -> list[Reading]:
    """Each line as it reads best; what reads well both ways up is turned as the others are."""
    cuts = [_cut(pixels, quad) for quad in quads]
    read = [_tried(cut, _turns(quad)) for cut, quad in zip(cuts, quads, strict=True)]
    best = [max(tried, key=lambda turn: tried[turn].confidence) for tried in read]
    for upright, turned in ((0, 2), (1, 3)):
        if turned not in best:
            continue
        row = [n for n, turn in enumerate(best) if turn in {upright, turned}]
        letters = {
            turn: sum(len(read[n][turn].text) for n in row if best[n] == turn) for turn in (0, 1, 2, 3)
        }
        usual, other = (turned, upright) if letters[turned] > letters[upright] else (upright, turned)
        for n in row:
            read[n] = _tried(cuts[n], (usual, other)) if usual not in read[n] else read[n]
            if other not in read[n] or read[n][usual].confidence + _USUAL >= read[n][other].confidence:
                best[n] = usual
    return [tried[turn] for tried, turn in zip(read, best, strict=True)]


def _tried(cut: Pixels, turns: Sequence[int]) -> dict[int, Reading]:
    """Readings of a cut by turn: of the first, and of all if that is not firm."""
    first = _recognised(cut, turns[0])
    if first.confidence >= _FIRM:
        return {turns[0]: first}
    return {turns[0]: first} | {turn: _recognised(cut, turn) for turn in turns[1:]}


def _turns(quad: Quad) -> tuple[int, ...]:
    """Quarter turns to try on a cut, the likeliest first; 2 and 3 are 0 and 1 upside down."""
    width, height = _sides(quad)
    if height >= 1.5 * width:
        return (1, 3)
    return (0, 2) if width >= 1.5 * height else (0, 1, 2, 3)


def _recognised(cut: Pixels, turn: int) -> Reading:
    turned = np.rot90(cut, turn)
    height, width = turned.shape[:2]
    wide = min(_WIDEST_CUT, max(_SMALLEST_SIDE, round(width * _CUT_PX / height)))
    method = cv2.INTER_CUBIC if height < _CUT_PX else cv2.INTER_AREA
    resized = cv2.resize(np.ascontiguousarray(turned), (wide, _CUT_PX), interpolation=method)
    reading = recognise(_stretched(np.asarray(resized, np.uint8)))
    return Reading(reading.text[:LONGEST_LINE], reading.characters[:LONGEST_LINE])


def _stretched(cut: Pixels) -> Pixels:
    """A faint line with its grey levels drawn apart; others as they are."""
    dark, light = np.percentile(cut, (1, 99), axis=(0, 1))
    contrast = float((light - dark).max())
    if not 4 <= contrast < FAINT:
        return cut
    return np.asarray(np.clip((cut - dark) * (255 / contrast), 0, 255), np.uint8)


def _cut(pixels: Pixels, quad: Quad) -> Pixels:
    """What lies in a quad, made upright."""
    width, height = (max(_SMALLEST_SIDE, round(side)) for side in _sides(quad))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turned = cv2.getPerspectiveTransform(quad, target)
    made = cv2.warpPerspective(
        pixels, turned, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(made, np.uint8)


def _sides(quad: Quad) -> tuple[float, float]:
    """Width and height of a quad: the longer of each pair of sides."""
    width = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]))
    height = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))
    return float(width), float(height)


def _thickness(quad: Quad) -> float:
    return min(_sides(quad))


def _line(reading: Reading, quad: Quad, pixels: Pixels) -> ReadLine:
    (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
    box = clip_box(float(x0), float(y0), float(x1), float(y1), pixels.shape[1], pixels.shape[0])
    assert box is not None  # noqa: S101 - the reader's boxes lie in the picture
    return ReadLine(text=reading.text, box=box, confidence=reading.confidence, characters=reading.characters)
