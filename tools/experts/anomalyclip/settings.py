"""How a CLIP is looked through: learnt prompts are worth something only with what they were learnt with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from tools.clip.model import ClipShape

TEMPERATURE: Final = 0.07
"""Of the softmax between the good and the damaged text, as published."""

PROMPT_TOKENS: Final = 12
DEEP_TOKENS: Final = 4
DEEP_DEPTH: Final = 9
"""Text blocks with learnt tokens: the first has those of the prompt, the eight after it have their own."""

_ALIKE_SHARE: Final = 19 / 24
"""Of the vision blocks, from the last one back, run V-V attention; published for the 24 of a ViT-L."""

_PUBLISHED_PX: Final = {(14, 24): 518}
"""Side at which a CLIP of this patch and grid is used in the paper: ViT-L/14@336 at 518 px."""


@dataclass(frozen=True)
class Recipe:
    """What prompts are learnt, and read, with.

    Attributes:
        side_px: side of the square picture that CLIP sees.
        layers: vision blocks whose patches are compared with the texts, counted from 1.
        alike_blocks: how many of the last vision blocks run V-V attention.
    """

    side_px: int
    layers: tuple[int, ...]
    alike_blocks: int

    @classmethod
    def published(cls, shape: ClipShape, layers: Sequence[int] = ()) -> Self:
        """The paper's recipe for a CLIP of this shape.

        Args:
            shape: of the CLIP.
            layers: vision blocks to compare; none takes the last one, as the authors do since April 2025
                (their earlier code read four blocks, and the same values from each).

        Raises:
            ValueError: the CLIP has no such block.
        """
        recipe = cls(
            side_px=_PUBLISHED_PX.get((shape.patch_px, shape.grid), shape.image_px),
            layers=tuple(sorted(set(layers))) or (shape.vision_layers,),
            alike_blocks=min(round(_ALIKE_SHARE * shape.vision_layers), shape.vision_layers - 1),
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
        if not 0 <= self.alike_blocks < blocks:
            raise ValueError(f"alike_blocks must lie in 0..{blocks - 1}, got {self.alike_blocks}")
        if self.side_px < shape.patch_px or self.side_px % shape.patch_px or self.side_px > 4096:
            raise ValueError(f"side_px must be a multiple of {shape.patch_px} up to 4096, got {self.side_px}")
