"""The size at which a network sees a picture, and what a reader must know of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.experts.framing import resized
from tools.types import Pixels


@dataclass(frozen=True)
class Frame:
    """How pictures are brought to what a network takes.

    Attributes:
        long_side_px: longer side of what it sees.
        multiple_px: both sides are multiples of this.
        square: whether it takes squares only, into which every shape is then squeezed.
        mean, std: of each colour channel in 0..1, by which the network's training normalised.
    """

    long_side_px: int
    multiple_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    square: bool = False

    def size_hw(self, image: Pixels) -> tuple[int, int]:
        """Size at which an image is seen: its shape kept as far as `multiple_px` and `square` allow."""
        if self.square:
            return (self.long_side_px, self.long_side_px)
        scale = self.long_side_px / max(image.shape[:2])
        height, width = (
            max(self.multiple_px, round(side * scale / self.multiple_px) * self.multiple_px)
            for side in image.shape[:2]
        )
        return height, width

    def seen(self, image: Pixels) -> Pixels:
        """The image as it is seen, not yet normalised."""
        return resized(image, self.size_hw(image))

    def normalised(self, seen: Pixels) -> npt.NDArray[np.float32]:
        """What the network takes: shape (3, height, width), float32."""
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return np.ascontiguousarray(((seen.astype(np.float32) / 255 - mean) / std).transpose(2, 0, 1))

    def notes(self, image: Pixels, good_sizes_hw: Collection[tuple[int, int]]) -> tuple[str, ...]:
        """Sentences for the reader of a report, where the image's size limits what was measured.

        Args:
            image: the query.
            good_sizes_hw: sizes at which the good images were seen; empty if there are none.
        """
        height, width = image.shape[:2]
        seen_height, seen_width = self.size_hw(image)
        across, down = seen_width / width, seen_height / height
        notes = []
        if max(across, down) > 2:
            notes.append(
                f"The image has only {width}x{height} px and was enlarged: fine defects cannot show."
            )
        if not 0.8 < across / down < 1.25:
            notes.append(
                f"The image, {width}x{height} px, was seen at {seen_width}x{seen_height}, out of shape."
            )
        if good_sizes_hw and (seen_height, seen_width) not in good_sizes_hw:
            notes.append("The image has not the shape of the good images, which alone can raise the score.")
        return tuple(notes)
