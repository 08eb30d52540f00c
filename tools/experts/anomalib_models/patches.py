"""Models that compare patches wherever they lie: what they have in common beside the network.

A sight holds `rows`, the features of the patches that count, shape (patches, channels), float32; `kept`,
which places of the grid those are, shape (height, width), bool, row by row; and with turned copies of a good
picture `turned`, the features of their patches.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import ExpertError
from tools.experts.anomalib_models.detector import Bank, Found, Sight, check_array, quarters
from tools.experts.anomalib_models.frame import Frame
from tools.masks import Inside, Mask
from tools.types import MapValues, Pixels

if TYPE_CHECKING:
    import torch

Thinning: TypeAlias = Literal["random", "coreset"]
"""How a bank that is too large loses rows; the coreset costs seconds and kept no more accuracy here."""

_AT_ONCE: Final = 8
"""Pictures in one pass through the network."""

_ROWS_AT_ONCE: Final = 1024
_MAP_SIGMA_PX: Final = 4.0
_CORESET_CHANNELS: Final = 128


class PatchDetector(ABC):
    """A model that measures each patch by its distance to the nearest ones in a bank.

    Args:
        frame: the size at which the network sees.
        channels: of a patch's features.
        bank_rows: most rows of a bank.
        thinning: how a larger bank is brought to that.
        angles_deg: good pictures are remembered turned by these as well.
    """

    def __init__(
        self,
        frame: Frame,
        *,
        channels: int,
        bank_rows: int,
        thinning: Thinning = "random",
        angles_deg: Sequence[float] = (),
    ) -> None:
        self.frame = frame
        self._channels = channels
        self._bank_rows = bank_rows
        self._thinning = thinning
        self._angles_deg = tuple(angles_deg)
        self._lock = threading.Lock()

    @property
    def said(self) -> Sight:
        """See `Detector`; nothing."""
        return {}

    @abstractmethod
    def _grids(self, batch: torch.Tensor) -> torch.Tensor:
        """Features of normalised pictures, shape (pictures, height, width, channels)."""

    @abstractmethod
    def _distances(self, rows: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
        """Distance of each row to what is nearest in a bank, shape (rows,)."""

    @abstractmethod
    def _score(self, distances: npt.NDArray[np.float32], values: MapValues) -> float:
        """Score of a picture from the distances of the patches that count, and from its map."""

    @property
    @abstractmethod
    def _stride_px(self) -> int:
        """Pixels from one patch to the next."""

    def _described(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Features as they are compared, shape (patches, channels)."""
        return rows

    def _foreground(self, grid: npt.NDArray[np.float32]) -> Inside:
        """Places of the part in a grid of features; all, unless a model can tell."""
        return np.ones(grid.shape[:2], bool)

    def see(self, images: Sequence[Pixels], roi: Mask | None, *, learning: bool = False) -> list[Sight]:
        """See `Detector`."""
        sights = self._seen([(self.frame.seen(image), roi) for image in images])
        if not (learning and self._angles_deg):
            return sights
        both: list[Sight] = []
        for image, sight in zip(images, sights, strict=True):
            turned = self._seen(_turned(self.frame.seen(image), roi, self._angles_deg))
            rows = [sight["rows"][:0], *(other["rows"] for other in turned)]
            both.append({**sight, "turned": np.concatenate(rows)})
        return both

    def _seen(self, pictures: Sequence[tuple[Pixels, Mask | None]]) -> list[Sight]:
        sights: dict[int, Sight] = {}
        for indices in _batches([picture.shape[:2] for picture, _ in pictures]):
            batch = np.stack([self.frame.normalised(pictures[index][0]) for index in indices])
            for index, grid in zip(indices, self._embedded(batch), strict=True):
                sights[index] = self._counted(grid, pictures[index][1])
        return [sights[index] for index in range(len(pictures))]

    def _embedded(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        import torch

        with self._lock, torch.inference_mode():
            grids: npt.NDArray[np.float32] = self._grids(torch.from_numpy(batch)).contiguous().numpy()
        if not np.isfinite(grids).all():
            raise ExpertError("the backbone gives features that are no numbers: its weights are damaged")
        return grids

    def _counted(self, grid: npt.NDArray[np.float32], roi: Mask | None) -> Sight:
        inside = np.ones(grid.shape[:2], bool) if roi is None else roi.sized(*grid.shape[:2])
        kept = inside & self._foreground(grid)
        kept = kept if kept.any() else inside  # no part found in front of a background: all of it is the part
        return {"rows": self._described(grid[kept]), "kept": kept}

    def bank(self, sights: Sequence[Sight]) -> Bank:
        """See `Detector`; at most `bank_rows` rows."""
        bank = Bank.of([_remembered(sight) for sight in sights])
        rows = bank.parts["rows"].numpy()
        if len(rows) <= self._bank_rows:
            return bank
        kept = np.sort(thinned(rows, self._bank_rows, self._thinning))
        return Bank({"rows": bank.parts["rows"][kept]}, {"rows": bank.owners["rows"][kept]}, bank.pictures)

    def measure(self, sight: Sight, bank: Bank) -> Found:
        """See `Detector`."""
        return self._found(sight["kept"], self._apart(sight["rows"], bank.parts["rows"]))

    def plausible(self, sight: Sight) -> Found:
        """See `Detector`; zero where nothing is left to compare with."""
        import torch

        kept, rows = sight["kept"], sight["rows"]
        distances = np.zeros(len(rows), np.float32)
        for quarter, grown in quarters(*kept.shape):
            others = rows[~grown[kept]]
            if len(others) and quarter[kept].any():
                distances[quarter[kept]] = self._apart(rows[quarter[kept]], torch.from_numpy(others))
        return self._found(kept, distances)

    def _apart(self, rows: npt.NDArray[np.float32], bank: torch.Tensor) -> npt.NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            queries = torch.from_numpy(rows)
            parts = [
                self._distances(queries[start : start + _ROWS_AT_ONCE], bank)
                for start in range(0, len(queries), _ROWS_AT_ONCE)
            ]
            distances: npt.NDArray[np.float32] = torch.cat(parts).numpy()
        return distances

    def _found(self, kept: Inside, distances: npt.NDArray[np.float32]) -> Found:
        grid = np.zeros(kept.shape, np.float32)
        grid[kept] = distances
        values = self._map(grid)
        if not kept.all():
            # Smoothing must not mix in the places that do not count: it weighs by those that do.
            weights = self._map(kept.astype(np.float32))
            values = np.divide(values, weights, out=np.zeros_like(values), where=weights > 1e-3)
            values *= cv2.resize(kept.astype(np.uint8), values.shape[::-1], interpolation=cv2.INTER_NEAREST)
        return Found(values, self._score(distances, values))

    def _map(self, grid: npt.NDArray[np.float32]) -> MapValues:
        """A grid as pixels, smoothed as anomalib does it; its own convolution takes twenty times as long."""
        size_wh = (grid.shape[1] * self._stride_px, grid.shape[0] * self._stride_px)
        values = cv2.resize(grid, size_wh, interpolation=cv2.INTER_NEAREST)
        side = 2 * int(4 * _MAP_SIGMA_PX + 0.5) + 1
        smoothed = cv2.GaussianBlur(values, (side, side), _MAP_SIGMA_PX, borderType=cv2.BORDER_REFLECT_101)
        return smoothed.astype(np.float32, copy=False)

    def check(self, sight: Sight) -> None:
        """See `Detector`."""
        kept = check_array(sight, "kept", (None, None), "bool")
        check_array(sight, "rows", (int(kept.sum()), self._channels), "float32")
        if "turned" in sight:
            check_array(sight, "turned", (None, self._channels), "float32")
        if not kept.any():
            raise ValueError("a good picture of which nothing counts")


def _remembered(sight: Sight) -> dict[str, npt.NDArray[np.float32]]:
    turned = [sight["turned"]] if "turned" in sight else []
    return {"rows": np.concatenate([sight["rows"], *turned])}


def _batches(sizes: Sequence[Any]) -> Iterable[list[int]]:
    """Indices of pictures of one size, a few at a time."""
    by_size: dict[Any, list[int]] = {}
    for index, size in enumerate(sizes):
        by_size.setdefault(size, []).append(index)
    for indices in by_size.values():
        for start in range(0, len(indices), _AT_ONCE):
            yield indices[start : start + _AT_ONCE]


def _turned(seen: Pixels, roi: Mask | None, angles_deg: Sequence[float]) -> list[tuple[Pixels, Mask | None]]:
    """A picture, and what of it counts, turned about its centre; corners are filled by reflection."""
    height, width = seen.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    turned: list[tuple[Pixels, Mask | None]] = []
    for angle in angles_deg:
        turn = cv2.getRotationMatrix2D(centre, angle, 1.0)
        picture = cv2.warpAffine(seen, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        counts = roi
        if roi is not None:
            inside = roi.sized(height, width).astype(np.uint8)
            counts = Mask(cv2.warpAffine(inside, turn, (width, height), flags=cv2.INTER_NEAREST) > 0)
            if counts.is_empty:
                continue
        turned.append((picture.astype(np.uint8, copy=False), counts))
    return turned


def thinned(rows: npt.NDArray[np.float32], count: int, thinning: Thinning) -> npt.NDArray[np.intp]:
    """Indices of `count` rows that stand for all: drawn at random, or a greedy coreset.

    The coreset takes again and again the row farthest from those that it has (Gonzalez 1985; PatchCore,
    section 3.2), in a random projection to 128 channels, out of at most twice `count` rows drawn at random:
    its time grows with the product of the two numbers.

    Args:
        rows: shape (rows, channels), more than `count`.
        count: how many to keep, at least 1.
        thinning: which of the two.
    """
    rng = np.random.default_rng(0)
    drawn: npt.NDArray[np.intp] = rng.permutation(len(rows))
    if thinning == "random":
        return drawn[:count]
    drawn = drawn[: 2 * count]
    some = rows[drawn]
    if some.shape[1] > _CORESET_CHANNELS:
        some = some @ rng.standard_normal((some.shape[1], _CORESET_CHANNELS), dtype=np.float32)
    squares = np.einsum("ij,ij->i", some, some)
    nearest = np.full(len(some), np.inf, np.float32)
    chosen = np.zeros(count, np.intp)
    for step in range(1, count):
        latest = chosen[step - 1]
        np.minimum(nearest, squares - 2 * (some @ some[latest]) + squares[latest], out=nearest)
        nearest[latest] = -np.inf
        chosen[step] = nearest.argmax()
    return drawn[chosen]
