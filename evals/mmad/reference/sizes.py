"""At what size the published runners show a picture, done before it is sent; pure.

Done here once a case, so that neither the questions nor the server resize it again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from evals.mmad.reference.prompts import Dialect
from tools.types import Pixels
from tools.vlm.base import VisionLanguageModel
from tools.vlm.frames import SizeLimits, sent_size

AS_LOADED: Final = SizeLimits(multiple=28, min_area_px=4 * 28 * 28, max_area_px=16384 * 28 * 28)
"""What `qwen_vl_utils` makes of a picture when it loads it, before the processor's own 64 to 1280 tokens."""

TILE_PX: Final = 448
"""The InternVL runner shows one tile (`max_num=1`): a square, whatever the picture's shape."""


def as_shown(pixels: Pixels, vlm: VisionLanguageModel, dialect: Dialect) -> Pixels:
    """A picture, RGB uint8 (height, width, 3), at the size at which the dialect's runner shows it.

    Qwen2.5-VL: resized to multiples of 28, then to the model's own limits, bicubic both times, as there;
    a picture of at most 1280 x 28 x 28 pixels is resized only once. InternVL: squeezed to 448 x 448.

    Raises:
        VlmRejected: no size within the limits fits the picture.
    """
    if dialect == "internvl":
        return _resized(pixels, (TILE_PX, TILE_PX))
    loaded = _resized(pixels, sent_size(*_size(pixels), AS_LOADED))
    return _resized(loaded, vlm.sent_size(*_size(loaded)))


def _size(pixels: Pixels) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[0]


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    if _size(pixels) == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
