"""What is known of a crop, by modality; what is not known is left out, and never made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tools.defect_types.numbers import Reading, Usual, reading_vector

Modality: TypeAlias = Literal["picture", "text", "numbers"]

MODALITIES: Final[tuple[Modality, ...]] = ("picture", "text", "numbers")

Matrix: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """A crop as a model takes it.

    `picture` are its picture features, `text` is the embedding of what is said of it, of any width, and
    `readings` are the numbers printed on its picture. None, or no readings: not known.
    """

    picture: npt.NDArray[np.float32] | None
    text: npt.NDArray[np.float32] | None = None
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True)
class Table:
    """Crops as arrays: for each modality one row a crop, zeros where it is not known, and what is known.

    `values[modality]` has shape (crops, width), `known[modality]` (crops,), bool. A modality that no crop of
    those learnt from has is not there.
    """

    values: dict[Modality, Matrix]
    known: dict[Modality, npt.NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(next(iter(self.known.values())))

    def rows(self, chosen: Sequence[int] | npt.NDArray[np.intp]) -> Table:
        """Some of the crops, in this order."""
        return Table(
            {name: values[chosen] for name, values in self.values.items()},
            {name: known[chosen] for name, known in self.known.items()},
        )


@dataclass(frozen=True)
class Scale:
    """Brings a modality's numbers to like size: (value - mean) / spread, both of shape (width,)."""

    mean: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]

    @classmethod
    def of(cls, values: Matrix) -> Scale:
        """That of some rows. Numbers that hardly vary are not blown up: a tenth of all spread is added."""
        mean, spread = values.mean(axis=0), values.std(axis=0)
        return cls(mean, spread + 0.1 * float(values.std()) + 1e-6)

    def __call__(self, values: Matrix) -> Matrix:
        """Rows brought to size."""
        scaled: Matrix = ((values - self.mean) / self.spread).astype(np.float32)
        return scaled


def raw_table(crops: Sequence[Features], widths: dict[Modality, int], usual: Sequence[Usual]) -> Table:
    """Crops as arrays, not brought to size.

    Args:
        crops: one or more.
        widths: of the modalities wanted.
        usual: the readings that are taken.

    Raises:
        ValueError: a crop's features have another width.
    """
    values: dict[Modality, Matrix] = {}
    known: dict[Modality, npt.NDArray[np.bool_]] = {}
    for modality, width in widths.items():
        rows = [_row(crop, modality, usual) for crop in crops]
        for row in rows:
            if row is not None and row.shape != (width,):
                raise ValueError(f"{modality} features have shape {row.shape}, not {(width,)}")
        known[modality] = np.array([row is not None for row in rows])
        values[modality] = np.stack([np.zeros(width, np.float32) if row is None else row for row in rows])
    return Table(values, known)


def widths_of(crops: Sequence[Features], usual: Sequence[Usual]) -> dict[Modality, int]:
    """The modalities that any crop has, with their widths."""
    found = {
        modality: next(
            (row.shape[0] for crop in crops if (row := _row(crop, modality, usual)) is not None), 0
        )
        for modality in MODALITIES
    }
    return {modality: width for modality, width in found.items() if width}


def _row(crop: Features, modality: Modality, usual: Sequence[Usual]) -> npt.NDArray[np.float32] | None:
    match modality:
        case "picture":
            return crop.picture
        case "text":
            return crop.text
        case "numbers":
            return reading_vector(crop.readings, usual) if usual else None
