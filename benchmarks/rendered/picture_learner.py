"""The vision tower of a small CLIP learns what is said of pictures, by a text tower that knows its words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.rendered.captions import ADJECTIVES, caption
from benchmarks.rendered.comparing import (
    contrast,
    encoded,
    look_losses,
    stacked,
    state_numbers,
    state_texts,
)
from benchmarks.rendered.groups import Group
from benchmarks.rendered.scene import Product
from tools.clip.model import Clip
from tools.learning.loop import Moment

_MARKED: Final = 0.1
"""A patch shows a flaw where so much of it is marked; of one that is marked less nothing is asked."""

_IGNORED: Final = -100

_WARMEST: Final = 100.0
"""What the inverse temperature is kept below, as CLIP's."""


class _Pictures(nn.Module):
    """The vision tower of a CLIP, and the inverse temperature at which it compares."""

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self.visual = clip.visual
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))


class PictureLearner:
    """Teaches the vision tower; see `tools.learning.loop.Learner`."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self.module = _Pictures(clip)

    def losses(self, batch: Sequence[Group], moment: Moment) -> Mapping[str, Tensor]:
        """Of pictures, some of them mirrored, and captions that are written anew each time."""
        rng, clip = moment.rng, self._clip
        shown = [(group.product, kind) for group in batch for kind in group.kinds]
        pieces = [one for group in batch for one in zip(group.pictures, group.masks, strict=True)]
        ways = [slice(None, None, -1 if rng.random() < 0.5 else 1) for _ in pieces]
        pictures = stacked([picture[:, way] for (picture, _), way in zip(pieces, ways, strict=True)])
        masks = np.stack([mask[:, way] for (_, mask), way in zip(pieces, ways, strict=True)])
        said = [caption(product, kind, rng) for product, kind in shown]
        warmth = self.module.logit_scale.exp().clamp(max=_WARMEST)
        with torch.no_grad():
            told, states = encoded(clip, said), state_texts(clip, rng)
        seen = clip.visual(pictures, layers=(clip.shape.vision_layers,), alike_blocks=0)
        whole = functional.normalize(clip.visual.ln_post(seen.summary) @ clip.visual.proj, dim=-1)
        places = functional.normalize(clip.patch_embeddings(seen.patches[0]), dim=-1)
        # The same caption twice is right twice.
        same = torch.tensor([[one == other for other in said] for one in said], dtype=torch.float32)
        wanted = state_numbers(shown)
        return {
            "captions": contrast((warmth * whole @ told.T).float(), same),
            **look_losses(clip, whole, shown, warmth, rng),
            "state": functional.cross_entropy((warmth * whole @ states.T).float(), wanted),
            "places": self._places((warmth * places @ states.T).float(), masks, wanted),
        }

    def _places(self, fits: Tensor, masks: npt.NDArray[np.bool_], states: Tensor) -> Tensor:
        """Cross-entropy of patches among the states; patches of flaws weigh as much as all others."""
        grid, px = self._clip.shape.grid, self._clip.shape.patch_px
        shares = torch.from_numpy(masks.reshape(len(masks), grid, px, grid, px).mean(axis=(2, 4))).flatten(1)
        wanted = torch.where(shares >= _MARKED, states[:, None], 0)
        wanted[(shares > 0) & (shares < _MARKED)] = _IGNORED
        each = functional.cross_entropy(
            fits.flatten(0, 1), wanted.flatten(), ignore_index=_IGNORED, reduction="none"
        )
        flawed = wanted.flatten() > 0
        return (each[flawed].sum() / max(1, int(flawed.sum())) + each[~flawed].mean()) / 2

    def score(self, held_out: Sequence[Group]) -> float:
        """Share of pictures whose own caption is the nearest of all."""
        return retrieved(self._clip, held_out)


def described(product: Product, kind: str | None) -> str:
    """A caption that says all there is to say."""
    state = "flawless" if kind is None else ADJECTIVES[kind][0]
    return f"a photo of a {state} {product.colour} {product.surface} {product.shape}."


@torch.no_grad()
def retrieved(clip: Clip, shown: Sequence[Group]) -> float:
    """Share of pictures whose full caption is the nearest among those of all products and states shown."""
    pictures = [picture for group in shown for picture in group.pictures]
    own = [described(group.product, kind) for group in shown for kind in group.kinds]
    texts = sorted(set(own))
    nearest = (clip.encode_image(stacked(pictures)) @ encoded(clip, texts).T).argmax(dim=1).tolist()
    return float(np.mean([texts[at] == right for at, right in zip(nearest, own, strict=True)]))
