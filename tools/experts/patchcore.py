"""PatchCore over the embedded backbone: the expert that needs no alignment and no torch.

Every patch of the query is compared with every patch of the good images, wherever it lies. So the part may
lie anywhere, and a right thing in a wrong place is not seen. Different from the paper (Roth et al. 2022,
arXiv 2106.08265): the bank is thinned at random, not by a coreset, since a handful of good images leaves
little to thin; the score is the highest value of the smoothed map, not re-weighted; and a few good images are
joined by re-imaged copies of themselves, of which the bank takes the patches that it knew least.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from tools.experts.backbones import EmbeddedBackbone
from tools.experts.base import EVERYTHING, Scope
from tools.experts.calibration import calibrate, perturbations
from tools.experts.framing import distinct, framing_notes, resized, seen_size_hw, within_reach
from tools.experts.patches import (
    Bank,
    Patches,
    Upsampling,
    calmed_border,
    least_known,
    left_out_quarters,
    patch_grid,
    pixel_map,
    some,
)
from tools.experts.placing import placed
from tools.types import Calibration, MapValues, Measurement, Pixels

ANYWHERE: Final = "Compares patches wherever they lie: a right thing in a wrong place is not seen."
"""The note of every expert that takes patches for a bag."""

_PATCH_PX: Final = 8
_COPY_FRACTION: Final = 1 / 8
_LEFT_OUT_AT_MOST: Final = 32
_FEW: Final = 5  # good images; calibration calls itself unreliable up to here

LEAST_SPREAD: Final = 0.05
"""Of the centre. Good pictures' scores lie about 5 % apart; less, seen on a few of them, is luck."""


@dataclass(frozen=True)
class PatchCoreOptions:
    """What may be chosen; the defaults are for a few good images of a part that fills the picture.

    Attributes:
        long_side_px: longer side of what the backbone sees; both sides become multiples of 32 px.
        denoise_sigma_px: Gaussian blur before the backbone, whose features of plain areas follow noise.
        map_sigma_px: Gaussian blur of the map, in pixels of what the backbone sees.
        border_weights: of the distances on the outermost rings of patches, from outside in.
        upsampling: how patch distances become pixels.
        bank_rows: most patches kept of the good images, copies aside.
        copies: re-imaged copies of the good images that are in the bank whichever image is left out; at least
            2, since a single good image is calibrated on them. More good images than that need none.
        seed: of the copies and of the thinning.
    """

    long_side_px: int = 320
    denoise_sigma_px: float = 0.8
    map_sigma_px: float = 4.0
    border_weights: tuple[float, ...] = (0.8, 0.9)
    upsampling: Upsampling = "linear"
    bank_rows: int = 6000
    copies: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.long_side_px < 32 or self.bank_rows < 1 or self.copies < 2:
            raise ValueError(f"long_side_px must be at least 32, bank_rows 1 and copies 2, got {self}")


@dataclass(frozen=True)
class _Share:
    """What one picture brings: its patches, and the part of the bank that came from it."""

    owner: int
    grid: Patches
    rows: Patches


class PatchCoreExpert:
    """Fits PatchCore on good images; the module says what it does and what it cannot see.

    Args:
        backbone: where the features come from.
        options: sizes, smoothing, bank.
    """

    name: Final = "patchcore"

    def __init__(self, backbone: EmbeddedBackbone, options: PatchCoreOptions | None = None) -> None:
        self._backbone = backbone
        self._options = options or PatchCoreOptions()

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedPatchCore:  # noqa: ARG002
        """Fill the bank and place the zones; see `tools.experts.base.Expert`."""
        if not normals:
            raise ValueError("patchcore needs at least one good image")
        eye = _Eye(self._backbone, self._options)
        side = self._options.long_side_px
        pictures = [within_reach(image, side) for image in distinct(normals)]
        originals = self._originals(eye, pictures)
        copies = self._copies(eye, pictures, originals)
        return FittedPatchCore(
            eye=eye,
            bank=Bank(np.concatenate([share.rows for share in (*originals, *copies)])),
            calibration=_calibration(eye, originals, copies),
            sizes_hw=frozenset(seen_size_hw(image, side) for image in normals),
        )

    def _originals(self, eye: _Eye, pictures: list[Pixels]) -> list[_Share]:
        thin = np.random.default_rng(self._options.seed)
        rows_each = max(self._options.bank_rows // len(pictures), 1)
        grids = [eye.grid(picture) for picture in pictures]
        return [_Share(owner, grid, some(grid, rows_each, thin)) for owner, grid in enumerate(grids)]

    def _copies(self, eye: _Eye, pictures: list[Pixels], originals: list[_Share]) -> list[_Share]:
        """Copies belong to their original, or with one original to nobody, so that each can be left out."""
        shares: list[_Share] = []
        if len(pictures) > self._options.copies:
            return shares
        each = -(-self._options.copies // max(len(pictures) - 1, 1))
        known = Bank(np.concatenate([share.rows for share in originals]))
        for index, picture in enumerate(pictures):
            for copy in perturbations(picture, count=each, seed=self._options.seed + index):
                grid = eye.grid(copy)
                rows = least_known(grid, known, _COPY_FRACTION)
                known = Bank(np.concatenate([known.rows, rows]))
                owner = index if len(pictures) > 1 else 1 + len(shares)
                shares.append(_Share(owner, grid, rows))
        return shares


class FittedPatchCore:
    """PatchCore that knows its good images. Immutable, so safe to use from several threads."""

    name: Final = PatchCoreExpert.name

    def __init__(
        self, *, eye: _Eye, bank: Bank, calibration: Calibration, sizes_hw: frozenset[tuple[int, int]]
    ) -> None:
        self._eye = eye
        self._bank = bank
        self._sizes_hw = sizes_hw
        self.calibration = calibration

    def read(self, image: Pixels) -> Measurement:
        """Measure one image; see `tools.experts.base.FittedExpert`."""
        started = time.perf_counter()
        return placed(
            self.name,
            image,
            self._eye.map(self._bank.distances(self._eye.grid(image))),
            self.calibration,
            notes=(ANYWHERE, *framing_notes(image, self._eye.options.long_side_px, self._sizes_hw)),
            started=started,
        )


class _Eye:
    """The way from an image to patches and from distances to a map, the same for fitting and for reading."""

    def __init__(self, backbone: EmbeddedBackbone, options: PatchCoreOptions) -> None:
        self._backbone = backbone
        self.options = options

    def grid(self, image: Pixels) -> Patches:
        """Patches of an image of any size."""
        seen = resized(image, seen_size_hw(image, self.options.long_side_px))
        if self.options.denoise_sigma_px > 0:
            seen = cv2.GaussianBlur(seen, (0, 0), self.options.denoise_sigma_px).astype(np.uint8, copy=False)
        return patch_grid(self._backbone, seen)

    def map(self, distances: MapValues) -> MapValues:
        """Distances of patches as a map of what was seen."""
        options = self.options
        return pixel_map(
            calmed_border(distances, options.border_weights),
            (distances.shape[0] * _PATCH_PX, distances.shape[1] * _PATCH_PX),
            sigma_px=options.map_sigma_px,
            upsampling=options.upsampling,
        )

    def score(self, distances: MapValues) -> float:
        """Highest value of the map."""
        return float(self.map(distances).max())


def _calibration(eye: _Eye, originals: list[_Share], copies: list[_Share]) -> Calibration:
    """Zones from leave-one-out: over the good images and their copies, or over the copies of the only one.

    The copies count among several good images too, since those may be shots of one and the same part. Copies
    show how imaging varies, never how parts do. So with few good images `anomalous_from` also stays above
    what the part's own places score against each other, which few defects reach: most read uncertain.
    """
    alone, few = len(originals) == 1, len(originals) <= _FEW
    shares = [*originals, *copies]
    probes = copies if alone else [*originals[:: -(-len(originals) // _LEFT_OUT_AT_MOST)], *copies]
    scores = []
    for probe in probes:
        others = Bank(np.concatenate([share.rows for share in shares if share.owner != probe.owner]))
        scores.append(eye.score(others.distances(probe.grid)))
    return calibrate(
        scores,
        method="copies of the one good image, left out in turn" if alone else "good images, left out in turn",
        normals=len(originals),
        floor_spread=LEAST_SPREAD * float(np.median(scores)),
        plausible=[eye.score(left_out_quarters(share.grid)) for share in originals] if few else (),
    )
