"""An anomalib model that knows its good pictures: left out in turn for the limits, then read against.

Two things are calibrated on the same pictures: the score, which decides the zone, and the peak of the map,
from which regions grow. Where a model's score is the peak of its map the two are one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tools.experts.anomalib_models.detector import Bank, Detector, Opener, Sight
from tools.experts.anomalib_models.reading import place
from tools.experts.base import FittedState, Scope
from tools.experts.calibration import FIRM, calibrate, perturbations
from tools.experts.framing import distinct, within_reach
from tools.masks import Mask
from tools.types import Calibration, Measurement, Pixels, UserLimits

COPIES: Final = 4
"""Re-imaged copies of a single good picture, which stand in for the others that are not there."""

_LEAST_SPREAD: Final = 0.05
"""Of the centre. Good pictures' scores lie about 5 % apart; less, seen on a few of them, is luck."""

_LEFT_OUT_AT_MOST: Final = 32
_FEW: Final = 5

UNSEEN: Final = Calibration(
    method="the model's own probability of a defect; no good image was seen",
    normals=0,
    centre=0.0,
    spread=0.5,
    uncertain_from=0.5,
    anomalous_from=1.01,
    reliability="low",
    reliability_reason="Without a good image the model's probability is not calibrated: it can raise doubt, "
    "never settle it.",
    wanted=FIRM,
)
"""Of a model that has seen no good picture: a probability never reaches what would be anomalous."""

_UNSEEN_PLACES: Final = UNSEEN.model_copy(update={"centre": 0.5})
"""For its map: a region is where a defect is more probable than none, with no rim of lesser places."""


@dataclass(frozen=True)
class Limits:
    """What is calibrated: the score, and the peak of the map."""

    score: Calibration
    peak: Calibration

    def adjusted(self, user: UserLimits) -> Limits:
        """The same under limits that a user set; a threshold is one of the score.

        A probability that was never calibrated becomes a claim only by a threshold, not by a sensitivity.
        """
        score, peak = self.score.adjusted(user), self.peak.adjusted(user)
        if self.score != self.peak and user.threshold is not None:
            peak = self.peak.adjusted(UserLimits(sensitivity=user.sensitivity))
        if self.score.normals == 0 and user.threshold is None:
            highest = max(score.anomalous_from, self.score.anomalous_from)
            score, peak = (one.model_copy(update={"anomalous_from": highest}) for one in (score, peak))
        return Limits(score, peak)


@dataclass(frozen=True)
class Known:
    """Good pictures as a model remembers them.

    `sights` are of the `digests`' pictures in order, then of copies of the only one, if it is alone.
    `sizes_hw` are the sizes at which the pictures were seen.
    """

    sights: tuple[Sight, ...] = ()
    digests: tuple[str, ...] = ()
    sizes_hw: frozenset[tuple[int, int]] = frozenset()


class FittedModel:
    """See the module. Immutable, so safe to use from several threads.

    Args:
        name: of the expert.
        notes: sentences that stand in each reading.
        detector: the model.
        scope: what of the pictures counts.
        known: the good pictures.
        bank: of them.
        limits: calibrated on them.
        user: what a user changes of the limits.
    """

    def __init__(
        self,
        name: str,
        notes: tuple[str, ...],
        detector: Detector,
        scope: Scope,
        known: Known,
        bank: Bank,
        limits: Limits,
        user: UserLimits | None = None,
    ) -> None:
        self.name = name
        self._notes = notes
        self._detector = detector
        self._scope = scope
        self._known = known
        self._bank = bank
        self._calibrated = limits
        self._user = user or UserLimits()
        self._limits = limits.adjusted(self._user)

    @property
    def calibration(self) -> Calibration:
        """Where its scores lie on good parts, under the user's limits."""
        return self._limits.score

    def read(self, image: Pixels) -> Measurement:
        """Measure one image; see `tools.experts.base.FittedExpert`."""
        return self.read_batch([image])[0]

    def read_batch(self, images: Sequence[Pixels]) -> list[Measurement]:
        """Measure several images, together in the network; see `tools.experts.base.FittedExpert`.

        Alone or together, scores agree to float32 rounding.
        """
        started = time.perf_counter()
        sights = self._detector.see(images, self._scope.roi)
        features_s = (time.perf_counter() - started) / max(len(images), 1)
        return [self._measured(image, sight, features_s) for image, sight in zip(images, sights, strict=True)]

    def _measured(self, image: Pixels, sight: Sight, features_s: float) -> Measurement:
        started = time.perf_counter()
        found = self._detector.measure(sight, self._bank)
        timings_s = {"features": features_s, "search": time.perf_counter() - started}
        return place(
            self.name,
            image,
            found,
            score=self._limits.score,
            peak=self._limits.peak,
            roi=self._scope.roi,
            notes=(*self._notes, *self._detector.frame.notes(image, self._known.sizes_hw)),
            timings_s=timings_s,
        )

    def with_limits(self, limits: UserLimits) -> FittedModel:
        """The same expert under limits that a user set; see `tools.experts.base.FittedExpert`."""
        return FittedModel(
            self.name,
            self._notes,
            self._detector,
            self._scope,
            self._known,
            self._bank,
            self._calibrated,
            limits,
        )

    def extended(self, normals: Sequence[Pixels]) -> FittedModel:
        """An expert that knows these good images too; those that it knows are not seen again."""
        if all(_digest(image) in self._known.digests for image in normals):
            return self
        extended = fitted_on(self.name, self._notes, self._detector, normals, self._scope, self._known)
        return extended.with_limits(self._user)

    def state(self) -> FittedState:
        """All that is needed to make it again; see `tools.experts.base.FittedExpert`."""
        arrays = {
            f"{index}.{name}": array
            for index, sight in enumerate(self._known.sights)
            for name, array in sight.items()
        }
        arrays |= {f"said.{name}": array for name, array in self._detector.said.items()}
        if self._scope.roi is not None:
            arrays["roi"] = self._scope.roi.inside
        facts = {
            "pictures": list(self._known.digests),
            "sights": len(self._known.sights),
            "sizes_hw": [list(size) for size in sorted(self._known.sizes_hw)],
            "product": self._scope.product,
            "score": self._calibrated.score.model_dump(),
            "peak": self._calibrated.peak.model_dump(),
        }
        return FittedState(arrays, facts)


def fitted_on(
    name: str,
    notes: tuple[str, ...],
    detector: Detector,
    normals: Sequence[Pixels],
    scope: Scope,
    known: Known | None = None,
) -> FittedModel:
    """Remember good pictures beside those already known, and calibrate on all of them."""
    known = known or Known()
    fresh = [
        (image, digest) for image in distinct(normals) if (digest := _digest(image)) not in known.digests
    ]
    images = [image for image, _ in fresh]
    digests = (*known.digests, *(digest for _, digest in fresh))
    if len(digests) == 1:
        reach = within_reach(images[0], detector.frame.long_side_px)
        images += perturbations(reach, count=COPIES)
    known = Known(
        (*known.sights[: len(known.digests)], *detector.see(images, scope.roi, learning=True)),
        digests,
        known.sizes_hw | {detector.frame.size_hw(image) for image, _ in fresh},
    )
    bank = detector.bank(known.sights)
    return FittedModel(name, notes, detector, scope, known, bank, _limits(detector, known, bank))


def restored(name: str, notes: tuple[str, ...], open_detector: Opener, state: FittedState) -> FittedModel:
    """The fitted model that gave a state.

    Raises:
        ExpertUnavailable: as `open_detector`.
        KeyError, ValueError, TypeError: the state is not one of this model.
    """
    facts = state.facts
    roi = state.arrays.get("roi")
    if roi is not None and (roi.dtype != bool or roi.ndim != 2 or not roi.any()):
        raise ValueError("roi must be a mask of shape (height, width), bool, that is not empty")
    limits = Limits(Calibration.model_validate(facts["score"]), Calibration.model_validate(facts["peak"]))
    digests = tuple(str(digest) for digest in facts["pictures"])
    count = int(facts["sights"])
    if count != len(digests) + (COPIES if len(digests) == 1 else 0) or limits.score.normals != len(digests):
        raise ValueError(
            f"{count} sights and limits of {limits.score.normals} for {len(digests)} good images"
        )
    product = facts["product"]
    if not (product is None or isinstance(product, str)):
        raise TypeError("product must be a text or nothing")
    scope = Scope(roi=None if roi is None else Mask(roi), product=product)
    detector = open_detector(scope, _arrays_of(state.arrays, "said"))
    sights = [_arrays_of(state.arrays, str(index)) for index in range(count)]
    for sight in sights:
        detector.check(sight)
    sizes_hw = frozenset((int(height), int(width)) for height, width in facts["sizes_hw"])
    known = Known(tuple(sights), digests, sizes_hw)
    return FittedModel(name, notes, detector, scope, known, detector.bank(known.sights), limits)


def _arrays_of(arrays: Mapping[str, Any], owner: str) -> Sight:
    prefix = f"{owner}."
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _digest(image: Pixels) -> str:
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()


def _limits(detector: Detector, known: Known, bank: Bank) -> Limits:
    """Leave one good picture out at a time; with one good picture, one of its re-imaged copies."""
    count = len(known.digests)
    if not count:
        return Limits(UNSEEN, _UNSEEN_PLACES)
    alone = count == 1
    probes = range(1, len(known.sights)) if alone else range(0, count, -(-count // _LEFT_OUT_AT_MOST))
    found = [detector.measure(known.sights[index], bank.without(index)) for index in probes]
    # A handful of good pictures does not show how parts differ, but how far apart the part's own places are.
    beyond = [detector.plausible(known.sights[index]) for index in range(count)] if count <= _FEW else []
    score = _calibrated([one.score for one in found], [one.score for one in beyond], count)
    peak = _calibrated([one.peak for one in found], [one.peak for one in beyond], count)
    return Limits(score, peak)


def _calibrated(scores: list[float], plausible: list[float], normals: int) -> Calibration:
    alone = normals == 1
    return calibrate(
        scores,
        method="copies of the one good image, left out in turn" if alone else "good images, left out in turn",
        normals=normals,
        floor_spread=_LEAST_SPREAD * float(np.median(scores)),
        plausible=plausible,
    )
