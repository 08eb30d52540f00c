"""What of a picture CLIP is shown, and what it said of it, in the picture's own frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import ExpertError
from tools.masks import Inside, Mask
from tools.types import MapValues, Pixels

TypeMaps: TypeAlias = npt.NDArray[np.float32]
"""Probability of each type at each pixel of what CLIP sees, shape (types, side, side)."""

_AT_A_TIME: Final = 4

_OF_NO_TYPE: Final[TypeMaps] = np.zeros((0, 1, 1), np.float32)


@dataclass(frozen=True)
class Look:
    """What was seen in one picture, in the square that CLIP sees.

    `damaged` is the probability of damage for the whole picture, `map_values` that of each pixel, shape
    (side, side), smoothed. `type_maps` are those of each of the `types`, which sum to it; none where the
    model tells no types apart. Of several compared blocks it is the mean, where the papers add them up, so
    that it stays a probability (the order of the pixels is the same).
    """

    damaged: float
    map_values: MapValues
    types: tuple[str, ...] = ()
    type_maps: TypeMaps = field(default_factory=lambda: _OF_NO_TYPE)


class Recipe(Protocol):
    """What a model looks at pictures with."""

    @property
    def side_px(self) -> int:
        """Side of the square picture that CLIP sees."""

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""


class Model(Protocol):
    """A CLIP with learnt texts. Safe to use from several threads."""

    @property
    def recipe(self) -> Recipe:
        """What its texts were learnt with."""

    def look(self, pictures: Sequence[Pixels]) -> list[Look]:
        """Look at pictures of any sizes, all in one batch."""


@dataclass(frozen=True)
class Sight:
    """Both scores of a picture, and its map, shape (height, width): 0 outside the region of interest.

    `type_maps` stay in the square that CLIP sees: at the size of the picture they would fill the memory.
    """

    whole: float
    peak: float
    map_values: MapValues
    types: tuple[str, ...]
    type_maps: TypeMaps


class Frame:
    """The region of interest: CLIP is shown the smallest upright rectangle around it, or all of the picture.

    Args:
        roi: None for everything.

    Raises:
        ExpertError: nothing is of interest.
    """

    def __init__(self, roi: Mask | None) -> None:
        if roi is not None and roi.is_empty:
            raise ExpertError("the region of interest is empty; mark what counts")
        self._roi = roi

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Frame:
        """The frame that gave these `arrays`."""
        return cls(Mask(arrays["roi"].astype(np.bool_))) if "roi" in arrays else cls(None)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As arrays, for keeping."""
        return {} if self._roi is None else {"roi": self._roi.inside.astype(np.uint8)}

    def cut(self, image: Pixels) -> tuple[slice, slice]:
        """Rows and columns of an image that CLIP is shown."""
        inside = self.inside(image)
        if inside is None:
            return slice(0, image.shape[0]), slice(0, image.shape[1])
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def inside(self, image: Pixels) -> Inside | None:
        """Which pixels of an image count, shape (height, width); None for all."""
        return None if self._roi is None else self._roi.sized(*image.shape[:2])

    def place(self, found: MapValues, image: Pixels) -> tuple[float, MapValues]:
        """Highest value that counts, and the map in the frame of the image.

        Args:
            found: map of what CLIP was shown, of any size.
            image: what it was cut from.
        """
        rows, columns = self.cut(image)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        shown = cv2.resize(found, size, interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        inside = self.inside(image)
        if inside is None:
            return float(found.max()), shown
        counting = Mask(inside[rows, columns])
        map_values = np.zeros(image.shape[:2], np.float32)
        map_values[rows, columns] = np.where(counting.inside, shown, 0)
        return float(found[counting.sized(*found.shape)].max()), map_values


def look_at(model: Model, frame: Frame, images: Sequence[Pixels]) -> list[Sight]:
    """Look at images of any sizes, a few in one pass."""
    seen = []
    for start in range(0, len(images), _AT_A_TIME):
        together = images[start : start + _AT_A_TIME]
        looks = model.look([image[frame.cut(image)] for image in together])
        for image, look in zip(together, looks, strict=True):
            peak, map_values = frame.place(look.map_values, image)
            seen.append(Sight(look.damaged, peak, map_values, look.types, look.type_maps))
    return seen
