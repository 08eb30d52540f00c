"""The same picture saved again: re-encoded or resized, as opposed to another part under a fixed camera.

Two pictures are the same if they differ no more, at a small size, than this picture differs from itself after
being halved and compressed; unless each has noise of its own. Noise of two exposures adds up in their
difference (to √2 of either where it is equal), while what saving again takes away is at most what was there
(1 of the larger): a difference noisier than 1.2 of the larger, half way between, is of two exposures.
Noise is estimated by the median of the diagonal Haar details (Donoho and Johnstone 1994), on the second
level, since compression wipes out the first. Where it has wiped out all noise, the first rule decides alone.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from knowledge_base.templates.embedding import Image

SIDE_PX: Final = 24
"""Side of the small picture that is compared first."""

_QUALITY: Final = 50
_ASPECT: Final = 0.02
_INDEPENDENT: Final = (1 + 2**0.5) / 2
_MEASURABLE: Final = 0.2
"""Grey levels of noise that quantisation leaves measurable."""

_MOST_PX: Final = 1024
"""Longer side at which noise is compared."""

Grey: TypeAlias = npt.NDArray[np.float32]
"""Shape (height, width), 0..255."""


@dataclass(frozen=True)
class Fingerprint:
    """What a picture looks like from afar.

    Attributes:
        small: grey, shape (24, 24), float16, 0..255.
        aspect: width over height.
        tolerance: root mean square in grey levels by which saving again may change `small`.
    """

    small: npt.NDArray[np.float16]
    aspect: float
    tolerance: float

    @classmethod
    def of(cls, image: Image) -> Fingerprint:
        """The fingerprint of an RGB image, shape (height, width, 3), uint8."""
        picture = Pillow.fromarray(image)
        small = _small(picture)
        again = float(np.sqrt(((_small(_saved_again(picture)) - small) ** 2).mean()))
        rounding = 0.5
        return cls(small.astype(np.float16), image.shape[1] / image.shape[0], max(again, rounding))

    def like(self, small: npt.NDArray[np.float16], aspect: float) -> bool:
        """Whether a picture seen from afar may be this one saved again."""
        apart = small.astype(np.float32) - self.small.astype(np.float32)
        same_shape = abs(np.log(aspect / self.aspect)) <= _ASPECT
        return bool(same_shape and np.sqrt((apart**2).mean()) <= self.tolerance)


def are_two_exposures(one: Image, other: Image) -> bool:
    """Whether each of two pictures that look the same has noise of its own."""
    height, width = (min(sides) for sides in zip(one.shape[:2], other.shape[:2], strict=True))
    scale = min(1.0, _MOST_PX / max(height, width))
    size = (max(2, round(width * scale) // 2), max(2, round(height * scale) // 2))
    first, second = (
        np.asarray(_grey(Pillow.fromarray(image)).resize(size, Pillow.Resampling.BOX), np.float32)
        for image in (one, other)
    )
    most = max(_noise(first), _noise(second))
    return most >= _MEASURABLE and _noise(first - second) > _INDEPENDENT * most


def _small(picture: Pillow.Image) -> Grey:
    return np.asarray(_grey(picture).resize((SIDE_PX, SIDE_PX), Pillow.Resampling.BILINEAR), np.float32)


def _grey(picture: Pillow.Image) -> Pillow.Image:
    """Grey with digits after the point, so that what is averaged is not rounded."""
    return picture.convert("L").convert("F")


def _saved_again(picture: Pillow.Image) -> Pillow.Image:
    """Half as wide and high, and compressed."""
    half = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)), Pillow.Resampling.BOX)
    content = io.BytesIO()
    half.save(content, "JPEG", quality=_QUALITY)
    content.seek(0)
    return Pillow.open(content)


def _noise(grey: Grey) -> float:
    """Standard deviation of the noise in grey levels."""
    grey = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
    diagonal = (grey[::2, ::2] - grey[1::2, ::2] - grey[::2, 1::2] + grey[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal))) / 0.6745
