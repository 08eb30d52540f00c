"""The map that AnomalyGPT hears, as an expert: where a part is unlike good ones, or like words for damage.

AnomalyGPT itself asks for no limits: it says yes or no. They are for people, who see where it heard what, and
for whoever judges by the map instead. Without a good image a place counts from 0.5 on, where words for damage
fit it better than words for a good part. With good images the limits lie where the maps of good images peak:
each is held against the others, or re-imaged copies of the only one against it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from tools.experts.aspects import grown_regions
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.experts.calibration import calibrate, perturbations
from tools.image import content_hash
from tools.masks import Mask
from tools.types import Calibration, ExpertReading, MapValues, Measurement, Pixels, UserLimits

if TYPE_CHECKING:
    from tools.anomalygpt.model import AnomalyGpt

NAME: Final = "anomalygpt"

MOST_NORMALS: Final = 4
"""Good images that a picture is held against; 1, 2 and 4 are published."""

_CODE_VERSION: Final = 1
_COPIES: Final = 6
_LEANS: Final = 0.5
_LEAST_SPREAD: Final = 0.05
"""Of the median: good images whose maps peak closer together do so by luck. Not tuned on anything."""

_BY_ITS_WORD: Final = Calibration(
    method="no good image: probability that words for damage fit a place better",
    normals=0,
    centre=0.0,
    spread=_LEANS,
    uncertain_from=_LEANS,
    anomalous_from=1.5,
    reliability="low",
    reliability_reason="No good image of this product was seen.",
    wanted=1,
)


@dataclass(frozen=True)
class Opened:
    """An opened model; `fingerprint` is that of its file."""

    model: AnomalyGpt
    fingerprint: str


class AnomalyGptExpert:
    """See the module.

    Args:
        opened: the model.
    """

    name: Final = NAME
    needs_normals: Final = False
    purpose: Final = "hold each place against good parts, or words where there are none, by AnomalyGPT"
    requirement: Final = "what `agent train anomalygpt` learnt"

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def version(self) -> str:
        """Code and model."""
        return f"{_CODE_VERSION}-{self._opened.fingerprint[:16]}"

    def obstacle(self) -> str | None:
        """None: the model is open."""
        return None

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedAnomalyGpt:
        """Keep the first few good images, and calibrate on them; see `tools.experts.base.Expert`."""
        different = {content_hash(normal): normal for normal in normals}
        kept = tuple(different.values())[:MOST_NORMALS]
        fitted = FittedAnomalyGpt(self._opened, kept, scope.roi, _BY_ITS_WORD)
        return fitted.calibrated() if kept else fitted

    def restore(self, state: FittedState) -> FittedAnomalyGpt:
        """The fitted expert of this state; see `tools.experts.base.Expert`."""
        count = int(state.facts["normals"])
        normals = tuple(_picture(state.arrays[f"normal{index}"]) for index in range(count))
        roi = state.arrays.get("roi")
        limits = Calibration.model_validate(state.facts["calibration"])
        if limits.normals != count:
            raise ValueError(f"limits of {limits.normals} good images for {count}")
        mask = None if roi is None else Mask(roi.astype(np.bool_))
        return FittedAnomalyGpt(self._opened, normals, mask, limits)


class FittedAnomalyGpt:
    """The map with limits for one product. Immutable, so safe to use from several threads.

    Args:
        opened: the model.
        normals: good images; none: it goes by words.
        roi: what counts; None for everything.
        limits: of the map's peak.
        user: what a user changes of them.
    """

    name: Final = NAME

    def __init__(
        self,
        opened: Opened,
        normals: tuple[Pixels, ...],
        roi: Mask | None,
        limits: Calibration,
        user: UserLimits | None = None,
    ) -> None:
        self._opened = opened
        self._normals = normals
        self._roi = roi
        self._calibrated = limits
        self._user = user
        self._limits = limits.adjusted(user) if user else limits

    @property
    def calibration(self) -> Calibration:
        """Limits of the map's peak, under the user's."""
        return self._limits

    def calibrated(self) -> FittedAnomalyGpt:
        """The same with limits from its good images."""
        normals = self._normals
        if len(normals) == 1:
            method = "re-imaged copies of the one good image, held against it"
            peaks = [self._peak(copy, normals) for copy in perturbations(normals[0], count=_COPIES)]
        else:
            method = "each good image, held against the others"
            peaks = [
                self._peak(normal, (*normals[:index], *normals[index + 1 :]))
                for index, normal in enumerate(normals)
            ]
        limits = calibrate(
            peaks, method=method, normals=len(normals), floor_spread=_LEAST_SPREAD * float(np.median(peaks))
        )
        return FittedAnomalyGpt(self._opened, normals, self._roi, limits, self._user)

    def read(self, image: Pixels) -> Measurement:
        """Measure one image; see `tools.experts.base.FittedExpert`."""
        started = time.perf_counter()
        map_values = self._map(image, self._normals)
        looked_s = time.perf_counter() - started
        score = float(map_values.max())
        zone = self._limits.zone(score)
        regions = grown_regions(map_values, self._limits) if zone != "normal" else ()
        seconds = time.perf_counter() - started
        reading = ExpertReading(
            expert=NAME,
            score=score,
            threshold=self._limits.anomalous_from,
            position=self._limits.position(score),
            zone=zone,
            calibration=self._limits,
            regions=regions,
            notes=("AnomalyGPT's own answer does not rest on these limits.",),
            seconds=seconds,
            timings_s={"look": looked_s, "place": seconds - looked_s},
        )
        return Measurement(reading=reading, map_values=map_values)

    def read_batch(self, images: Sequence[Pixels]) -> list[Measurement]:
        """Each image as by `read`."""
        return [self.read(image) for image in images]

    def with_limits(self, limits: UserLimits) -> FittedAnomalyGpt:
        """The same under limits that a user set; see `tools.experts.base.FittedExpert`."""
        return FittedAnomalyGpt(self._opened, self._normals, self._roi, self._calibrated, limits)

    def extended(self, normals: Sequence[Pixels]) -> FittedAnomalyGpt:
        """It with these good images too, as far as it takes any more."""
        fitted = AnomalyGptExpert(self._opened).fit((*self._normals, *normals), Scope(roi=self._roi))
        return fitted.with_limits(self._user) if self._user else fitted

    def state(self) -> FittedState:
        """Good images and limits; see `tools.experts.base.FittedExpert`."""
        arrays = {f"normal{index}": normal for index, normal in enumerate(self._normals)}
        if self._roi is not None:
            arrays["roi"] = self._roi.inside.astype(np.uint8)
        facts = {"normals": len(self._normals), "calibration": self._calibrated.model_dump(mode="json")}
        return FittedState(arrays=arrays, facts=facts)

    def _map(self, image: Pixels, normals: Sequence[Pixels]) -> MapValues:
        """The map at the image's size, 0 where nothing counts.

        What does not count is grey to the model, in the good images as well, as the reasoner shows it.
        """
        shown = image if self._roi is None else self._roi.faded(image)
        good = normals if self._roi is None else [self._roi.faded(normal) for normal in normals]
        heard = self._opened.model.look(shown, good).map_values
        height, width = image.shape[:2]
        map_values = cv2.resize(heard, (width, height), interpolation=cv2.INTER_LINEAR)
        if self._roi is not None:
            map_values = np.where(self._roi.sized(height, width), map_values, 0)
        return np.asarray(map_values, np.float32)

    def _peak(self, image: Pixels, normals: Sequence[Pixels]) -> float:
        return float(self._map(image, normals).max())


def _picture(array: Any) -> Pixels:  # noqa: ANN401 - from a file
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"a good image must be of shape (height, width, 3), uint8, not {array.shape}")
    picture: Pixels = array
    return picture
