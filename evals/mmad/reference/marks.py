"""The expert's picture as MMAD's published code draws it from an anomaly map; pure and deterministic.

Behaviour of `evaluation/examples/SoftPatch/call.py` and `AnomalyCLIP/test_one_example.py` in
https://github.com/jam-cc/MMAD: the picture's longest side is at most 512 pixels; the map is divided by its
own maximum, so that something is marked on good parts, too. Unlike `tools.overlay`, which draws what was
found, this is only for numbers that stand beside the published ones. Experts differ in what is done first:

    patchcore      map / maximum, after all outside a GrabCut foreground was set to 0
    anomalyclip    (map - minimum) / (maximum - minimum), reduced without smoothing
    ground-truth   the marked defects themselves, up to 3 boxes; a good part is shown as it is, unmarked
    any other      map / maximum (not in the published code)

Nor are there a `mask` of a map (here the areas kept by the threshold, in the published colours of a mask) and
a `heatmap` of the truth (here that same mask).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tools.types import MapValues, Notation, Pixels

GROUND_TRUTH: Final = "ground-truth"
PATCHCORE: Final = "patchcore"
ANOMALYCLIP: Final = "anomalyclip"

LONGEST_PX: Final = 512
THRESHOLD: Final = 1 - 1 / 3
"""Of the map's maximum."""

MOST_MARKED: Final = 0.5
"""Of the picture; where more lies above the threshold, the median becomes the threshold."""

LEAST_AREA: Final = 0.001
LEAST_FOREGROUND: Final = 0.05
"""Of the picture; a smaller foreground counts as a failed segmentation."""

MOST_BOXES: Final = 2
MOST_TRUE_BOXES: Final = 3

_RED = (255, 0, 0)
_LINE_PX = 2
_HIGHLIGHT = 0.7
_TRUE_HIGHLIGHT = 0.4
_GRABCUT_ROUNDS = 5
_GRABCUT_LEAST_PX = 16
_Mask: TypeAlias = npt.NDArray[np.uint8]
_Contours: TypeAlias = Sequence[npt.NDArray[np.int32]]
_Box: TypeAlias = tuple[int, int, int, int]


def drawn(pixels: Pixels, map_values: MapValues, notation: Notation, expert: str) -> Pixels:
    """The expert's picture.

    Args:
        pixels: the query, RGB uint8 (height, width, 3).
        map_values: a finite score a pixel (height, width); for `ground-truth` above 0 where a defect is.
        notation: how it is marked.
        expert: who measured; see the module.

    Returns:
        RGB uint8, longest side at most 512 pixels; a good part under `ground-truth` keeps its size.

    Raises:
        ValueError: the map is not of the picture's size, or holds what is no number.
    """
    if map_values.shape != pixels.shape[:2] or not np.isfinite(map_values).all():
        raise ValueError(
            f"expected one finite score a pixel of {pixels.shape[:2]}, got a map of {map_values.shape}"
        )
    if expert == GROUND_TRUTH:
        return _drawn_truth(pixels, map_values > 0, notation)
    picture = _reduced(pixels)
    heat = _normalised(picture, map_values, expert)
    match notation:
        case "heatmap":
            return _viridis(heat)
        case "highlight":
            return _blended(picture, _viridis(heat))
    contours = marked_contours(heat)
    match notation:
        case "mask":
            return _viridis(_filled(contours, heat.shape))
        case "contour":
            return _outlined(picture, contours)
        case "bbox":
            return _boxed(picture, merged([_box(contour) for contour in contours], MOST_BOXES))


def marked_contours(heat: MapValues) -> list[npt.NDArray[np.int32]]:
    """Outlines of the areas over 2/3 of a map's maximum, or over its median where those are more than half.

    Args:
        heat: float32 (height, width), at least 0.

    Returns:
        Those of more than 0.1 % of the picture, as `cv2.findContours` orders them.
    """
    binary = _above(heat, float(heat.max()) * THRESHOLD)
    if np.count_nonzero(binary) / binary.size > MOST_MARKED:
        binary = _above(heat, float(np.sort(heat, axis=None)[int(0.5 * heat.size)]))
    return [c for c in _contours(binary) if cv2.contourArea(c) > LEAST_AREA * heat.size]


def merged(boxes: Sequence[_Box], most: int) -> list[_Box]:
    """Boxes (x, y, width, height), the two with the nearest centres made one until `most` are left."""
    left = list(boxes)
    while len(left) > most:
        centres = np.array([(x + w / 2, y + h / 2) for x, y, w, h in left])
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        apart[np.tril_indices(len(left))] = np.inf
        first, second = divmod(int(apart.argmin()), len(left))
        both = left[first], left[second]
        x0, y0 = min(x for x, *_ in both), min(y for _, y, *_ in both)
        x1, y1 = max(x + w for x, _, w, _ in both), max(y + h for _, y, _, h in both)
        left = [box for place, box in enumerate(left) if place not in (first, second)]
        left.append((x0, y0, x1 - x0, y1 - y0))
    return left


def foreground(picture: Pixels) -> npt.NDArray[np.bool_]:
    """What GrabCut, started from all but a rim of 1 %, does not call probable background (height, width).

    The rim itself counts as foreground, as it does there. All of it, where the foreground is under 5 %, or
    the picture is too small to be cut.
    """
    height, width = picture.shape[:2]
    everything = np.ones((height, width), bool)
    if min(height, width) < _GRABCUT_LEAST_PX:
        return everything
    labels = np.zeros((height, width), np.uint8)
    rim = (int(width * 0.01), int(height * 0.01), int(width * 0.98), int(height * 0.98))
    cv2.setRNGSeed(0)  # GrabCut clusters colours from random starts; the published code does not seed it
    cv2.grabCut(
        np.ascontiguousarray(picture),
        labels,
        rim,
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        _GRABCUT_ROUNDS,
        cv2.GC_INIT_WITH_RECT,
    )
    kept: npt.NDArray[np.bool_] = labels != cv2.GC_PR_BGD
    return kept if np.count_nonzero(kept) >= LEAST_FOREGROUND * kept.size else everything


def _drawn_truth(pixels: Pixels, marked: npt.NDArray[np.bool_], notation: Notation) -> Pixels:
    if not marked.any():
        return pixels
    picture = _reduced(pixels)
    size = (picture.shape[1], picture.shape[0])
    mask = np.asarray(cv2.resize(marked.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)
    match notation:
        case "mask" | "heatmap":
            return _viridis(mask.astype(np.float32))
        case "highlight":
            colours = _viridis(mask.astype(np.float32))
            return np.asarray(
                cv2.addWeighted(picture, 1 - _TRUE_HIGHLIGHT, colours, _TRUE_HIGHLIGHT, 0), np.uint8
            )
        case "contour":
            return _outlined(picture, _contours(mask))
        case "bbox":
            return _boxed(picture, merged([_box(contour) for contour in _contours(mask)], MOST_TRUE_BOXES))


def _reduced(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    if max(height, width) <= LONGEST_PX:
        return pixels
    scale = LONGEST_PX / max(height, width)
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size))


def _normalised(picture: Pixels, map_values: MapValues, expert: str) -> MapValues:
    """The map at the picture's size, between 0 and 1; all 0 where nothing stands out."""
    size = (picture.shape[1], picture.shape[0])
    if expert == ANOMALYCLIP:
        stretched = _over_its_maximum(map_values - map_values.min())
        return np.asarray(cv2.resize(stretched, size, interpolation=cv2.INTER_NEAREST), np.float32)
    heat = np.asarray(cv2.resize(map_values, size, interpolation=cv2.INTER_LINEAR), np.float32)
    if expert == PATCHCORE:
        heat = np.where(foreground(picture), heat, np.float32(0))
    return _over_its_maximum(heat)


def _over_its_maximum(heat: MapValues) -> MapValues:
    highest = float(heat.max())
    if highest <= 0:
        return np.zeros_like(heat, np.float32)
    return np.asarray(np.maximum(heat, 0) / highest, np.float32)


def _above(heat: MapValues, threshold: float) -> _Mask:
    return (heat > threshold).astype(np.uint8)


def _contours(mask: _Mask) -> _Contours:
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(contour, np.int32) for contour in found]


def _box(contour: npt.NDArray[np.int32]) -> _Box:
    x, y, width, height = cv2.boundingRect(contour)
    return x, y, width, height


def _filled(contours: _Contours, shape: tuple[int, ...]) -> MapValues:
    canvas = np.zeros(shape, np.float32)
    cv2.drawContours(canvas, contours, -1, 1.0, cv2.FILLED)
    return canvas


def _outlined(picture: Pixels, contours: _Contours) -> Pixels:
    canvas = picture.copy()
    cv2.drawContours(canvas, contours, -1, _RED, _LINE_PX)
    return canvas


def _boxed(picture: Pixels, boxes: Sequence[_Box]) -> Pixels:
    canvas = picture.copy()
    for x, y, width, height in boxes:
        cv2.rectangle(canvas, (x, y), (x + width, y + height), _RED, _LINE_PX)
    return canvas


def _viridis(heat: MapValues) -> Pixels:
    """Values between 0 and 1 in matplotlib's viridis, in its 256 steps."""
    steps = np.minimum(heat * 256, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(steps, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB))


def _blended(picture: Pixels, colours: Pixels) -> Pixels:
    """Colours over the picture at an opacity of 0.7, after they were darkened by as much: twice, as there."""
    blank = Image.new("RGBA", (picture.shape[1], picture.shape[0]))
    veil = Image.blend(blank, Image.fromarray(colours).convert("RGBA"), _HIGHLIGHT)
    whole = Image.alpha_composite(Image.fromarray(picture).convert("RGBA"), veil)
    return np.asarray(whole.convert("RGB"))
