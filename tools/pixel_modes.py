"""From a picture of any mode to upright RGB of 8 bits, with a note of what that changed.

Lossless steps (grey repeated to RGB, an opaque palette) are not noted. ICC profiles are ignored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tools.errors import ImageUnreadable
from tools.types import Pixels

_EXIF_ORIENTATION = 0x0112

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the picture upright."""

_LONGEST_NAME = 300

_INT_RANGES = ((4095, "12-bit"), (65535, "16-bit"))
_FLOAT_RANGES = ((1, "0..1"), (255, "0..255"), *_INT_RANGES)


def printable(text: str) -> str:
    """Text that cannot break a line, drive a terminal or fill a page."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:_LONGEST_NAME])


def picture_of(array: npt.NDArray[Any], shown: str) -> Image.Image:
    """An array as a Pillow image.

    Raises:
        ValueError: not uint8 (h, w), (h, w, 3) or (h, w, 4), nor uint16 (h, w).
    """
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] in (3, 4)
    fits = (array.dtype == np.uint8 and (grey or colour)) or (array.dtype == np.uint16 and grey)
    if not fits or not array.size:
        raise ValueError(
            f"image {shown!r} must be uint8 (h, w), (h, w, 3) or (h, w, 4), or uint16 (h, w);"
            f" got {array.dtype} {array.shape}"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def decoded(picture: Image.Image, shown: str) -> tuple[Pixels, tuple[str, ...]]:
    """Decode the first frame; returns read-only RGB pixels and the notes.

    Raises:
        ImageUnreadable: the data are damaged or cut short, or of a range that cannot be known.
    """
    notes: list[str] = []
    try:
        frames = getattr(picture, "n_frames", 1)
        picture.load()
        orientation = _orientation(picture, notes)
        if orientation in _UPRIGHT:
            picture = picture.transpose(_UPRIGHT[orientation])
            notes.append(f"turned upright (EXIF orientation {orientation})")
        if frames > 1:
            notes.append(f"first of {frames} frames")
        if picture.mode == "F" or picture.mode.startswith("I"):
            values = np.asarray(picture)
        else:
            values = np.asarray(_eight_bit_rgb(picture, notes))
    except MemoryError:
        raise
    except Exception as exc:  # decoders of hostile bytes raise what they like, undocumented
        why = printable(str(exc)) or type(exc).__name__
        raise ImageUnreadable(f"{shown} is damaged or cut short ({why}); copy or save it again") from exc
    if values.ndim == 2:
        values = _scaled_grey(values, shown, notes)
    pixels = np.ascontiguousarray(values)
    pixels.flags.writeable = False
    return pixels, tuple(notes)


def _orientation(picture: Image.Image, notes: list[str]) -> int:
    try:
        return int(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - as in `decoded`; the pixels are good even where the EXIF block is not
        notes.append("EXIF data unreadable, not turned")
        return 1


def _eight_bit_rgb(picture: Image.Image, notes: list[str]) -> Image.Image:
    if picture.has_transparency_data:
        layers = picture.convert("RGBA")
        if layers.getchannel("A").getextrema()[0] == 255:
            return layers.convert("RGB")
        notes.append("transparent pixels laid over white")
        return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
    if picture.mode in ("CMYK", "YCbCr"):
        notes.append(f"{picture.mode} made RGB without its colour profile")
    return picture.convert("RGB")


def _scaled_grey(values: npt.NDArray[Any], shown: str, notes: list[str]) -> Pixels:
    """Grey of more than 8 bits as RGB, by a fixed range.

    Never by the picture's own extremes, so that two pictures of one camera stay comparable. Pillow's own
    conversion would clip at 255.
    """
    low, high = values.min(), values.max()
    is_float = values.dtype.kind == "f"
    for top, name in _FLOAT_RANGES if is_float else _INT_RANGES:
        if low >= 0 and high <= top:  # false for NaN
            notes.append(f"{'float' if is_float else '16-bit'} grey read as {name} (largest value {high:g})")
            grey = np.rint(values.astype(np.float32) * np.float32(255 / top)).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
    raise ImageUnreadable(
        f"{shown} has grey values from {low:g} to {high:g}, whose range cannot be known;"
        " save it as 8-bit or 16-bit grey"
    )
