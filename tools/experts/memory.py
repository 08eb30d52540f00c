"""What is kept of a good picture, so that limits can be set anew when more good pictures come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.experts.patches import Bank, Patches
from tools.experts.whole_look import Look, Traits
from tools.masks import Inside
from tools.types import MapValues, Pixels

_ARRAYS: Final = ("grid", "extra", "retaken", "thumb", "frames", "look", "looks_retaken", "traits")


@dataclass(frozen=True)
class Memory:
    """One good picture.

    Attributes:
        grid: its patches, shape (height, width, channels); float32 that float16 holds exactly.
        extra: patches of its turned and re-imaged copies that it did not know itself, shape (rows, channels).
        retaken: scores of its re-imaged copies against the picture and each other, shape (copies,).
        thumb: see `thumbnail`.
        frames: how far next frames of the same part lie from the picture, by `apart`, shape (frames,).
        look: of the whole picture; see `whole_look`.
        looks_retaken: of the copies, shape (copies, 2 * channels).
        traits: of the whole picture.
    """

    grid: Patches
    extra: Patches
    retaken: npt.NDArray[np.float32]
    thumb: npt.NDArray[np.float32]
    frames: npt.NDArray[np.float32]
    look: Look
    looks_retaken: npt.NDArray[np.float32]
    traits: Traits


@dataclass(frozen=True)
class Recollection:
    """A bank of several memories, in which each can be left out.

    Attributes:
        bank: rows of all.
        own: the rows of each memory.
    """

    bank: Bank
    own: tuple[slice, ...]

    @classmethod
    def of(
        cls, memories: Sequence[Memory], insides: Sequence[Inside | None], rows: int, seed: int
    ) -> Recollection:
        """Join memories; each brings its share of at most `rows` patches, drawn at random, and its extras.

        A coreset in place of the draw was no more accurate and took seconds (docs/LOG.md).
        """
        each = max(rows // len(memories), 1)
        parts, own, start = [], [], 0
        for owner, (memory, inside) in enumerate(zip(memories, insides, strict=True)):
            patches = counted(memory.grid, inside)
            if len(patches) > each:
                drawn = np.random.default_rng([seed, owner]).permutation(len(patches))[:each]
                patches = patches[np.sort(drawn)]
            parts += [patches, memory.extra]
            stop = start + len(patches) + len(memory.extra)
            own.append(slice(start, stop))
            start = stop
        return cls(Bank(np.concatenate(parts)), tuple(own))

    def left_out(self, index: int, grid: Patches) -> MapValues:
        """Distances of the patches of one memory to those of the others."""
        return self.bank.distances(grid, but=self.own[index])


def counted(grid: Patches, inside: Inside | None) -> Patches:
    """Patches that count, as rows."""
    return grid.reshape(-1, grid.shape[-1]) if inside is None else grid[inside]


def thumbnail(image: Pixels) -> npt.NDArray[np.float32]:
    """An image at an eighth of its size, shape (height / 8, width / 8, 3), float32."""
    height, width = (max(1, side // 8) for side in image.shape[:2])
    small = cv2.resize(image.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32, copy=False)


def apart(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """How far two thumbnails lie from each other, in grey levels (root mean square); sizes may differ.

    So small, noise has averaged out and the jitter of a camera hardly counts: what is left between frames of
    one part is far less than between two parts. Features are no measure of that, since those of a fine
    texture follow every pixel of jitter (docs/LOG.md).
    """
    if one.shape != other.shape:
        sized = cv2.resize(other, (one.shape[1], one.shape[0]), interpolation=cv2.INTER_AREA)
        other = sized.astype(np.float32, copy=False)
    return float(np.sqrt(np.square(one - other).mean()))


def halved(values: Patches) -> Patches:
    """Values as float16 holds them, in float32: what is kept on disk is what was compared."""
    return values.astype(np.float16).astype(np.float32)


def packed(memories: Sequence[Memory]) -> dict[str, npt.NDArray[Any]]:
    """Memories as arrays by name; patches as float16, which loses nothing."""
    found: dict[str, npt.NDArray[Any]] = {}
    for index, memory in enumerate(memories):
        for name in _ARRAYS:
            values = getattr(memory, name)
            found[f"{index}.{name}"] = values.astype(np.float16) if name in ("grid", "extra") else values
    return found


def unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> list[Memory]:
    """Memories from what `packed` made of them.

    Raises:
        KeyError: an array is missing.
    """
    count = sum(name.endswith(".grid") for name in arrays)
    return [
        Memory(**{name: arrays[f"{index}.{name}"].astype(np.float32) for name in _ARRAYS})
        for index in range(count)
    ]
