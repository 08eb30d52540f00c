"""The marked defects of an annotated image in the place of a measurement.

For ablations only: with it, whatever an agent still gets wrong is not the measuring. Each of its readings
says that nothing was measured.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from tools.errors import ExpertError
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.masks import Inside, Mask
from tools.regions import find_regions
from tools.types import Calibration, ExpertReading, MapValues, Measurement, Pixels, UserLimits

TOLD: Final = "Repeats the defects marked in a mask that was given: nothing was measured."
"""The note of each reading."""

_MOST_REGIONS: Final = 10_000

_CALIBRATION: Final = Calibration(
    method="told by a mask of the defects, not measured",
    normals=0,
    centre=0.0,
    spread=1.0,
    uncertain_from=0.5,
    anomalous_from=0.5,
    reliability="high",
    reliability_reason="It repeats the mask that was given.",
)


class GroundTruthExpert:
    """Reads `Scope.truth` instead of the image; see the module."""

    name: Final = "ground-truth"
    version: Final = "1"
    needs_normals: Final = False
    purpose: Final = "repeat the defects marked in the given mask, measuring nothing"
    requirement: Final = "a mask of the image's defects"

    def obstacle(self) -> str | None:
        """None: it needs no package and no weights."""
        return None

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedGroundTruth:  # noqa: ARG002
        """Take the mask; good images teach it nothing. See `tools.experts.base.Expert`.

        Raises:
            ExpertError: the scope holds no mask of defects.
        """
        if scope.truth is None:
            raise ExpertError(f"{self.name} needs the marked defects: give --mask")
        return FittedGroundTruth(scope.truth, scope.roi)

    def restore(self, state: FittedState) -> FittedGroundTruth:
        """Make it again of its state; see `tools.experts.base.Expert`."""
        truth = _mask(state, "truth")
        return FittedGroundTruth(truth, _mask(state, "roi") if "roi" in state.arrays else None)


class FittedGroundTruth:
    """Knows the marked defects of one image, and takes every image for that one.

    Args:
        truth: the defects; what lies outside the region of interest is left out.
        roi: the region of interest; None: everything.
    """

    name: Final = GroundTruthExpert.name
    calibration: Final = _CALIBRATION

    def __init__(self, truth: Mask, roi: Mask | None) -> None:
        self._truth = truth
        self._roi = roi

    def read(self, image: Pixels) -> Measurement:
        """Map 1 on marked pixels and 0 elsewhere; score 1 if any is marked.

        Raises:
            ExpertError: the mask has not the shape of the image.
        """
        started = time.perf_counter()
        height, width = image.shape[:2]
        marked = self._marked(height, width)
        map_values: MapValues = marked.astype(np.float32)
        score = float(map_values.max())
        regions = (
            find_regions(
                map_values, low=0.5, high=0.5, min_area_px=1, limit=_MOST_REGIONS, part_touching=False
            )
            if score
            else ()
        )
        seconds = time.perf_counter() - started
        reading = ExpertReading(
            expert=self.name,
            score=score,
            threshold=self.calibration.anomalous_from,
            position=self.calibration.position(score),
            zone=self.calibration.zone(score),
            calibration=self.calibration,
            regions=regions,
            notes=(TOLD,),
            seconds=seconds,
            timings_s={"regions": seconds},
        )
        return Measurement(reading=reading, map_values=map_values)

    def _marked(self, height: int, width: int) -> Inside:
        """The defects in the frame of an image; a mask of another size must be of the same shape."""
        mask_height, mask_width = self._truth.inside.shape
        scale = max(height / mask_height, width / mask_width)
        # A shape kept while scaling is off by the rounding of one side, as seen in the larger of the two.
        apart = max(abs(scale * mask_height - height), abs(scale * mask_width - width))
        if apart >= max(scale, 1.0):
            raise ExpertError(
                f"the mask of {mask_width}x{mask_height} px is of another shape than the image of "
                f"{width}x{height} px: give the mask of this very image"
            )
        # An empty mask says that the part is good; a region of interest never is.
        marked = self._truth.sized(height, width)
        return marked if self._roi is None else marked & self._roi.sized(height, width)

    def read_batch(self, images: Sequence[Pixels]) -> list[Measurement]:
        """Each image as by `read`."""
        return [self.read(image) for image in images]

    def with_limits(self, limits: UserLimits) -> FittedGroundTruth:  # noqa: ARG002
        """Itself: limits are for what was measured."""
        return self

    def extended(self, normals: Sequence[Pixels]) -> FittedGroundTruth:  # noqa: ARG002
        """Itself: good images teach it nothing."""
        return self

    def state(self) -> FittedState:
        """The masks; see `tools.experts.base.FittedExpert`."""
        arrays = {"truth": self._truth.inside}
        if self._roi is not None:
            arrays["roi"] = self._roi.inside
        return FittedState(arrays, {})


def _mask(state: FittedState, name: str) -> Mask:
    inside = state.arrays[name]
    if inside.dtype != bool or inside.ndim != 2 or 0 in inside.shape:
        raise ValueError(f"{name} must be a mask of shape (height, width), bool")
    return Mask(inside)
