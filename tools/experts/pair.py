"""The pair expert: a query against a good part of the same view, place by place.

The good part is registered onto the query, put into its light, and compared; the score is the strongest
deviation, in deviations to be expected of a good part taken again. It sees a right thing in a wrong place and
a missing thing, which patch memories cannot. It cannot judge parts whose good copies differ from each other,
and refuses views that do not agree (`ViewMismatch`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from tools.errors import ViewMismatch
from tools.experts.base import EVERYTHING, Scope
from tools.experts.calibration import calibrate, perturbations
from tools.experts.difference import deviation_map
from tools.experts.framing import distinct
from tools.experts.lighting import in_light_of
from tools.experts.registration import register, same_size
from tools.geometry import clip_box
from tools.regions import find_regions
from tools.types import Box, Calibration, ExpertReading, MapValues, Measurement, Pixels, Region

LARGEST_SIDE_PX: Final = 1600
"""Larger pictures are compared at this size, and the reading says so."""

MOST_REFERENCES: Final = 8
"""Good images that set the limits and are tried for a query; the first of a list are the best."""

COPIES: Final = 3
"""Re-imaged copies of a good image that its limits are set by."""

CALIBRATION_SIDE_PX: Final = 400
"""Copies are made and compared at this size: scores are relative, and the same at a third of the cost."""

FLOOR_SPREAD: Final = 0.6
"""Smallest believable spread of good parts' scores; copies made by software vary less than real shots."""

SAME_VIEW_AGREEMENT: Final = 0.9
"""Share of structured places from which on two pictures show the same view, whatever differs."""

LEAST_AGREEMENT: Final = 0.5
"""Under it they do not; between the two, only if little of the picture deviates: boards of one panel share
much of their structure, and so does a board turned upside down."""

DEVIATES_FROM: Final = 2.5
MOST_DEVIATING: Final = 0.015
"""Share of the picture that may deviate from this score on where structure agrees only half-way."""

WEAKEST_REGION: Final = 0.15
"""A region is named from this share of the strongest on: fainter ones beside it are the pair's own misfit."""

_RIM: Final = 0.3
"""A region reaches out to this share of the deviation that names it."""

_RIM_FROM: Final = 2.5
"""Below this many expected deviations a rim is the grain and noise of good places, not of the defect."""

_BRIDGE_PX: Final = 9
"""Deviations closer together than this are one region: the two edges of one scratch, say."""

_BOX_MARGIN_PX: Final = 7
"""Boxes leave the margin that an inspector leaves."""


class PairExpert:
    """Compares with aligned good images; see the module."""

    name: Final = "pair"

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedPair:  # noqa: ARG002
        """Set the limits from the good images; see `tools.experts.base.Expert`.

        With one image they come from its re-imaged copies, with several also from comparing each with the
        others, as far as these show the same view.
        """
        if not normals:
            raise ValueError("pair needs at least one good image")
        references = [_workable(image) for image in normals[:MOST_REFERENCES]]
        return FittedPair(references, _calibration(distinct(references)))


class FittedPair:
    """The pair expert with its good images. Immutable, so safe to use from several threads."""

    name: Final = PairExpert.name

    def __init__(self, references: Sequence[Pixels], calibration: Calibration) -> None:
        self._references = tuple(references)
        self.calibration = calibration

    def read(self, image: Pixels) -> Measurement:
        """Compare with the first good image of the same view; see `tools.experts.base.FittedExpert`.

        Raises:
            ViewMismatch: no good image shows the same view.
        """
        started = time.perf_counter()
        query = _workable(image)
        index, comparison = _compare_with_any(query, self._references)
        score = float(comparison.deviation.max())
        zone = self.calibration.zone(score)
        size_wh = (image.shape[1], image.shape[0])
        map_values = _resized_map(comparison.deviation, size_wh)
        lit = cv2.resize(comparison.reference, size_wh, interpolation=cv2.INTER_LINEAR)
        aligned: Pixels = np.rint(lit).astype(np.uint8)
        regions: tuple[Region, ...] = ()
        if zone != "normal":
            regions = _regions(map_values, self.calibration, image, aligned)
        reading = ExpertReading(
            expert=self.name,
            score=score,
            threshold=self.calibration.anomalous_from,
            position=self.calibration.position(score),
            zone=zone,
            calibration=self.calibration,
            regions=regions,
            same_view=True,
            notes=_notes(image, query, comparison),
            seconds=time.perf_counter() - started,
        )
        return Measurement(reading, map_values, aligned, index)


@dataclass(frozen=True)
class _Comparison:
    """A query beside one good image: deviations, and the good image in the query's frame and light."""

    deviation: MapValues
    reference: MapValues
    agreement: float | None
    covered: float
    identical: bool

    @property
    def same_view(self) -> bool:
        """Whether both show the same view, as far as their structure tells."""
        if self.agreement is None or self.agreement >= SAME_VIEW_AGREEMENT:
            return True
        deviating = float(np.mean(self.deviation > DEVIATES_FROM))
        return self.agreement >= LEAST_AGREEMENT and deviating <= MOST_DEVIATING


def _compare(query: Pixels, reference: Pixels) -> _Comparison:
    """Register, match the light, and measure what still differs.

    Raises:
        ViewMismatch: the pictures cannot be aligned at all.
    """
    reference = same_size(query, reference)
    registration = register(query, reference)
    lit = in_light_of(query, registration.warp(reference), registration.inside)
    deviation = deviation_map(query, lit, registration.inside)
    return _Comparison(
        deviation,
        lit,
        registration.agreement,
        covered=float(registration.inside.mean()),
        identical=np.array_equal(query, reference),
    )


def _compare_with_any(query: Pixels, references: Sequence[Pixels]) -> tuple[int, _Comparison]:
    """The first good image of the same view, by its index, and the comparison with it.

    Raises:
        ViewMismatch: none shows the same view.
    """
    agreements: list[float] = []
    refusal: ViewMismatch | None = None
    for index, reference in enumerate(references):
        try:
            comparison = _compare(query, reference)
        except ViewMismatch as error:
            refusal = refusal or error
            continue
        if comparison.same_view:
            return index, comparison
        agreements.append(comparison.agreement or 0.0)
    if refusal is not None and not agreements:
        raise refusal
    raise ViewMismatch(
        f"query and template do not show the same view ({max(agreements):.0%} of their structure agrees); "
        "give a template taken from the same place"
    )


def _calibration(references: Sequence[Pixels]) -> Calibration:
    """Limits from re-imaged copies of the first good image, and from the good images against each other."""
    first = references[0]
    small = _within(first, CALIBRATION_SIDE_PX)
    scores = [_self_score(copy, small) for copy in perturbations(small, count=COPIES)]
    method = "re-imaged copies of the good image"
    crossed = [_cross_score(index, references) for index in range(len(references))]
    if shown := [score for score in crossed if score is not None]:
        scores += shown
        method += ", and good images against each other"
    return calibrate(
        scores, method=method, normals=max(1, len(shown)), floor_spread=FLOOR_SPREAD, aligned=True
    )


def _self_score(copy: Pixels, reference: Pixels) -> float:
    try:
        return float(_compare(copy, reference).deviation.max())
    except ViewMismatch:
        return 0.0  # too small to be aligned: `read` will say so, and the floor sets the limits


def _cross_score(index: int, references: Sequence[Pixels]) -> float | None:
    """Score of one good image against the others; None where none shows the same view."""
    others = [reference for other, reference in enumerate(references) if other != index]
    try:
        return float(_compare_with_any(references[index], others)[1].deviation.max()) if others else None
    except ViewMismatch:
        return None


def _regions(
    map_values: MapValues, calibration: Calibration, image: Pixels, aligned: Pixels
) -> tuple[Region, ...]:
    """Regions with the margin that an inspector leaves around a defect."""
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_BRIDGE_PX, _BRIDGE_PX))
    bridged = np.asarray(cv2.morphologyEx(map_values, cv2.MORPH_CLOSE, bridge), dtype=np.float32)
    peak = float(bridged.max())
    high = min(max(calibration.uncertain_from, 2 * _RIM_FROM, WEAKEST_REGION * peak), peak)
    found = find_regions(
        bridged, low=min(max(_RIM * high, _RIM_FROM), high), high=high, query=image, reference=aligned
    )
    height, width = image.shape[:2]
    return tuple(
        region.model_copy(update={"box": _with_margin(region.box, width, height)}) for region in found
    )


def _resized_map(values: MapValues, size_wh: tuple[int, int]) -> MapValues:
    return np.asarray(cv2.resize(values, size_wh, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _with_margin(box: Box, width: int, height: int) -> Box:
    margin = _BOX_MARGIN_PX
    return clip_box(box.x0 - margin, box.y0 - margin, box.x1 + margin, box.y1 + margin, width, height) or box


def _workable(image: Pixels) -> Pixels:
    """The image, reduced if it is larger than can be compared at once."""
    return _within(image, LARGEST_SIDE_PX)


def _within(image: Pixels, long_side_px: int) -> Pixels:
    scale = long_side_px / max(image.shape[:2])
    if scale >= 1:
        return image
    size_wh = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _notes(image: Pixels, query: Pixels, comparison: _Comparison) -> tuple[str, ...]:
    notes = []
    if query.shape != image.shape:
        size = f"{query.shape[1]}x{query.shape[0]}"
        notes.append(f"The image was compared at {size} px: finer defects may not show.")
    if comparison.covered < 0.97:
        missing = f"{100 * (1 - comparison.covered):.0f} %"
        notes.append(f"{missing} of the image lies outside the template and was not compared.")
    if comparison.agreement is None:
        notes.append(
            "There is too little structure to tell whether both show the same view; it is taken as so."
        )
    if comparison.identical:
        notes.append("Query and template are the same picture, so that no difference can show.")
    return tuple(notes)
