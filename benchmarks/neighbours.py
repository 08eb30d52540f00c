"""The plainest PatchCore on the embedded backbone: every patch is kept, the farthest one counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from tools.experts.backbones import EmbeddedBackbone, Features
from tools.types import Pixels

SIDE_PX: Final = 320
ROWS_AT_ONCE: Final = 200


class PlainNeighbours:
    """Bank of all patches of the good images: strides 8 and 16, pooled 3x3, joined; score: largest distance.

    Args:
        backbone: where the features come from.
        normals: good images.
    """

    def __init__(self, backbone: EmbeddedBackbone, normals: Sequence[Pixels]) -> None:
        self._backbone = backbone
        self._bank = np.concatenate([self._patches(image) for image in normals])
        self._squares = (self._bank**2).sum(axis=1)

    def score(self, image: Pixels) -> float:
        """Largest Euclidean distance of a patch to its nearest neighbour in the bank."""
        patches = self._patches(image)
        farthest = 0.0
        for start in range(0, len(patches), ROWS_AT_ONCE):
            some = patches[start : start + ROWS_AT_ONCE]
            squared = (some**2).sum(axis=1) + (self._squares - 2 * some @ self._bank.T).min(axis=1)
            farthest = max(farthest, float(squared.max()))
        return math.sqrt(farthest)

    def _patches(self, image: Pixels) -> Features:
        seen = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
        fine, coarse = (cv2.blur(maps[0], (3, 3)) for maps in self._backbone.features(seen[None]))
        side = fine.shape[0]
        joined = np.concatenate([fine, cv2.resize(coarse, (side, side))], axis=2)
        return np.asarray(joined.reshape(-1, joined.shape[2]), np.float32)
