"""Pictures as CLIP sees them."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tools.types import Pixels

_MEAN: Final = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD: Final = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
"""Of OpenAI's and open_clip's training pictures, in 0..1."""


def normalised(picture: Pixels, side_px: int) -> Tensor:
    """A picture squeezed into the square that CLIP sees (bicubic), normalised, shape (3, side, side)."""
    square = Image.fromarray(picture).resize((side_px, side_px), Image.Resampling.BICUBIC)
    values = (np.asarray(square, dtype=np.float32) / 255 - _MEAN) / _STD
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
