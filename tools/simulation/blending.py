"""Poisson image editing in a window of a picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tools.types import Pixels


def blend_into(
    pixels: Pixels, patch: Pixels, cover: npt.NDArray[np.uint8], corner_xy: tuple[int, int], flag: int
) -> None:
    """Blend a patch into a picture by Poisson image editing, in place.

    Only a window around the patch is given to `cv2.seamlessClone`: the equation is solved over the patch,
    with its border as the condition, so that the rest of the picture does not matter.

    Args:
        pixels: RGB, shape (height, width, 3), uint8; changed.
        patch: RGB, of the shape of `cover`.
        cover: 255 where the patch shows, 0 elsewhere and on its border.
        corner_xy: where the patch's top left corner comes to lie.
        flag: `cv2.NORMAL_CLONE` or `cv2.MIXED_CLONE`.
    """
    left, top, wide, high = cv2.boundingRect(cover)
    x0, y0 = corner_xy
    height, width = pixels.shape[:2]
    rows = slice(max(0, y0 + top - 2), min(height, y0 + top + high + 2))
    columns = slice(max(0, x0 + left - 2), min(width, x0 + left + wide + 2))
    window = np.ascontiguousarray(pixels[rows, columns])
    centre = (x0 + left + wide // 2 - columns.start, y0 + top + high // 2 - rows.start)
    given = cover.copy()  # cv2.seamlessClone writes into the mask that it is given
    pixels[rows, columns] = cv2.seamlessClone(patch, window, given, centre, flag)
