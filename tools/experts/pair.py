"""Compares a query with a good picture of the same view, place by place: the expert for one good part.

The good picture is laid over the query (`registration`), lit like it, and subtracted with care
(`difference`). The score is the highest value of the map, in units of what taking a good part again changes.
What it cannot do: parts that lie in another pose, or surfaces whose texture is new on each part. It says so
(`ViewMismatch`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import ViewMismatch
from tools.experts.calibration import calibrate, perturbations
from tools.experts.difference import deviation_map, relit
from tools.experts.registration import Registration, register
from tools.regions import find_regions
from tools.types import Calibration, ExpertReading, MapValues, Measurement, Pixels, Region

NAME: Final = "pair"

_LEAST_SIDE_PX: Final = 32  # four cells of the local registration
_LARGEST_SIDE_PX: Final = 2048  # larger pictures are measured at this size: time and memory
_ASPECT_TOLERANCE: Final = 0.03
_AGREES_FROM: Final = 0.5
"""Share of structured places that must agree. Same view: 0.9 and up; other boards and products: below 0.4."""

_COPIES: Final = 4  # re-imaged copies of the good picture; two tenths of a second of patience at most
_COPY_SIDE_PX: Final = 320
_SPREAD_FLOOR: Final = 0.75  # deviations; scores of good parts taken again differ by this much
_REGION_LOW: Final = 0.35  # of the limit that a region must reach, its rim may fall to this
_MARGIN_PX: Final = 3


@dataclass(frozen=True)
class _Compared:
    """One picture against one good picture."""

    values: MapValues
    aligned: Pixels
    lit: Pixels
    registration: Registration


class PairExpert:
    """Makes a `FittedPair` from one or more good pictures of one view."""

    name: Final = NAME

    def fit(self, normals: Sequence[Pixels]) -> FittedPair:
        """Keep the good pictures, and learn how far good parts stray from them.

        With several, each is compared with its nearest other. With one, with re-imaged copies of itself.

        Raises:
            ValueError: no image was given.
        """
        if not normals:
            raise ValueError("pair needs at least one good image")
        templates = tuple(normals)
        scores: list[float] = []
        if len(templates) > 1:
            for index, image in enumerate(templates):
                others = templates[:index] + templates[index + 1 :]
                try:
                    scores.append(_score(_compared(image, others[_nearest(image, others)]).values))
                except ViewMismatch:  # a good picture of another view says nothing about this one
                    continue
        if scores:
            method = "each good image against its nearest other, aligned"
        else:
            scores, method = _self_scores(templates[0]), "the good image against re-imaged copies of itself"
        calibration = calibrate(
            scores, method=method, normals=len(templates), floor_spread=_SPREAD_FLOOR, aligned=True
        )
        return FittedPair(templates, calibration)


class FittedPair:
    """Knows the good pictures of one view. Holds nothing that a read changes."""

    name: Final = NAME

    def __init__(self, templates: tuple[Pixels, ...], calibration: Calibration) -> None:
        self._templates = templates
        self._calibration = calibration

    def read(self, image: Pixels) -> Measurement:
        """Measure one image against the nearest good picture.

        Raises:
            ViewMismatch: it does not show the view of the good picture, or is too small to tell.
        """
        start = time.perf_counter()
        template = self._templates[_nearest(image, self._templates)]
        compared = _compared(image, template)
        score = _score(compared.values)
        calibration = self._calibration
        zone = calibration.zone(score)
        regions: tuple[Region, ...] = ()
        if zone != "normal":
            high = calibration.uncertain_from if zone == "uncertain" else calibration.anomalous_from
            regions = find_regions(
                compared.values, low=_REGION_LOW * high, high=high, query=image, reference=compared.lit
            )
        reading = ExpertReading(
            expert=NAME,
            score=score,
            threshold=calibration.anomalous_from,
            position=calibration.position(score),
            zone=zone,
            calibration=calibration,
            regions=regions,
            same_view=True,
            notes=_notes(image, template, compared.registration),
            seconds=time.perf_counter() - start,
        )
        return Measurement(reading, compared.values, compared.aligned)


def _compared(image: Pixels, template: Pixels) -> _Compared:
    height, width = image.shape[:2]
    query = _within_reach(image)
    good = _at_size_of(query, template)
    registration = register(_grey(query), _grey(good))
    _refuse_other_view(registration)
    moved = cv2.remap(
        good, registration.map_x, registration.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = _inside(registration)
    lit = relit(moved, query, inside)
    values = deviation_map(query, lit, inside)
    if query.shape != image.shape:
        values = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
        moved, lit = (
            cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in (moved, lit)
        )
    return _Compared(values, moved, lit, registration)


def _score(values: MapValues) -> float:
    return float(values.max())


def _self_scores(template: Pixels) -> list[float]:
    """Scores of the good picture taken again, on its most structured part where it is large."""
    part = _busiest_part(_within_reach(template))
    scores = []
    for copy in perturbations(part, count=_COPIES):
        try:
            scores.append(_score(_compared(copy, part).values))
        except ViewMismatch:  # nothing to align by, or too small: read will say so
            continue
    return scores or [0.0]


def _busiest_part(image: Pixels) -> Pixels:
    side = _COPY_SIDE_PX
    height, width = image.shape[:2]
    if height * width <= side * side:
        return image
    edges = cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    rows, columns = min(side, height), min(side, width)
    density = cv2.boxFilter(np.abs(edges), -1, (columns, rows), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
    density = density[: height - rows + 1, : width - columns + 1]
    top, left = np.unravel_index(int(density.argmax()), density.shape)
    return np.ascontiguousarray(image[top : top + rows, left : left + columns])


def _nearest(image: Pixels, templates: Sequence[Pixels]) -> int:
    """Index of the template most like the image, from small grey pictures."""
    if len(templates) == 1:
        return 0
    small = [_thumbnail(one) for one in (image, *templates)]
    return int(np.argmax([float((small[0] * one).mean()) for one in small[1:]]))


def _thumbnail(image: Pixels) -> npt.NDArray[np.float32]:
    small = cv2.resize(_grey(image), (48, 48), interpolation=cv2.INTER_AREA)
    small -= cv2.blur(small, (17, 17))
    return small / (np.sqrt(np.mean(small * small)) + 1)


def _within_reach(image: Pixels) -> Pixels:
    scale = _LARGEST_SIDE_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _at_size_of(query: Pixels, template: Pixels) -> Pixels:
    """The template at the size of the query.

    Raises:
        ViewMismatch: a picture is too small, or the shapes differ too much for one view.
    """
    for what, image in (("image", query), ("good image", template)):
        if min(image.shape[:2]) < _LEAST_SIDE_PX:
            raise ViewMismatch(
                f"the {what} has {image.shape[1]}x{image.shape[0]} px; at least {_LEAST_SIDE_PX} a side are "
                "needed to align it: use larger pictures or an expert that does not align"
            )
    (height, width), (rows, columns) = query.shape[:2], template.shape[:2]
    if abs((width / height) / (columns / rows) - 1) > _ASPECT_TOLERANCE:
        raise ViewMismatch(
            f"the image is {width}x{height} px and the good image {columns}x{rows}: other shapes, so not the "
            "same view; crop them alike or use an expert that does not align"
        )
    if (height, width) == (rows, columns):
        return template
    method = cv2.INTER_AREA if rows >= height else cv2.INTER_LINEAR
    return cv2.resize(template, (width, height), interpolation=method)


def _refuse_other_view(registration: Registration) -> None:
    if registration.agreement is not None and registration.agreement < _AGREES_FROM:
        raise ViewMismatch(
            "image and good image do not show the same view: once aligned, "
            f"{registration.agreement:.0%} of their structure agrees and {_AGREES_FROM:.0%} are needed; use a good "
            "image of this view or an expert that does not align"
        )


def _inside(registration: Registration) -> npt.NDArray[np.bool_]:
    """Where the good picture was seen, less a rim that interpolation and blur reach into."""
    height, width = registration.map_x.shape
    x, y = registration.map_x, registration.map_y
    inside: npt.NDArray[np.bool_] = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    if inside.all():
        return inside
    side = 2 * _MARGIN_PX + 1
    shrunk = cv2.erode(
        inside.astype(np.uint8),
        np.ones((side, side), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=1,
    )
    return shrunk.astype(bool)


def _grey(image: Pixels) -> npt.NDArray[np.float32]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _notes(image: Pixels, template: Pixels, registration: Registration) -> tuple[str, ...]:
    notes = []
    if image.shape == template.shape and np.array_equal(image, template):
        notes.append("Image and good image are identical pixels.")
    if max(image.shape[:2]) > _LARGEST_SIDE_PX:
        scale = _LARGEST_SIDE_PX / max(image.shape[:2])
        notes.append(
            f"The image was measured at {scale:.0%} of its size: defects of a few pixels can be missed."
        )
    if registration.agreement is None:
        notes.append("Too little structure to check that both pictures show the same view; taken to be so.")
    if registration.overlap < 0.98:
        notes.append(
            f"{1 - registration.overlap:.0%} of the image lies outside the good image: not measured."
        )
    return tuple(notes)
