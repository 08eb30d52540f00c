"""How DAPO's prompts are learnt and read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from tools.clip.model import ClipShape

TEMPERATURE: Final = 0.07
"""Of the softmax between the texts, as published."""

CARRIED: Final = 0.01
"""Share of what the block before made of the deep tokens that the next one is given (the paper's alpha)."""

GOOD_ANCHOR: Final = "flawless object"
DAMAGED_ANCHOR: Final = "{type} anomaly object"
"""The fixed words of both kinds of prompt, as published."""

UNTYPED: Final = "damaged"
"""The type of damage of which nobody said the type."""

MOST_TYPES: Final = 100

_TEXT_SETS: Final = 10
_TEXT_TOKENS: Final = 5
_DEEP_TOKENS: Final = 4
_STAGES: Final = 4
_PUBLISHED_PX: Final = {(14, 24): 518}
"""Side at which a CLIP of this patch and grid is used in the paper: ViT-L/14@336 at 518 px."""


@dataclass(frozen=True)
class Recipe:
    """What prompts are learnt, and read, with.

    Attributes:
        side_px: side of the square picture that CLIP sees.
        layers: vision blocks with an adapter, whose patches are compared with the texts, counted from 1.
        sets: sets of learnt words for each state, whose texts are averaged.
        words: learnt words to a set.
        text_deep, vision_deep: learnt tokens before each block of the text and of the vision tower.
    """

    side_px: int
    layers: tuple[int, ...]
    sets: int = _TEXT_SETS
    words: int = _TEXT_TOKENS
    text_deep: int = _DEEP_TOKENS
    vision_deep: int = _DEEP_TOKENS

    @classmethod
    def published(cls, shape: ClipShape) -> Self:
        """The paper's recipe, scaled to a CLIP of this shape: adapters at a quarter, half, ... of its blocks.

        Raises:
            ValueError: such a CLIP cannot be looked through so.
        """
        blocks = shape.vision_layers
        recipe = cls(
            side_px=_PUBLISHED_PX.get((shape.patch_px, shape.grid), shape.image_px),
            layers=tuple(
                sorted({max(1, round(blocks * stage / _STAGES)) for stage in range(1, _STAGES + 1)})
            ),
        )
        recipe.check(shape)
        return recipe

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "layers": list(self.layers)}

    def check(self, shape: ClipShape) -> None:
        """See that a CLIP of this shape can be looked through so.

        Raises:
            ValueError: it cannot.
        """
        blocks = shape.vision_layers
        if not self.layers or not all(1 <= layer <= blocks for layer in self.layers):
            raise ValueError(f"layers must lie in 1..{blocks} of {shape}, got {list(self.layers)}")
        if self.side_px < shape.patch_px or self.side_px % shape.patch_px or self.side_px > 4096:
            raise ValueError(f"side_px must be a multiple of {shape.patch_px} up to 4096, got {self.side_px}")
        counts = {
            "sets": self.sets,
            "words": self.words,
            "text_deep": self.text_deep,
            "vision_deep": self.vision_deep,
        }
        for name, count in counts.items():
            if not 1 <= count <= 64:
                raise ValueError(f"{name} must lie in 1..64, got {count}")
