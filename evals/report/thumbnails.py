"""Pictures of a run, small enough for sixty of them in one page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from tools.errors import ToolError
from tools.image import ImageStore, data_uri

LONGEST_SIDE_PX = 320
_QUALITY = 80
_CACHE_BYTES = 64 << 20


class Thumbnail(NamedTuple):
    """A JPEG as a `data:` address, or None and why there is none."""

    uri: Markup | None
    missing: str = ""


class Thumbnails:
    """Reads each picture once.

    Args:
        root: folder of the data.
        files: path from `root` to the sha256 that a file had when the run began; a file that has another one
            now is not shown, since it is not what was asked about.
    """

    def __init__(self, root: Path | None, files: Mapping[str, str]) -> None:
        self._root = root
        self._files = files
        self._store = ImageStore(cache_bytes=_CACHE_BYTES)
        self._made: dict[Path, Thumbnail] = {}

    def of(self, path: Path) -> Thumbnail:
        """The picture in a file, at most `LONGEST_SIDE_PX` on a side."""
        if path not in self._made:
            try:
                self._made[path] = self._read(path)
            except (ToolError, OSError) as error:
                self._made[path] = Thumbnail(None, f"cannot be shown: {type(error).__name__}")
        return self._made[path]

    def _read(self, path: Path) -> Thumbnail:
        import cv2

        pixels = self._store.pixels(self._store.open(path))
        if self._changed(path):
            return Thumbnail(None, "the file has changed since the run")
        height, width = pixels.shape[:2]
        scale = LONGEST_SIDE_PX / max(height, width)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)
        # Base64 and a media type of ours: safe in an attribute.
        return Thumbnail(Markup(data_uri(pixels, "jpeg", _QUALITY)))  # noqa: S704

    def _changed(self, path: Path) -> bool:
        if self._root is None or not path.is_relative_to(self._root):
            return False
        known = self._files.get(path.relative_to(self._root).as_posix())
        if known is None:
            return False
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() != known
