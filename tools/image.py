"""Open a picture safely, once: limits before decoding, content hash, a bounded cache; and encode it again.

Only raster formats that are decoded in this process are accepted (no EPS, PDF or SVG). How modes and turns
become upright RGB is the matter of `tools.pixel_modes`.
"""

from __future__ import annotations

import base64
import hashlib
import stat
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from tools.array_cache import MIB, ArrayCache
from tools.atomic import write_atomically
from tools.errors import ArtifactError, ImageError, ImageMissing, ImageTooLarge, ImageUnreadable
from tools.pixel_modes import decoded, picture_of, printable
from tools.types import ImageRef, Pixels

ImageFormat: TypeAlias = Literal["png", "jpeg"]

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000", "AVIF")


class ImageStore:
    """Opens pictures as `ImageRef` and gives their pixels back from a bounded cache. Thread-safe."""

    def __init__(
        self, max_pixels: int = 64_000_000, cache_bytes: int = 256 * MIB, spool: Path | None = None
    ) -> None:
        """Set the limits.

        Args:
            max_pixels: larger pictures are refused from their header.
            cache_bytes: decoded pixels kept in memory.
            spool: folder for pictures that were given in memory; needed for `add` only.
        """
        if max_pixels < 1:
            raise ValueError(f"max_pixels must be at least 1, got {max_pixels}")
        self._max_pixels = max_pixels
        self._cache = ArrayCache(cache_bytes)
        self._spool = spool
        _quiet_pillow()

    def open(self, path: str | Path) -> ImageRef:
        """Decode and hash a file; `ref.path` is the path as given.

        Raises:
            ImageMissing: nothing is there.
            ImageUnreadable: a folder, an empty or truncated file, no picture, no permission.
            ImageTooLarge: over `max_pixels`; refused before decoding.
        """
        shown = printable(str(path))
        if any("\ud800" <= c <= "\udfff" for c in str(path)):
            raise ImageUnreadable(f"the file name {shown} is not valid UTF-8; rename the file")
        pixels, notes = self._decode(Path(path), shown)
        return self._remember(str(path), pixels, notes)

    def add(self, pixels: Image.Image | npt.NDArray[Any], name: str) -> ImageRef:
        """Take a picture from memory; it is spooled as PNG so that another process can read it.

        Args:
            pixels: a Pillow image, or an array: (h, w), (h, w, 3) RGB or (h, w, 4) RGBA of uint8, or
                (h, w) of uint16.
            name: what messages and notes call it.

        Raises:
            ValueError: the array has another shape or dtype, or the store has no spool folder.
            ImageUnreadable, ImageTooLarge: as for `open`.
            ArtifactError: the spool folder cannot be written.
        """
        if self._spool is None:
            raise ValueError("this ImageStore has no spool folder; give it one to add images from memory")
        shown = printable(name)
        picture = pixels if isinstance(pixels, Image.Image) else picture_of(pixels, shown)
        self._check_size(picture, shown)
        rgb, notes = decoded(picture, shown)
        digest = content_hash(rgb)
        target = self._spool / f"{digest}.png"
        try:
            if not target.exists():
                write_atomically(target, encode_png(rgb))
        except OSError as exc:
            raise ArtifactError(
                f"cannot keep image {shown!r} in {self._spool} ({_why(exc)}); make the folder writable"
            ) from exc
        return self._remember(str(target), rgb, (f"given in memory as {shown!r}", *notes), digest)

    def pixels(self, ref: ImageRef) -> Pixels:
        """Pixels of an image, read-only; decoded again from `ref.path` where the cache let go of them.

        Raises:
            ImageUnreadable: the file no longer holds the pixels that `ref` names, or as for `open`.
            ImageMissing, ImageTooLarge: as for `open`.
        """
        held = self._cache.get(ref.sha256)
        if held is not None:
            return held
        shown = printable(ref.path)
        pixels, _ = self._decode(Path(ref.path), shown)
        if content_hash(pixels) != ref.sha256:
            raise ImageUnreadable(f"{shown} has changed since it was opened; inspect it again")
        self._cache.put(ref.sha256, pixels)
        return pixels

    def _remember(
        self, path: str, pixels: Pixels, notes: tuple[str, ...], digest: str | None = None
    ) -> ImageRef:
        digest = digest or content_hash(pixels)
        self._cache.put(digest, pixels)
        height, width = pixels.shape[:2]
        return ImageRef(path=path, sha256=digest, width_px=width, height_px=height, notes=notes)

    def _decode(self, path: Path, shown: str) -> tuple[Pixels, tuple[str, ...]]:
        _check_is_file(path, shown)
        try:
            with path.open("rb") as file:
                picture = _opened(file, shown)
                self._check_size(picture, shown)
                return decoded(picture, shown)
        except OSError as exc:
            raise _not_openable(exc, shown) from exc

    def _check_size(self, picture: Image.Image, shown: str) -> None:
        width, height = picture.size
        if not width * height:
            raise ImageUnreadable(f"{shown} has no pixels ({width}x{height}); save it again")
        if width * height > self._max_pixels:
            raise ImageTooLarge(
                f"{shown} has {width}x{height} pixels, over the limit of {self._max_pixels / 1e6:g} million;"
                " scale it down or cut out the part"
            )


def content_hash(pixels: Pixels) -> str:
    """SHA-256 in hex over the size and the RGB bytes."""
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def encode_png(pixels: Pixels) -> bytes:
    """RGB pixels as PNG; lossless."""
    return _encode(".png", pixels, [])


def encode_jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """RGB pixels as JPEG; `quality` is 1..100."""
    import cv2

    if not 1 <= quality <= 100:
        raise ValueError(f"quality must lie in 1..100, got {quality}")
    return _encode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def data_uri(pixels: Pixels, form: ImageFormat = "png", quality: int = 90) -> str:
    """RGB pixels as a `data:image/...;base64,...` address, for pages and chat messages."""
    content = encode_png(pixels) if form == "png" else encode_jpeg(pixels, quality)
    return f"data:image/{form};base64,{base64.b64encode(content).decode('ascii')}"


def _encode(suffix: str, pixels: Pixels, options: list[int]) -> bytes:
    import cv2  # four times as fast as Pillow at writing PNG

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"expected RGB uint8 (height, width, 3), got {pixels.dtype} {pixels.shape}")
    written, content = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    if not written:
        raise ValueError(f"pixels of shape {pixels.shape} cannot be encoded as {suffix}")
    return content.tobytes()


def _quiet_pillow() -> None:
    """Keep Pillow's remarks off stderr: size is judged here, and odd metadata does not touch pixels."""
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _why(exc: OSError) -> str:
    return exc.strerror or type(exc).__name__


def _not_openable(exc: OSError, shown: str) -> ImageError:
    match exc:
        case FileNotFoundError() | NotADirectoryError():
            return ImageMissing(f"there is no file {shown}; check the path")
        case PermissionError():
            return ImageUnreadable(f"{shown} may not be read; give this user permission to read it")
        case _:
            return ImageUnreadable(f"{shown} cannot be read ({_why(exc)}); check the path and the disk")


def _check_is_file(path: Path, shown: str) -> None:
    try:
        status = path.stat()
    except OSError as exc:
        raise _not_openable(exc, shown) from exc
    except ValueError as exc:  # a null character
        raise ImageMissing(f"{shown} is not a possible file name; check the path") from exc
    if stat.S_ISDIR(status.st_mode):
        raise ImageUnreadable(f"{shown} is a folder; name one image in it")
    if not stat.S_ISREG(status.st_mode):
        raise ImageUnreadable(f"{shown} is a device or a pipe; save the picture to a file first")
    if status.st_size == 0:
        raise ImageUnreadable(f"{shown} is empty (0 bytes); copy or save it again")


def _opened(file: BinaryIO, shown: str) -> Image.Image:
    """The picture with its header read and nothing decoded."""
    try:
        return Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as exc:
        raise ImageTooLarge(f"{shown} is over Pillow's own size limit ({exc}); scale it down") from exc
    except MemoryError:
        raise
    except Exception as exc:  # decoders of hostile bytes raise what they like, undocumented
        raise ImageUnreadable(
            f"{shown} is not a picture that can be decoded; give a JPEG, PNG, TIFF, BMP or WebP file"
        ) from exc
