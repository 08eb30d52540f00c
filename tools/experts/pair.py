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
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.experts.calibration import calibrate, perturbations
from tools.experts.comparison import Comparison, compare
from tools.experts.framing import first_of_each
from tools.experts.marking import marked_regions, with_margin
from tools.experts.references import by_likeness, diverse, thumbnail
from tools.masks import Inside, Mask
from tools.types import Calibration, ExpertReading, MapValues, Measurement, Pixels, Region, UserLimits

MOST_PIXELS: Final = 80_000_000
"""Larger pictures are compared at this size, and the reading says so."""

MOST_REFERENCES: Final = 8
"""Good images that set the limits and that a query may be compared with."""

COPIES: Final = 3
"""Re-imaged copies of a good image that its limits are set by."""

CALIBRATION_SIDE_PX: Final = 400
"""Copies are made and compared at this size: scores are relative, and the same at a third of the cost."""

FLOOR_SPREAD: Final = 0.5
"""Smallest believable spread of good parts' scores; copies made by software vary less than real shots."""


class PairExpert:
    """Compares with aligned good images; see the module.

    Args:
        box_margin_px: what boxes leave around a region on every side; None: as an inspector would.
        register: whether a query is aligned with its good image; False shows what aligning is good for. All
            else stays as it is, the limits of aligned pictures among it.
    """

    name: Final = "pair"
    needs_normals: Final = True
    purpose: Final = "compare the image with a good part of the same view, place by place"
    requirement: Final = "a good image of the same view"

    def __init__(self, *, box_margin_px: int | None = None, register: bool = True) -> None:
        if box_margin_px is not None and box_margin_px < 0:
            raise ValueError(f"box_margin_px must not be negative, got {box_margin_px}")
        self._manner = Manner(box_margin_px, register)
        margin = "auto" if box_margin_px is None else box_margin_px
        self.version: Final = f"5 margin {margin}{'' if register else ' unaligned'}"

    def obstacle(self) -> str | None:
        """Nothing: it runs wherever this package does."""
        return None

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedPair:
        """Set the limits from the good images; see `tools.experts.base.Expert`.

        With one image they come from its re-imaged copies, with several also from comparing each with the
        others, as far as these show the same view. Of many, the first and the most diverse are kept.
        """
        if not normals:
            raise ValueError("pair needs at least one good image")
        taught = References(tuple(normals), tuple(range(len(normals))), taught=len(normals))
        return _fitted(taught, scope.roi, self._manner)

    def restore(self, state: FittedState) -> FittedPair:
        """See `tools.experts.base.Expert`."""
        images = tuple(np.asarray(state.arrays[name], np.uint8) for name in state.facts["references"])
        roi = state.arrays.get("roi")
        return FittedPair(
            References(images, tuple(state.facts["indices"]), taught=state.facts["taught"]),
            Calibration.model_validate(state.facts["calibration"]),
            None if roi is None else Mask(roi.astype(bool)),
            manner=self._manner,
        )


@dataclass(frozen=True)
class References:
    """Good images, and which of the `taught` ones they were, by index."""

    images: tuple[Pixels, ...]
    indices: tuple[int, ...]
    taught: int


@dataclass(frozen=True)
class Manner:
    """What of an expert's set-up matters after its fit; see `PairExpert`."""

    box_margin_px: int | None = None
    register: bool = True


class FittedPair:
    """The pair expert with its good images. Immutable, so safe to use from several threads."""

    name: Final = PairExpert.name

    def __init__(
        self,
        references: References,
        calibration: Calibration,
        roi: Mask | None = None,
        limits: UserLimits | None = None,
        *,
        manner: Manner,
    ) -> None:
        self._kept = references
        self._thumbnails = tuple(thumbnail(reference) for reference in references.images)
        self._manner = manner
        self._calibrated = calibration
        self._roi = roi
        self._limits = limits
        self.calibration = calibration.adjusted(limits) if limits else calibration

    def read(self, image: Pixels) -> Measurement:
        """Compare with the good image of the same view that is most like it.

        See `tools.experts.base.FittedExpert`.

        Raises:
            ViewMismatch: no good image shows the same view.
        """
        started = time.perf_counter()
        query = _workable(image)
        references = self._kept.images
        order = by_likeness(query, self._thumbnails) if len(references) > 1 else [0]
        index, comparison = _compare_with_any(
            query, references, order, self._roi, align=self._manner.register
        )
        compared = time.perf_counter()
        score = float(comparison.deviation.max())
        zone = self.calibration.zone(score)
        size_wh = (image.shape[1], image.shape[0])
        map_values, aligned = _resized_map(comparison.deviation, size_wh), comparison.reference
        if aligned.shape != image.shape:
            aligned = cv2.resize(aligned, size_wh, interpolation=cv2.INTER_LINEAR).astype(
                np.uint8, copy=False
            )
        regions: tuple[Region, ...] = ()
        if zone != "normal":
            within = None if self._roi is None else self._roi.sized(*image.shape[:2])
            found = marked_regions(map_values, self.calibration, image, aligned, within)
            regions = tuple(with_margin(region, size_wh, self._manner.box_margin_px) for region in found)
        ended = time.perf_counter()
        reading = ExpertReading(
            expert=self.name,
            score=score,
            threshold=self.calibration.anomalous_from,
            position=self.calibration.position(score),
            zone=zone,
            calibration=self.calibration,
            regions=regions,
            same_view=True,
            notes=_notes(image, query, comparison, aligned=self._manner.register),
            seconds=ended - started,
            timings_s={**comparison.timings_s, "regions": ended - compared},
        )
        return Measurement(reading, map_values, aligned, self._kept.indices[index])

    def read_batch(self, images: Sequence[Pixels]) -> list[Measurement]:
        """One after the other: each uses the cores there are. See `tools.experts.base.FittedExpert`."""
        return [self.read(image) for image in images]

    def with_limits(self, limits: UserLimits) -> FittedPair:
        """See `tools.experts.base.FittedExpert`."""
        return FittedPair(self._kept, self._calibrated, self._roi, limits, manner=self._manner)

    def extended(self, normals: Sequence[Pixels]) -> FittedPair:
        """See `tools.experts.base.FittedExpert`; limits that a user set stay."""
        known, taught = self._kept, self._kept.taught + len(normals)
        both = References(
            (*known.images, *normals), (*known.indices, *range(known.taught, taught)), taught=taught
        )
        grown = _fitted(both, self._roi, self._manner)
        return grown.with_limits(self._limits) if self._limits else grown

    def state(self) -> FittedState:
        """The good images as they are, the region of interest, and the limits."""
        names = [f"reference_{number}" for number in range(len(self._kept.images))]
        arrays = dict(zip(names, self._kept.images, strict=True))
        if self._roi is not None:
            arrays["roi"] = self._roi.inside.astype(np.uint8)
        facts = {
            "references": names,
            "indices": list(self._kept.indices),
            "taught": self._kept.taught,
            "calibration": self._calibrated.model_dump(mode="json"),
        }
        return FittedState(arrays, facts)


def _fitted(given: References, roi: Mask | None, manner: Manner) -> FittedPair:
    """Keep the first of the good images and the most diverse, and set the limits from them."""
    firsts = first_of_each(given.images)
    chosen = [firsts[place] for place in diverse([given.images[place] for place in firsts], MOST_REFERENCES)]
    kept = References(
        tuple(_workable(given.images[place]) for place in chosen),
        tuple(given.indices[place] for place in chosen),
        taught=given.taught,
    )
    return FittedPair(kept, _calibration(kept.images, roi), roi, manner=manner)


def _compare_with_any(
    query: Pixels,
    references: Sequence[Pixels],
    order: Sequence[int],
    roi: Mask | None,
    *,
    align: bool = True,
) -> tuple[int, Comparison]:
    """The first good image in this order that shows the same view, by its index, and the comparison with it.

    Raises:
        ViewMismatch: none shows the same view.
    """
    within: Inside | None = None if roi is None else roi.sized(*query.shape[:2])
    agreements: list[float] = []
    refusal: ViewMismatch | None = None
    for index in order:
        try:
            comparison = compare(query, references[index], within, align=align)
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


def _calibration(references: Sequence[Pixels], roi: Mask | None) -> Calibration:
    """Limits from re-imaged copies of the first good image, and from the good images against each other."""
    small = [_within(reference, CALIBRATION_SIDE_PX) for reference in references]
    scores = [_score(copy, small[:1], roi) or 0.0 for copy in perturbations(small[0], count=COPIES)]
    method = "re-imaged copies of the good image"
    crossed = [
        _score(image, [*small[:number], *small[number + 1 :]], roi) for number, image in enumerate(small)
    ]
    if shown := [score for score in crossed if score is not None]:
        scores += shown
        method += ", and good images against each other"
    return calibrate(
        scores, method=method, normals=max(1, len(shown)), floor_spread=FLOOR_SPREAD, aligned=True
    )


def _score(image: Pixels, references: Sequence[Pixels], roi: Mask | None) -> float | None:
    """Score of one good image against others; None where none shows the same view."""
    order = by_likeness(image, [thumbnail(reference) for reference in references])
    try:
        return float(_compare_with_any(image, references, order, roi)[1].deviation.max()) if order else None
    except ViewMismatch:
        return None


def _resized_map(values: MapValues, size_wh: tuple[int, int]) -> MapValues:
    if values.shape == size_wh[::-1]:
        return values
    return np.asarray(cv2.resize(values, size_wh, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _workable(image: Pixels) -> Pixels:
    """The image, reduced if it is larger than is compared."""
    pixels = image.shape[0] * image.shape[1]
    return _within(image, max(image.shape[:2]) * min(1.0, MOST_PIXELS / pixels) ** 0.5)


def _within(image: Pixels, long_side_px: float) -> Pixels:
    scale = long_side_px / max(image.shape[:2])
    if scale >= 1:
        return image
    size_wh = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _notes(image: Pixels, query: Pixels, comparison: Comparison, *, aligned: bool) -> tuple[str, ...]:
    notes = []
    if query.shape != image.shape:
        size = f"{query.shape[1]}x{query.shape[0]}"
        notes.append(f"The image was compared at {size} px: finer defects may not show.")
    if comparison.covered < 0.97:
        missing = f"{100 * (1 - comparison.covered):.0f} %"
        notes.append(f"{missing} of the image lies outside the template and was not compared.")
    if not aligned:
        notes.append(
            "Registration is off: the template was compared as it lies, with the limits of aligned pictures, "
            "and whether both show the same view was not asked."
        )
    elif comparison.agreement is None:
        notes.append(
            "There is too little structure to tell whether both show the same view; it is taken as so."
        )
    if comparison.identical:
        notes.append("Query and template are the same picture, so that no difference can show.")
    return tuple(notes)
