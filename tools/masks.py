"""Masks of pixels that count: a region of interest, or the marked defects of an annotated image."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import MaskUnusable
from tools.image import ImageStore
from tools.types import Box, ImageRef, Pixels

Inside: TypeAlias = npt.NDArray[np.bool_]
"""True where a pixel counts, shape (height, width)."""

ASPECT_TOLERANCE: Final = 0.02
"""A mask may differ so much from its image in the ratio of the sides: the rounding of a reduced copy."""

_GREY: Final = 128


@dataclass(frozen=True, eq=False)
class Mask:
    """Pixels that count, in a frame of their own size; `sized` brings them to the frame of an image.

    Args:
        inside: shape (height, width), bool.
    """

    inside: Inside

    @classmethod
    def of_picture(cls, picture: Pixels) -> Self:
        """A mask drawn as a picture: every pixel that is not black counts."""
        return cls(picture.max(axis=2) > 0)

    @classmethod
    def of_box(cls, box: Box, width_px: int, height_px: int) -> Self:
        """The pixels of a box, in an image of this size.

        Raises:
            ValueError: the box does not lie in the image.
        """
        if box.x1 > width_px or box.y1 > height_px:
            raise ValueError(f"box {box.xyxy} does not lie in the image of {width_px}x{height_px} px")
        inside = np.zeros((height_px, width_px), bool)
        inside[box.y0 : box.y1, box.x0 : box.x1] = True
        return cls(inside)

    @cached_property
    def digest(self) -> str:
        """The same for equal masks: sha256 over size and pixels."""
        height, width = self.inside.shape
        return hashlib.sha256(f"{height}x{width}".encode() + np.packbits(self.inside).tobytes()).hexdigest()

    @property
    def is_empty(self) -> bool:
        """Whether no pixel counts."""
        return not self.inside.any()

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """Of each connected piece, the largest first."""
        inside = self.inside.astype(np.uint8)
        left, top, wide, high = cv2.boundingRect(inside)
        window = inside[top : top + high, left : left + wide]
        _, _, stats, _ = cv2.connectedComponentsWithStats(window, connectivity=8)
        pieces = sorted(stats[1:].tolist(), key=lambda piece: -piece[4])
        return tuple(
            Box(x0=left + x, y0=top + y, x1=left + x + wide, y1=top + y + high)
            for x, y, wide, high, _ in pieces
        )

    def sized(self, height: int, width: int) -> Inside:
        """The mask stretched to an image of this size: shape (height, width), bool.

        A pixel counts where at least half of what it covers does; in a mask that is not empty the one that
        covers most does so always.
        """
        if self.inside.shape == (height, width):
            return self.inside
        rows, columns = self.inside.shape
        # Sides that shrink first: only INTER_AREA sees every pixel, and only there.
        smaller_wh = (min(columns, width), min(rows, height))
        shares = cv2.resize(self.inside.astype(np.float32), smaller_wh, interpolation=cv2.INTER_AREA)
        shares = cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR)
        found: Inside = shares >= min(0.5, float(shares.max()) or 1.0)
        return found

    def faded(self, image: Pixels, *, left: float = 0.0) -> Pixels:
        """The image with what does not count turned grey; `left` of its contrast there (0..1) stays."""
        inside = self.sized(*image.shape[:2])
        shown = image.copy()
        shown[~inside] = np.rint(_GREY + left * (shown[~inside].astype(np.float32) - _GREY))
        return shown


def mask_for(image: ImageRef, source: Box | ImageRef, images: ImageStore) -> Mask:
    """The mask that a box or a mask picture stands for, in the frame of an image.

    Raises:
        MaskUnusable: it does not fit the image.
        ImageError: the mask picture cannot be read.
    """
    if isinstance(source, Box):
        try:
            return Mask.of_box(source, image.width_px, image.height_px)
        except ValueError as error:
            raise MaskUnusable(f"{image.path}: {error}; give a box inside it") from error
    ratio = (source.width_px / source.height_px) / (image.width_px / image.height_px)
    if abs(ratio - 1) > ASPECT_TOLERANCE:
        raise MaskUnusable(
            f"mask {source.path} ({source.width_px}x{source.height_px} px) has not the shape of {image.path} "
            f"({image.width_px}x{image.height_px} px); draw it over the image itself"
        )
    return Mask.of_picture(images.pixels(source))
