"""Nothing learnt: pictures beside averaged texts about good, damaged and each type, as WinCLIP words them.

Jeong et al. 2023, arXiv 2303.14814: states times templates, text embeddings averaged. The whole picture is
compared by CLIP's own embedding; places by its patches, as AnomalyCLIP's are, in place of WinCLIP's windows:
of an 80 px picture they would be few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.rendered.captions import ADJECTIVES, NOUNS, TEMPLATES, with_article
from benchmarks.rendered.comparing import encoded, stacked
from benchmarks.rendered.measuring import Seen, smoothed
from tools.clip.model import Clip
from tools.experts.anomalyclip.model import compare, features
from tools.experts.anomalyclip.settings import TEMPERATURE, Recipe
from tools.experts.prompted.maps import at_pixels
from tools.types import Pixels

GOOD_STATES: Final = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
DAMAGED_STATES: Final = ("damaged {}", "broken {}", "{} with a flaw", "{} with a defect", "{} with damage")


class FixedPrompts:
    """A frozen CLIP with texts about a product of a name.

    Args:
        clip: frozen.
        name: what the product is called, such as "ring".
        recipe: how places are looked at.
    """

    def __init__(self, clip: Clip, name: str, recipe: Recipe) -> None:
        self._clip = clip
        self._recipe = recipe
        self._states = torch.stack([self._mean(states, name) for states in (GOOD_STATES, DAMAGED_STATES)])
        self.types = tuple(ADJECTIVES)
        self._types = torch.stack([self._mean(_typed(kind), name) for kind in self.types])

    def look(self, pictures: Sequence[Pixels]) -> list[Seen]:
        """Look at pictures, all in one batch."""
        with torch.no_grad():
            compared = compare(features(self._clip, pictures, self._recipe), self._states)
            whole = functional.normalize(self._clip.encode_image(stacked(pictures)), dim=-1)
        maps = at_pixels(compared.maps.mean(dim=0), self._recipe.side_px)[:, 1].numpy()
        damaged = (whole @ self._states.T / TEMPERATURE).softmax(dim=-1)[:, 1].tolist()
        kinds = (whole @ self._types.T).argmax(dim=1).tolist()
        return [
            Seen(chance, smoothed(found), self.types[kind])
            for chance, found, kind in zip(damaged, maps, kinds, strict=True)
        ]

    def _mean(self, states: Sequence[str], name: str) -> Tensor:
        """Mean of the texts of all states in all templates, of length 1."""
        texts = [
            template.format(with_article(state.format(name))) for template in TEMPLATES for state in states
        ]
        with torch.no_grad():
            told = encoded(self._clip, texts).mean(dim=0)
        return functional.normalize(told, dim=-1)


def _typed(kind: str) -> tuple[str, ...]:
    return (*(f"{word} {{}}" for word in ADJECTIVES[kind]), f"{{}} with {NOUNS[kind]}")
