"""Sizes of what is learnt."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Final, Self, TypeAlias

from pydantic import Field

from tools.types import Value

if TYPE_CHECKING:
    from tools.clip.model import ClipShape

SCALE: Final = 100.0
"""Cosines of patches and words are multiplied by this before the softmax, as published."""

MAP_TOKENS_A_SIDE: Final = 3
"""The map is heard as 3x3 soft tokens, as published."""

_STAGES: Final = 4
_LARGEST_PX: Final = 2048

Channels: TypeAlias = Annotated[int, Field(ge=1, le=8192)]
"""Of one convolution."""


class Recipe(Value):
    """What is learnt, and how pictures are shown to it.

    Attributes:
        side_px: side of the square picture that CLIP sees.
        layers: vision blocks that the decoder reads, counted from 1.
        map_px: side of the map that the prompt learner hears.
        channels: of its convolutions, each followed by a halving of the map.
        base_tokens: soft tokens that are learnt and follow those of the map.
    """

    side_px: int = Field(ge=8, le=_LARGEST_PX)
    layers: tuple[int, ...] = Field(min_length=1, max_length=64)
    map_px: int = Field(default=224, ge=8, le=_LARGEST_PX)
    channels: tuple[Channels, ...] = Field(default=(4, 16, 64, 256, 1024), min_length=1, max_length=8)
    base_tokens: int = Field(default=9, ge=0, le=256)

    @classmethod
    def published(cls, shape: ClipShape) -> Self:
        """The paper's recipe for a CLIP of this shape: blocks 8, 16, 24 and 32 of 32, scaled to its depth."""
        blocks = shape.vision_layers
        layers = sorted({max(1, round(blocks * stage / _STAGES)) for stage in range(1, _STAGES + 1)})
        return cls(side_px=shape.image_px, layers=tuple(layers))

    @property
    def heard_px(self) -> int:
        """Side of the map after all halvings."""
        return self.map_px >> len(self.channels)

    @property
    def tokens(self) -> int:
        """Soft tokens in all; 18 as published."""
        return MAP_TOKENS_A_SIDE**2 + self.base_tokens

    def check(self, shape: ClipShape) -> None:
        """See that this goes with a CLIP of this shape.

        Raises:
            ValueError: it does not.
        """
        if not all(1 <= layer <= shape.vision_layers for layer in self.layers):
            raise ValueError(f"layers must lie in 1..{shape.vision_layers}, got {list(self.layers)}")
        if any(one >= other for one, other in pairwise(self.layers)):
            raise ValueError(f"layers must rise, got {list(self.layers)}")
        if self.side_px % shape.patch_px:
            raise ValueError(f"side_px must be a multiple of {shape.patch_px}, got {self.side_px}")
        if self.heard_px < MAP_TOKENS_A_SIDE:
            raise ValueError(
                f"map_px {self.map_px} is too small: {len(self.channels)} halvings leave {self.heard_px} px"
            )
