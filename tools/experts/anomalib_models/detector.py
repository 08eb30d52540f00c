"""What a model of anomalib must offer to be an expert here.

A model sees a picture once. What it saw can be measured against what it saw of good pictures, whichever of
these are left out: so fitting, leave-one-out and reading each pass a picture through the network once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tools.experts.anomalib_models.frame import Frame
from tools.experts.base import Scope
from tools.masks import Inside, Mask
from tools.types import MapValues, Pixels

if TYPE_CHECKING:
    import torch

Sight: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""What a model sees of one picture, and remembers of a good one: arrays by name, float32 or bool."""


@dataclass(frozen=True)
class Bank:
    """What is known of good pictures, ready for search, in parts of shape (rows, channels) each.

    `owners` says for each row of a part which picture it came from, shape (rows,), so that one can be left
    out. `pictures` is their number.
    """

    parts: Mapping[str, torch.Tensor]
    owners: Mapping[str, npt.NDArray[np.intp]]
    pictures: int

    @classmethod
    def of(cls, pictures: Sequence[Mapping[str, npt.NDArray[np.float32]]]) -> Bank:
        """The bank of these pictures' rows; of none where there are none."""
        import torch

        names = pictures[0] if pictures else ()
        return cls(
            {name: torch.from_numpy(np.concatenate([rows[name] for rows in pictures])) for name in names},
            {
                name: np.repeat(np.arange(len(pictures)), [len(rows[name]) for rows in pictures])
                for name in names
            },
            len(pictures),
        )

    def without(self, picture: int) -> Bank:
        """The bank as if it did not know one picture."""
        import torch

        kept = {name: owners != picture for name, owners in self.owners.items()}
        return Bank(
            {name: rows[torch.from_numpy(kept[name])] for name, rows in self.parts.items()},
            {name: owners[kept[name]] for name, owners in self.owners.items()},
            self.pictures - 1,
        )


@dataclass(frozen=True)
class Found:
    """What a model measured: a map at the size that it saw, and the score of the whole picture."""

    values: MapValues
    score: float

    @property
    def peak(self) -> float:
        """Highest value of the map, which can be another than the score and in another unit."""
        return float(self.values.max())


Opener: TypeAlias = "Callable[[Scope, Sight], Detector]"
"""Makes a detector for a scope, given what an earlier one made of its words, if that was kept."""


class Detector(Protocol):
    """A model that holds what it knows outside of itself. Safe to use from several threads."""

    @property
    def frame(self) -> Frame:
        """The size at which it sees."""

    @property
    def said(self) -> Sight:
        """What it made of the words of a scope, to be kept with a fit; empty for a model without words."""

    def see(self, images: Sequence[Pixels], roi: Mask | None, *, learning: bool = False) -> list[Sight]:
        """What it sees of images of any sizes, several at once through the network.

        Args:
            images: RGB, uint8.
            roi: what of them counts; None: all.
            learning: the images are good ones and will be remembered.
        """

    def bank(self, sights: Sequence[Sight]) -> Bank:
        """What is remembered of good pictures, thinned where there is much of it."""

    def measure(self, sight: Sight, bank: Bank) -> Found:
        """Measure what was seen of a picture against a bank."""

    def plausible(self, sight: Sight) -> Found:
        """Measure each quarter of a good picture against its other three: how far apart its places are."""

    def check(self, sight: Sight) -> None:
        """See that arrays from outside are what this model sees.

        Raises:
            KeyError, ValueError, TypeError: they are not.
        """


def quarters(height: int, width: int) -> list[tuple[Inside, Inside]]:
    """Each quarter of a grid, and the quarter with the places that touch it: shape (height, width), bool."""
    found = []
    for rows in (slice(0, height // 2), slice(height // 2, height)):
        for columns in (slice(0, width // 2), slice(width // 2, width)):
            quarter, grown = np.zeros((height, width), bool), np.zeros((height, width), bool)
            quarter[rows, columns] = True
            grown[max(rows.start - 1, 0) : rows.stop + 1, max(columns.start - 1, 0) : columns.stop + 1] = True
            found.append((quarter, grown))
    return found


def check_array(sight: Sight, name: str, shape: Sequence[int | None], kind: str) -> npt.NDArray[Any]:
    """One array of a sight from outside.

    Args:
        sight: the arrays.
        name: of the one wanted.
        shape: its lengths, None where any will do.
        kind: "float32" or "bool".

    Raises:
        KeyError, ValueError: it is missing, or is another than wanted, or holds what is no number.
    """
    array = sight[name]
    if (
        array.dtype != kind
        or array.ndim != len(shape)
        or any(wanted not in (None, length) for wanted, length in zip(shape, array.shape, strict=True))
        or not np.isfinite(array).all()
    ):
        raise ValueError(
            f"{name} must be finite {kind} of shape {tuple(shape)}, got {array.dtype} {array.shape}"
        )
    return array
