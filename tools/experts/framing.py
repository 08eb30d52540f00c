"""What a patch expert sees of an image: its size, and what must be said about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import cv2
import numpy as np

from tools.types import Pixels

ANYWHERE: Final = "Compares patches wherever they lie: a right thing in a wrong place is not seen."
"""The note of every expert that takes patches for a bag."""

_SIDE_MULTIPLE_PX: Final = 32


def seen_size_hw(image: Pixels, long_side_px: int) -> tuple[int, int]:
    """Size at which a network sees an image: the shape kept as far as multiples of 32 px allow."""
    scale = long_side_px / max(image.shape[:2])
    height, width = (
        max(_SIDE_MULTIPLE_PX, round(side * scale / _SIDE_MULTIPLE_PX) * _SIDE_MULTIPLE_PX)
        for side in image.shape[:2]
    )
    return height, width


def resized(image: Pixels, size_hw: tuple[int, int]) -> Pixels:
    """An image at another size; each pixel of a smaller one is the mean of those that it covers."""
    height, width = size_hw
    method = cv2.INTER_AREA if max(size_hw) <= max(image.shape[:2]) else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method).astype(np.uint8, copy=False)


def within_reach(image: Pixels, long_side_px: int) -> Pixels:
    """A large image brought to twice the size that is seen: copies of it cost less and look the same."""
    scale = 2 * long_side_px / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return resized(image, (height, width))


def distinct(images: Sequence[Pixels]) -> list[Pixels]:
    """The images without repetitions: one that is given twice teaches, and counts, once."""
    return [images[index] for index in first_of_each(images)]


def first_of_each(images: Sequence[Pixels]) -> list[int]:
    """Indices of the images that are not repetitions of an earlier one."""
    first: dict[tuple[tuple[int, ...], bytes], int] = {}
    for index, image in enumerate(images):
        first.setdefault((image.shape, image.tobytes()), index)
    return list(first.values())


def framing_notes(
    image: Pixels, long_side_px: int, good_sizes_hw: Collection[tuple[int, int]]
) -> tuple[str, ...]:
    """Sentences for the reader of a report, where the size of the image limits what was measured."""
    height, width = image.shape[:2]
    seen_height, seen_width = seen_size_hw(image, long_side_px)
    across, down = seen_width / width, seen_height / height
    notes = []
    if min(across, down) < 0.5:
        notes.append(f"The image was seen at {seen_width}x{seen_height} px: finer defects may not show.")
    if max(across, down) > 2:
        notes.append(f"The image has only {width}x{height} px and was enlarged: fine defects cannot show.")
    if not 0.8 < across / down < 1.25:
        notes.append(f"The image, {width}x{height} px, was seen at {seen_width}x{seen_height}, out of shape.")
    if (seen_height, seen_width) not in good_sizes_hw:
        notes.append("The image has not the shape of the good images, which alone can raise the score.")
    return tuple(notes)
