"""Anomaly maps as a run keeps them: reduced, at half precision, with the marked damage in the same frame."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from evals.errors import RunDamaged
from tools.errors import ExpertError, MaskUnusable
from tools.masks import ASPECT_TOLERANCE, Inside, Mask
from tools.types import MapValues

_TOP_EXPONENT = 15
"""Values are scaled by a power of two so that the largest lies in 2**14..2**15, well inside float16."""


@dataclass(frozen=True, eq=False)
class KeptMap:
    """One image's scores a pixel, and which pixels are damaged.

    Args:
        values: shape (height, width), float32; each has the 11 significant bits of a float16.
        marked: shape (height, width), bool; nothing is marked on a good part.
    """

    values: MapValues
    marked: Inside

    @classmethod
    def of(cls, values: MapValues, mask: Mask | None, side_px: int) -> KeptMap:
        """Bring a map and a mask to a common frame whose longer side has at most `side_px` pixels.

        A pixel of the map becomes the mean of those that it covers, a pixel of the mask counts where at least
        half of what it covers does; damage that is smaller than that keeps its fullest pixel.

        Raises:
            ExpertError: the map holds what is no number.
            MaskUnusable: the mask has not the shape of the map.
        """
        if not np.isfinite(values).all():
            raise ExpertError("the map holds values that are no numbers")
        height, width = values.shape
        if mask is not None:
            rows, columns = mask.inside.shape
            if abs((columns / rows) / (width / height) - 1) > ASPECT_TOLERANCE:
                raise MaskUnusable(
                    f"the mask of {columns}x{rows} px has not the shape of its image of {width}x{height} px"
                )
        scale = min(1.0, side_px / max(height, width))
        small_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = values
        if scale < 1:
            small = np.asarray(cv2.resize(values, small_wh, interpolation=cv2.INTER_AREA), np.float32)
        marked = mask.sized(small.shape[0], small.shape[1]) if mask else np.zeros(small.shape, bool)
        halved, exponent = _halved(small)
        return cls(_whole(halved, exponent), marked)

    def as_bytes(self) -> bytes:
        """What `read` reads again: a compressed npz."""
        halved, exponent = _halved(self.values)
        buffer = io.BytesIO()
        marked = np.packbits(self.marked) if self.marked.any() else np.zeros(0, np.uint8)
        np.savez_compressed(buffer, values=halved, exponent=np.int32(exponent), marked=marked)
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> KeptMap:
        """A map that was kept.

        Raises:
            RunDamaged: the file is not there, or is none.
        """
        try:
            with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as arrays:
                halved, exponent, bits = arrays["values"], int(arrays["exponent"]), arrays["marked"]
            if halved.dtype != np.float16 or halved.ndim != 2 or bits.dtype != np.uint8:
                raise ValueError(f"unexpected arrays of {halved.dtype}")
            marked = np.zeros(halved.shape, bool)
            if bits.size:
                marked = np.unpackbits(bits, count=halved.size).astype(bool).reshape(halved.shape)
            return cls(_whole(halved, exponent), marked)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise RunDamaged(
                f"{path} cannot be read ({error}); delete it, and the same command measures it again"
            ) from error


def _halved(values: MapValues) -> tuple[npt.NDArray[np.float16], int]:
    """Values at half precision, and the power of two that they were divided by."""
    _, exponent = np.frexp(np.abs(values).max())
    shift = int(exponent) - _TOP_EXPONENT
    return np.ldexp(values, -shift).astype(np.float16), shift


def _whole(halved: npt.NDArray[np.float16], shift: int) -> MapValues:
    return np.ldexp(halved.astype(np.float32), shift)
