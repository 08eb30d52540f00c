"""A second look where the measurement is doubtful and the good part is plain: then any tone of its own shows.

Experts that learn from one picture of a plain part cannot know how grain and light vary on it. But where the
good part has no structure at all, a defect must bring some, wherever the part lies in the picture.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from graphs.reasoning import Evidence
from tools.types import Pixels

Levels: TypeAlias = npt.NDArray[np.float32]

_PLAIN: Final = 20.0
"""Grey levels that a plain part spans, light included."""

_BLUR: Final = 0.005
_LEAST_BLUR_PX: Final = 1.5
"""Share of the longer side over which tones are gathered, and the least: noise averages out."""

_RIM: Final = 0.03
"""Share of either side that is left out all around: there a shifted picture shows what lies beyond."""

_STANDS_OUT: Final = 14.0
_STEP: Final = 3.0
"""Grey levels at which a tone is as likely a defect as not, and how soon that becomes sure (logistic)."""

SUREST: Final = 0.9


def plain_witness(evidence: Evidence) -> float | None:
    """Probability of a defect by what stands out of a plain good part; None where it is not plain."""
    if evidence.reference is None or evidence.reference.shape != evidence.query.shape:
        return None
    good, seen = _inner(evidence.reference), _inner(evidence.query)
    if good.size == 0 or float(np.ptp(good)) > _PLAIN:
        return None
    difference = seen - good
    strongest = float(np.abs(difference - np.median(difference)).max())
    probability = 1 / (1 + math.exp(-(strongest - _STANDS_OUT) / _STEP))
    return min(SUREST, max(1 - SUREST, probability))


def _inner(image: Pixels) -> Levels:
    """Grey levels without noise and without the rim."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), max(_LEAST_BLUR_PX, _BLUR * max(grey.shape)))
    down, across = (math.ceil(_RIM * side) for side in grey.shape)
    return np.asarray(smooth[down:-down, across:-across], np.float32)
