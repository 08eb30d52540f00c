"""PatchCore that knows its good images: limits from leaving each out, and reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import cv2
import numpy as np

from tools.experts.aspects import aspect, grown_regions, worst
from tools.experts.base import FittedState
from tools.experts.eye import Eye, Seen
from tools.experts.framing import ANYWHERE, framing_notes
from tools.experts.memory import Memory, Recollection, apart, packed
from tools.experts.patches import Patches
from tools.experts.prior import SpreadPrior, newness, unaligned_calibration
from tools.experts.stopwatch import Stopwatch
from tools.experts.whole_look import difference_in_words, look_of, strangeness, traits
from tools.types import (
    Calibration,
    ExpertReading,
    MapValues,
    Measurement,
    Pixels,
    UserLimits,
)

# Learned on twelve drawn products (textures and objects, each part another) and the textiles of
# conformal-clip-data, fresh good parts against 1 to 16 in hand; docs/LOG.md has the figures.
LOCAL_ALONE: Final = SpreadPrior(shift=0.12, doubt=0.2, spread=0.06, worth=6)
LOCAL: Final = SpreadPrior(shift=0.0, doubt=0.1, spread=0.09, worth=6)
GLOBAL_ALONE: Final = SpreadPrior(shift=0.0, doubt=0.45, spread=0.5, worth=6)
GLOBAL: Final = SpreadPrior(shift=0.0, doubt=0.3, spread=0.3, worth=6)

_LEFT_OUT_AT_MOST: Final = 32


@dataclass(frozen=True)
class Kept:
    """What a fitted PatchCore knows: good pictures, the bank made of them, and the limits.

    `limits` are those of the local and of the global score.
    """

    memories: tuple[Memory, ...]
    sizes_hw: tuple[tuple[int, int], ...]
    recollection: Recollection
    limits: tuple[Calibration, Calibration]


def kept(
    memories: Sequence[Memory], sizes_hw: Sequence[tuple[int, int]], eye: Eye, *, rows: int, seed: int
) -> Kept:
    """Fill the bank and set the limits, from nothing but the memories."""
    insides = [eye.inside(memory.grid) for memory in memories]
    recollection = Recollection.of(memories, insides, rows, seed)
    return Kept(tuple(memories), tuple(sizes_hw), recollection, _limits(memories, eye, recollection))


def _limits(
    memories: Sequence[Memory], eye: Eye, recollection: Recollection
) -> tuple[Calibration, Calibration]:
    """Limits of the local and of the global score."""
    first, looks = memories[0], [memory.look for memory in memories]
    retaken = first.retaken.tolist()
    looks_retaken = [strangeness(look, looks[:1]) for look in first.looks_retaken]
    if len(memories) == 1:
        local, whole = (
            unaligned_calibration(
                scores, prior, method="copies of the one good image, left out in turn", normals=1, parts=1
            )
            for scores, prior in ((retaken, LOCAL_ALONE), (looks_retaken, GLOBAL_ALONE))
        )
        return local, whole
    places, wholes = [], []
    for index in _probes(len(memories)):
        grid = memories[index].grid
        places.append(float(eye.map(recollection.left_out(index, grid), eye.inside(grid)).max()))
        wholes.append(strangeness(looks[index], [*looks[:index], *looks[index + 1 :]]))
    nearest = [
        min(apart(memories[index].thumb, other.thumb) for other in memories if other is not memories[index])
        for index in _probes(len(memories))
    ]
    parts = 1 + (len(memories) - 1) * newness(nearest, float(np.median(first.frames)))
    local, whole = (
        unaligned_calibration(
            # Frames of one part show less than the part would if it were taken again.
            [max(score, again) if parts < 2 else score for score in scores],
            prior,
            method="good images, left out in turn",
            normals=len(memories),
            parts=parts,
        )
        for scores, again, prior in (
            (places, float(np.median(retaken)), LOCAL_ALONE if parts < 2 else LOCAL),
            (wholes, float(np.median(looks_retaken)), GLOBAL_ALONE if parts < 2 else GLOBAL),
        )
    )
    return local, whole


def _probes(count: int) -> range:
    return range(0, count, -(-count // _LEFT_OUT_AT_MOST))


class FittedPatchCore:
    """PatchCore that knows its good images. Immutable, so safe to use from several threads.

    Args:
        eye: how images are seen.
        kept: what is known.
        extend: makes the same with more good images.
    """

    name: Final = "patchcore"

    def __init__(
        self, *, eye: Eye, kept: Kept, extend: Callable[[Sequence[Pixels]], FittedPatchCore]
    ) -> None:
        self._eye = eye
        self._kept = kept
        self._extend = extend

    @property
    def calibration(self) -> Calibration:
        """Of the local score, in whose unit the map is."""
        return self._kept.limits[0]

    def read(self, image: Pixels) -> Measurement:
        """Measure one image; see `tools.experts.base.FittedExpert`.

        The map is local. A picture that is strange as a whole only has no region.
        """
        watch = Stopwatch()
        seen = self._eye.see(image, watch)
        distances = self._distances(seen)
        watch.lap("neighbours")
        seen_map = self._eye.map(distances, seen.inside)
        height, width = image.shape[:2]
        map_values = cv2.resize(seen_map, (width, height), interpolation=cv2.INTER_LINEAR).astype(
            np.float32, copy=False
        )
        if self._eye.roi is not None:
            map_values = np.where(self._eye.roi.sized(height, width), map_values, np.float32(0))
        watch.lap("map")
        local = aspect("local", float(seen_map.max()), self._kept.limits[0])
        whole = aspect("global", self._strangeness(seen), self._kept.limits[1])
        leading = worst((local, whole))
        watch.lap("whole")
        regions = grown_regions(map_values, local.calibration) if local.zone != "normal" else ()
        watch.lap("regions")
        notes = [ANYWHERE, *framing_notes(image, self._eye.long_side_px, self._kept.sizes_hw)]
        if whole.zone != "normal":
            notes.append(self._whole_note(seen))
        reading = ExpertReading(
            expert=self.name,
            score=leading.score,
            threshold=leading.calibration.anomalous_from,
            position=leading.position,
            zone=leading.zone,
            calibration=leading.calibration,
            regions=regions,
            aspects=(local, whole),
            notes=tuple(notes),
            seconds=watch.seconds,
            timings_s=watch.laps,
        )
        return Measurement(reading=reading, map_values=map_values)

    def read_batch(self, images: Sequence[Pixels]) -> list[Measurement]:
        """Measure several images; each runs alone, so that none depends on its neighbours."""
        return [self.read(image) for image in images]

    def with_limits(self, limits: UserLimits) -> Self:
        """The same under limits of a user; a threshold is one of the local score, sensitivity is for both."""
        local, whole = self._kept.limits
        changed = (
            local.adjusted(limits),
            whole.adjusted(UserLimits(sensitivity=limits.sensitivity)),
        )
        return type(self)(eye=self._eye, kept=replace(self._kept, limits=changed), extend=self._extend)

    def extended(self, normals: Sequence[Pixels]) -> FittedPatchCore:
        """With more good images; those known are not looked at again, and the limits are set anew."""
        return self._extend(normals)

    def state(self) -> FittedState:
        """See `tools.experts.base.FittedExpert`."""
        arrays: dict[str, Any] = packed(self._kept.memories)
        if self._eye.roi is not None:
            arrays["roi"] = self._eye.roi.inside.astype(np.uint8)
        sizes_hw = [list(size) for size in self._kept.sizes_hw]
        return FittedState(arrays, {"long_side_px": self._eye.long_side_px, "sizes_hw": sizes_hw})

    def _distances(self, seen: Seen) -> MapValues:
        bank, grid = self._kept.recollection.bank, seen.grid
        if seen.inside is None:
            return bank.distances(grid)
        found = np.zeros(grid.shape[:2], np.float32)
        found[seen.inside] = bank.distances(grid[seen.inside])
        return found

    def _strangeness(self, seen: Seen) -> float:
        rows: Patches = seen.grid.reshape(-1, seen.grid.shape[-1])
        if seen.inside is not None:
            rows = seen.grid[seen.inside]
        return strangeness(look_of(rows), [memory.look for memory in self._kept.memories])

    def _whole_note(self, seen: Seen) -> str:
        roi = self._eye.roi
        found = traits(seen.image, None if roi is None else roi.sized(*seen.image.shape[:2]))
        words = difference_in_words(found, [memory.traits for memory in self._kept.memories])
        said = f"it is {words} than the good images" if words else "no single word says how"
        return f"The picture as a whole differs from the good ones, beyond any one place: {said}."
