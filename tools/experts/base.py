"""The one protocol that every perception expert keeps: fit on good images, then read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tools.types import Measurement, Pixels


class FittedExpert(Protocol):
    """An expert that knows what good looks like. Safe to use from several threads."""

    @property
    def name(self) -> str:
        """The name under which `--expert` finds it."""

    def read(self, image: Pixels) -> Measurement:
        """Measure one image.

        Args:
            image: RGB, shape (height, width, 3), uint8.

        Raises:
            ViewMismatch: the expert compares place by place and the views differ.
        """


class Expert(Protocol):
    """Makes a `FittedExpert` from good images, and calibrates it on nothing else."""

    @property
    def name(self) -> str:
        """The name under which `--expert` finds it."""

    def fit(self, normals: Sequence[Pixels]) -> FittedExpert:
        """Learn from good images of one product.

        Args:
            normals: at least one RGB image, shape (height, width, 3), uint8; sizes may differ.

        Raises:
            ValueError: no image was given.
            ExpertUnavailable: weights or a package are missing.
        """
