"""The map where good parts are at hand: how unlike a patch is to all good ones (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.anomalygpt.decoder import enlarged
from tools.types import Pixels


def turned(normals: Sequence[Pixels]) -> list[Pixels]:
    """Each good picture in four directions, as published: a part may lie otherwise."""
    return [np.ascontiguousarray(np.rot90(picture, quarter)) for picture in normals for quarter in range(4)]


@torch.no_grad()
def unlike(patches: Tensor, good: Tensor, map_px: int) -> Tensor:
    """1 - the highest cosine of a patch and any good one of its block, the mean over the blocks.

    Args:
        patches: of one picture, shape (blocks, patches, width).
        good: of all good pictures, shape (blocks, good patches, width).
        map_px: side of the map.

    Returns:
        Shape (side, side), 0 to 1.
    """
    alike = functional.normalize(patches, dim=-1) @ functional.normalize(good, dim=-1).transpose(1, 2)
    apart = (1 - alike.amax(dim=-1)).clamp(0, 1).mean(dim=0)
    side = round(len(apart) ** 0.5)
    return enlarged(apart.reshape(1, 1, side, side), map_px)[0, 0]
