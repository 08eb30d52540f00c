"""From a place of a picture to what learnt types are told by: the one way, in training and in inspections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from graphs.findings.telling import tell, tell_whole
from tools.defect_types.crops import Crop
from tools.defect_types.features import Features
from tools.defect_types.numbers import Reading, readings_in
from tools.defect_types.picture_features import Maps, picture_features
from tools.types import Pixels, Region

Encode: TypeAlias = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Texts to rows of one width."""

ReadPrint: TypeAlias = Callable[[Pixels], Sequence[str]]
"""A picture to the lines printed on it."""


@dataclass(frozen=True)
class FeatureMaker:
    """Makes features of crops.

    Attributes:
        maps: the frozen image backbone.
        encode: the frozen text model.
        read_print: reads lines off a picture.
    """

    maps: Maps
    encode: Encode
    read_print: ReadPrint

    def picture(self, crop: Crop) -> npt.NDArray[np.float32]:
        """Picture features of a crop."""
        return picture_features(crop, self.maps)

    def texts(self, told: Sequence[str]) -> list[npt.NDArray[np.float32] | None]:
        """Embeddings of texts; None for an empty one. Equal texts are embedded once."""
        distinct = sorted({text for text in told if text})
        rows = dict(zip(distinct, self.encode(distinct), strict=True)) if distinct else {}
        return [rows.get(text) for text in told]

    def readings(self, picture: Pixels) -> tuple[Reading, ...]:
        """Numbers printed on a picture."""
        return readings_in(self.read_print(picture))

    def of(self, crop: Crop, told: str, readings: tuple[Reading, ...]) -> Features:
        """All features of one crop."""
        return Features(self.picture(crop), self.texts([told])[0], readings)


def told_of(picture: Pixels, good: Pixels | None, region: Region | None) -> str:
    """What is said of a place, or of a whole picture where no place is marked."""
    return tell_whole(picture) if region is None else tell(picture, good, region)
