"""Measurements on disk, so that a later run neither fits nor reads what an earlier one has measured.

A measurement is named by all that it came from: expert, version, code, good images, scope, limits, query. So
one that is found is the one that would be made. Every entry is one file: its SHA-256, a line of JSON, then
the arrays without loss; nothing in it can run. A damaged one is as good as none: it is measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from tools.atomic import write_atomically
from tools.errors import ViewMismatch
from tools.experts.base import Expert, Scope
from tools.types import ExpertReading, ImageRef, MapValues, Measurement, Pixels, UserLimits

FORMAT: Final = 1

_EMPTIED_TO = 0.9
"""Share of the room that stays taken when some is made, so that it is not made with every entry."""

_COUNTED_EVERY = 32
"""A shelf is counted anew when this process filled one such part of it, since others fill it too."""


def reading_key(
    expert: Expert,
    normals: Sequence[ImageRef],
    query: ImageRef,
    scope: Scope,
    limits: UserLimits | None,
) -> str:
    """The name of a measurement: 64 hexadecimal digits, equal exactly where the measurement must be."""
    made_from = {
        "format": FORMAT,
        "code": _code_digest(),
        "expert": expert.name,
        "version": expert.version,
        "scope": scope.digest,
        "limits": (limits or UserLimits()).model_dump(mode="json"),
        "normals": [normal.sha256 for normal in normals],
        "query": query.sha256,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


class ReadingShelf:
    """Keeps measurements from run to run, up to a size. Safe for several threads and processes.

    Where room is short, entries go at random: a benchmark reads all its images in the same order each time,
    so that letting the longest unused go would let every one go just before it is wanted again.

    Args:
        folder: belongs to the shelf alone; made with the first entry.
        most_bytes: what all entries may come to, what processes write at the same moment aside. A picture of
            a megapixel takes 2 to 5 MB.
    """

    def __init__(self, folder: Path, *, most_bytes: int = 20_000_000_000) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._held: int | None = None
        self._added = 0

    def find(self, key: str) -> Measurement | None:
        """The measurement of this name, marked as `kept`; None if there is none that is whole.

        Raises:
            ViewMismatch: what is on the shelf is that the expert could not compare these views.
        """
        try:
            content = self._place(key).read_bytes()
            outcome = _unpacked(key, content)
        except (OSError, ValueError, KeyError, TypeError, zlib.error, cv2.error):
            return None
        if isinstance(outcome, ViewMismatch):
            raise outcome
        return outcome

    def keep(self, key: str, outcome: Measurement | ViewMismatch) -> None:
        """Keep what measuring came to, if the disk lets us; if not, it costs time again and nothing else."""
        content = _packed(key, outcome)
        if len(content) > self._most_bytes:
            return
        try:
            self._make_room(len(content))
            write_atomically(self._place(key), content)
        except OSError:
            return

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _make_room(self, wanted: int) -> None:
        with self._lock:
            self._added += wanted
            overdue = self._added * _COUNTED_EVERY > self._most_bytes
            if self._held is None or overdue or self._held + wanted > self._most_bytes:
                self._held, self._added = self._tidy(wanted), wanted
            self._held += wanted

    def _tidy(self, wanted: int) -> int:
        """Let entries go until the wanted bytes fit, if they do not; returns what is held then."""
        entries = _files(self._folder)
        held = sum(size for _, size in entries)
        if held + wanted <= self._most_bytes:
            return held
        random.shuffle(entries)
        while entries and held + wanted > _EMPTIED_TO * self._most_bytes:
            path, size = entries.pop()
            path.unlink(missing_ok=True)
            held -= size
        return held


def _files(folder: Path) -> list[tuple[Path, int]]:
    """Every file below with its bytes, what another process is writing included."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                found.append((path, path.stat().st_size))
            except FileNotFoundError:  # another process made room
                continue
    return found


def _packed(key: str, outcome: Measurement | ViewMismatch) -> bytes:
    facts: dict[str, Any] = {"key": key}
    arrays = b""
    if isinstance(outcome, ViewMismatch):
        facts["view_mismatch"] = str(outcome)
    else:
        map_packed = _packed_map(outcome.map_values)
        reference = outcome.aligned_reference
        arrays = map_packed + (_packed_picture(reference) if reference is not None else b"")
        facts |= {
            "reading": outcome.reading.model_dump(mode="json"),
            "map_hw": outcome.map_values.shape,
            "map_bytes": len(map_packed),
            "aligned_reference": reference is not None,
            "reference_index": outcome.reference_index,
        }
    body = json.dumps(facts).encode() + b"\n" + arrays
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _unpacked(key: str, content: bytes) -> Measurement | ViewMismatch:
    """What an entry holds.

    Raises:
        ValueError, KeyError, TypeError, zlib.error, cv2.error: it is damaged, or not an entry of this name.
    """
    digest, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ValueError("the entry is damaged")
    line, _, arrays = body.partition(b"\n")
    facts = json.loads(line)
    if facts["key"] != key:
        raise ValueError("the entry lies under another's name")
    if "view_mismatch" in facts:
        return ViewMismatch(facts["view_mismatch"])
    height, width = facts["map_hw"]
    map_packed, picture = arrays[: facts["map_bytes"]], arrays[facts["map_bytes"] :]
    return Measurement(
        reading=ExpertReading.model_validate(facts["reading"]),
        map_values=_unpacked_map(map_packed, height, width),
        aligned_reference=_unpacked_picture(picture) if facts["aligned_reference"] else None,
        reference_index=facts["reference_index"],
        kept=True,
    )


def _packed_map(values: MapValues) -> bytes:
    """A map without loss, half as large: smooth, so that neighbours' bit patterns differ little.

    Differences along both axes are taken of the bits as whole numbers modulo 2**32, and bytes of equal weight
    laid side by side, before deflating (as PNG's filters and HDF5's shuffle do).
    """
    bits = np.ascontiguousarray(values).view(np.uint32)
    for axis in (0, 1):
        bits = np.diff(bits, axis=axis, prepend=np.zeros_like(bits.take([0], axis=axis)))
    return zlib.compress(bits.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes(), level=1)


def _unpacked_map(packed: bytes, height: int, width: int) -> MapValues:
    planes = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(4, -1)
    bits: npt.NDArray[np.uint32] = np.ascontiguousarray(planes.T).view("<u4").reshape(height, width)
    for axis in (1, 0):
        bits = np.cumsum(bits, axis=axis, dtype=np.uint32)
    return bits.view(np.float32)


def _packed_picture(pixels: Pixels) -> bytes:
    ok, png = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not ok:
        raise ValueError(f"cannot pack a picture of shape {pixels.shape}")
    return png.tobytes()


def _unpacked_picture(png: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(png, dtype=np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("the entry's picture cannot be decoded")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Changes with any code that measures: an expert's `version` speaks of its fits, not of its readings."""
    home = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted((*home.parent.glob("*.py"), *home.rglob("*.py"))):
        digest.update(f"{file.relative_to(home.parent)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
