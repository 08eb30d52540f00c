"""PatchCore over the embedded backbone: the expert that needs no alignment and no torch.

Every patch of the query is compared with every patch of the good images, wherever it lies. So the part may
lie anywhere, and a right thing in a wrong place is not seen. Beside this *local* score stands a *global*
one, the look of the whole picture (`whole_look`), with limits of its own: the greater of both would be worse
than either.

Different from the paper (Roth et al. 2022, arXiv 2106.08265): the features come from strides 4 and 8; the
bank is thinned at random, not by a coreset; the score is the highest value of the smoothed map, not
re-weighted; and the first good images are joined by re-imaged copies of themselves, of which the bank takes
the patches that it knew least.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from tools.errors import ExpertError
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.experts.calibration import next_frames, perturbations
from tools.experts.eye import Eye, Seen
from tools.experts.fitted_patchcore import FittedPatchCore, kept
from tools.experts.framing import distinct, seen_size_hw, within_reach
from tools.experts.memory import Memory, apart, counted, halved, thumbnail, unpacked
from tools.experts.onnx_export import CHANNELS, WEIGHTS_SHA256, Strides
from tools.experts.patches import Bank, Patches, Upsampling, least_known
from tools.experts.whole_look import look_of, traits
from tools.masks import Mask
from tools.types import Pixels

Turn: TypeAlias = Literal["left_right", "up_down", "90", "180", "270"]
"""A way in which a good part may also lie."""

_FORMAT: Final = 2
_COPY_FRACTION: Final = 1 / 8
_FRAMES: Final = 4
_COPIED: Final = 4  # good images; those after them show by themselves what copies would


@dataclass(frozen=True)
class PatchCoreOptions:
    """What may be chosen; the defaults are for a few good images of a part that fills the picture.

    Attributes:
        long_side_px: the longer side of what the backbone sees is that of the good images, but at least this:
            smaller pictures are enlarged.
        most_px: and at most this: larger pictures are reduced. What is more than 640 px is read in tiles.
        strides: levels of the backbone that make a patch, of 4, 8 and 16.
        denoise_sigma_px: Gaussian blur before the backbone; fine defects go with the noise.
        map_sigma_px: Gaussian blur of the map, in pixels of what the backbone sees.
        border_weights: of the distances on the outermost rings of patches, from outside in.
        upsampling: how patch distances become pixels.
        bank_rows: most patches kept of the good images, copies aside.
        copies: re-imaged copies of the first good image, at least 2; the next three have fewer.
        turns: ways in which good parts may also lie; each good image is learnt so, too.
        seed: of the copies and of the thinning.
    """

    long_side_px: int = 320
    most_px: int = 1280
    strides: Strides = (4, 8)
    denoise_sigma_px: float = 0.0
    map_sigma_px: float = 4.0
    border_weights: tuple[float, ...] = (0.8, 0.9)
    upsampling: Upsampling = "linear"
    bank_rows: int = 6000
    copies: int = 4
    turns: tuple[Turn, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.long_side_px < 32 or self.bank_rows < 1 or self.copies < 2:
            raise ValueError(f"long_side_px must be at least 32, bank_rows 1 and copies 2, got {self}")
        if self.most_px < self.long_side_px:
            raise ValueError(f"most_px must be at least long_side_px, got {self}")
        if not self.strides or self.strides != tuple(sorted(set(self.strides) & set(CHANNELS))):
            raise ValueError(f"strides must be some of {', '.join(map(str, CHANNELS))}, rising, got {self}")


class PatchCoreExpert:
    """Fits PatchCore on good images; the module says what it does and what it cannot see.

    Args:
        backbone: where the features come from.
        options: sizes, smoothing, bank.
    """

    name: Final = "patchcore"
    needs_normals: Final = True
    purpose: Final = "compare every patch, and the look of the whole, with good parts that may lie anywhere"
    requirement: Final = "one good image or more; the embedded backbone"

    def __init__(self, backbone: EmbeddedBackbone, options: PatchCoreOptions | None = None) -> None:
        self._backbone = backbone
        self._options = options or PatchCoreOptions()

    @property
    def version(self) -> str:
        """Of code, options and weights."""
        chosen = hashlib.sha256(f"{self._options}{WEIGHTS_SHA256}".encode()).hexdigest()
        return f"{_FORMAT}-{chosen[:12]}"

    def obstacle(self) -> str | None:
        """See `tools.experts.base.Expert`."""
        return self._backbone.obstacle()

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedPatchCore:
        """Fill the bank and place the zones; see `tools.experts.base.Expert`."""
        if not normals:
            raise ValueError("patchcore needs at least one good image")
        if scope.roi is not None and scope.roi.is_empty:
            raise ExpertError("the region of interest is empty: mark what is to be inspected")
        sides = sorted(max(image.shape[:2]) for image in normals)
        side = min(max(sides[len(sides) // 2], self._options.long_side_px), self._options.most_px)
        return self._taught((), (), self._eye(side, scope.roi), normals)

    def restore(self, state: FittedState) -> FittedPatchCore:
        """See `tools.experts.base.Expert`."""
        facts = state.facts
        roi = Mask(state.arrays["roi"].astype(bool)) if "roi" in state.arrays else None
        return self._fitted(
            unpacked(state.arrays),
            [(int(height), int(width)) for height, width in facts["sizes_hw"]],
            self._eye(int(facts["long_side_px"]), roi),
        )

    def _eye(self, long_side_px: int, roi: Mask | None) -> Eye:
        options = self._options
        return Eye(
            backbone=self._backbone,
            strides=options.strides,
            long_side_px=long_side_px,
            denoise_sigma_px=options.denoise_sigma_px,
            border_weights=options.border_weights,
            map_sigma_px=options.map_sigma_px,
            upsampling=options.upsampling,
            roi=roi,
        )

    def _taught(
        self,
        memories: Sequence[Memory],
        sizes_hw: Sequence[tuple[int, int]],
        eye: Eye,
        normals: Sequence[Pixels],
    ) -> FittedPatchCore:
        """These memories and those of more good images, without pictures that they hold already."""
        grown = list(memories)
        for image in distinct(normals):
            memory = self._memory(eye, within_reach(image, eye.long_side_px), len(grown))
            if not any(np.array_equal(memory.grid, known.grid) for known in grown):
                grown.append(memory)
        sizes = dict.fromkeys((*sizes_hw, *(seen_size_hw(image, eye.long_side_px) for image in normals)))
        return self._fitted(grown, list(sizes), eye)

    def _fitted(
        self, memories: Sequence[Memory], sizes_hw: Sequence[tuple[int, int]], eye: Eye
    ) -> FittedPatchCore:
        def extend(normals: Sequence[Pixels]) -> FittedPatchCore:
            return self._taught(memories, sizes_hw, eye, normals)

        return FittedPatchCore(
            eye=eye,
            kept=kept(memories, sizes_hw, eye, rows=self._options.bank_rows, seed=self._options.seed),
            extend=extend,
        )

    def _memory(self, eye: Eye, image: Pixels, index: int) -> Memory:
        """What is kept of a good image, the `index`th; of the first few with copies."""
        seen = eye.see(image)
        own = counted(seen.grid, seen.inside)
        turned = [eye.see(_turned(image, turn)) for turn in self._options.turns]
        wanted = max(1, self._options.copies // (index + 1)) if index < _COPIED else 0
        copies = [
            eye.see(copy)
            for copy in (
                perturbations(image, count=wanted, seed=self._options.seed + index) if wanted else ()
            )
        ]
        news = _news(own, copies)
        thumb = thumbnail(eye.framed(image))
        frames = [thumbnail(eye.framed(frame)) for frame in next_frames(image, count=0 if index else _FRAMES)]
        return Memory(
            grid=seen.grid,
            extra=np.concatenate([own[:0], *(counted(part.grid, part.inside) for part in turned), *news]),
            retaken=np.array(_retaken(eye, own, copies, news), np.float32),
            thumb=thumb,
            frames=np.array([apart(frame, thumb) for frame in frames], np.float32),
            look=look_of(own),
            looks_retaken=np.array(
                [look_of(counted(copy.grid, copy.inside)) for copy in copies], np.float32
            ).reshape(len(copies), 2 * own.shape[1]),
            traits=traits(seen.image, None if eye.roi is None else eye.roi.sized(*seen.image.shape[:2])),
        )


def _news(own: Patches, copies: Sequence[Seen]) -> list[Patches]:
    """Of each copy the patches that the good image and the copies before knew least, as rows."""
    known, news = own, []
    for copy in copies:
        rows = halved(least_known(counted(copy.grid, copy.inside), Bank(known), _COPY_FRACTION))
        news.append(rows)
        known = np.concatenate([known, rows])
    return news


def _retaken(eye: Eye, own: Patches, copies: Sequence[Seen], news: Sequence[Patches]) -> list[float]:
    """Scores of the copies, each against the good image and the other copies."""
    scores = []
    for index, copy in enumerate(copies):
        others = Bank(np.concatenate([own, *news[:index], *news[index + 1 :]]))
        scores.append(_peak(eye, copy, others))
    return scores


def _peak(eye: Eye, seen: Seen, bank: Bank) -> float:
    return float(eye.map(bank.distances(seen.grid), seen.inside).max())


def _turned(image: Pixels, turn: Turn) -> Pixels:
    if turn == "left_right":
        return np.ascontiguousarray(image[:, ::-1])
    if turn == "up_down":
        return np.ascontiguousarray(image[::-1])
    return np.ascontiguousarray(np.rot90(image, int(turn) // 90))
