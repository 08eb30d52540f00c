"""Where a part differs most from a good one, for questions that presume a defect where none was measured."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from graphs.reasoning import Evidence
from tools.regions import find_regions
from tools.types import Region

_BLUR: Final = 0.004
"""Share of the longer side over which differences are gathered: a single pixel is noise."""

_CORE: Final = 0.5
"""Share of the strongest difference that still belongs to its place."""

_MOST: Final = 3


def strongest_differences(evidence: Evidence) -> tuple[Region, ...]:
    """The places that differ most from the reference, the strongest first; none without an aligned one."""
    query, reference = evidence.query, evidence.reference
    if reference is None or reference.shape != query.shape:
        return ()
    difference = cv2.absdiff(query, reference).max(axis=2).astype(np.float32)
    gathered = cv2.GaussianBlur(difference, (0, 0), max(1.0, _BLUR * max(query.shape[:2])))
    strongest = float(gathered.max())
    if strongest <= 0:
        return ()
    values = np.asarray(gathered, np.float32)
    low, high = _CORE * strongest, 0.999 * strongest
    return find_regions(values, low=low, high=high, query=query, reference=reference, limit=_MOST)
