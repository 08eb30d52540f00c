"""The parts that the example pictures show, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Linear = npt.NDArray[np.float32]
"""Linear light or coverage, float32; (height, width, 3) for colour, (height, width) for one channel."""

SceneBox = tuple[float, float, float, float]
"""x0, y0, x1, y1 in scene pixels."""


class Scene(NamedTuple):
    """A part as it lies before the camera: linear RGB of shape (1280, 1280, 3), and where its defects are."""

    light: Linear
    defects: tuple[tuple[str, SceneBox], ...]


class Anatomy(NamedTuple):
    """What other flaws of a part can be composed of, beside the two that its pictures show.

    `versions` are scenes of the whole part with one thing changed everywhere ("no copper"): laid over the
    good part inside a small shape they give a flaw with a known outline. `places` are coverages of its
    features.
    """

    good: Linear
    versions: Mapping[str, Linear]
    places: Mapping[str, Linear]


class Product(NamedTuple):
    """How to draw one part: `draw(None)` is a good one, `draw(defect)` the same part with that defect."""

    name: str
    defects: tuple[str, ...]
    draw: Callable[[str | None], Scene]
    anatomy: Callable[[], Anatomy]
