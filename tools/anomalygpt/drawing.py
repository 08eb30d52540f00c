"""Defects drawn into good pictures while it learns, others each time, as published (paper, section 3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from tools.anomalygpt.answers import say_answer
from tools.anomalygpt.lessons import Lesson, told_cells
from tools.errors import LearningError, SimulationError
from tools.image import ImageStore
from tools.simulation.part import GoodPart
from tools.simulation.simulate import simulate
from tools.simulation.types import SimulationKind

SHARE: Final = 0.5
"""Of the good pictures that are shown with a defect: as many answers say yes as no."""

_VAIN: Final = 20
"""Pictures on which nothing could be drawn, one after the other from the first on, until that is an error."""

_PARTS: Final = 32
"""Good parts that are kept, with what was found in them: 4 MB each at 1024x1024 px."""


class Drawing:
    """Draws defects into good pictures.

    Args:
        images: how pictures are read.
        kinds: what is drawn, one kind or weights of several; NSA is the published one.
    """

    def __init__(
        self, images: ImageStore, kinds: SimulationKind | Mapping[SimulationKind, float] = "nsa"
    ) -> None:
        self._images = images
        self._kinds = kinds
        self._part = lru_cache(_PARTS)(self._opened)
        self._drew, self._in_vain = False, 0

    def __call__(self, lesson: Lesson, rng: np.random.Generator) -> Lesson:
        """The lesson with a defect drawn into its picture and told in its answer, or as it is.

        As it is stay damaged pictures and instructions, half of the good ones, and those on which nothing
        that was drawn could be seen.

        Args:
            lesson: of a picture; patches come from another good one of its product.
            rng: what to draw from; equal ones give equal pixels.

        Raises:
            ImageError: a picture cannot be read.
            LearningError: on none of the first pictures could anything be drawn.
        """
        if lesson.example is None or lesson.example.mask is not None or rng.random() >= SHARE:
            return lesson
        other = lesson.beside(rng)
        seed = int(rng.integers(2**63))
        try:
            others = () if other is None else (self._part(other),)
            drawn = simulate(self._part(lesson.picture), others, self._kinds, seed)
        except SimulationError as error:
            self._in_vain += 1
            if not self._drew and self._in_vain >= _VAIN:
                raise LearningError(
                    f"no defect could be drawn into {_VAIN} good pictures ({error}); draw another kind, or "
                    "learn from marked pictures"
                ) from error
            return lesson
        self._drew = True
        height, width = drawn.mask.shape
        answer = say_answer(told_cells(drawn.boxes, width, height))
        # Beside the picture that a patch is of, the patch would look good.
        goods = tuple(good for good in lesson.goods if good != other)
        beside = goods if any(good != lesson.picture for good in goods) else lesson.goods
        return replace(lesson, answer=answer, drawn=drawn, goods=beside)

    def _opened(self, picture: Path) -> GoodPart:
        return GoodPart(self._images.pixels(self._images.open(picture)))
