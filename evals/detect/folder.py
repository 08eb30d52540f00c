"""The folder of a detection run: what was asked, each image as it is measured, and the figures last.

`run.json` comes first, a line of `readings.jsonl` for each image (its map in `maps/` before it), and
`summary.json` last. A process that dies loses the images that were under way and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TypeVar

from filelock import FileLock, Timeout
from pydantic import FiniteFloat, ValidationError

from evals.detect.cases import GOOD, DetectCase, Layout
from evals.detect.choosing import Shots
from evals.detect.kept_maps import KeptMap
from evals.durable import Lines
from evals.errors import RunDamaged, RunMismatch
from tools.atomic import write_atomically
from tools.types import Value

Record = TypeVar("Record", bound=Value)


class DetectSpec(Value):
    """Everything that changes a score; a run goes on only with the same.

    `expert_version` changes with its code, options and weights. `nearest` is with how many good images each
    image is compared, found by the backbone `chosen_by` (None: with all that were drawn). `side_px` is the
    longer side of kept maps.
    """

    format: int = 1
    layout: Layout
    expert: str
    expert_version: str
    shots: Shots
    seed: int
    nearest: int | None
    chosen_by: str | None
    side_px: int


class Reading(Value):
    """One image that was measured.

    `size` and `mask_size` are bytes of the files, `learnt` stands for the good images learnt from: with them
    a later run notices that the data changed. `map` names a file in `maps/`; None for damage without a mask.
    """

    name: str
    category: str
    kind: str
    score: FiniteFloat
    seconds: FiniteFloat
    learnt: str
    size: int
    mask_size: int | None
    map: str | None

    @property
    def defective(self) -> bool:
        """Whether the part is damaged."""
        return self.kind != GOOD


class DetectFolder:
    """The open folder of a run; made by `opened`."""

    def __init__(self, path: Path, spec: DetectSpec) -> None:
        self.path = path
        self.spec = spec
        self.readings: dict[str, Reading] = {}
        self._file = path / "readings.jsonl"
        self._begin()
        with _told(self._file):
            self._lines = Lines(self._file)  # a line cut short by a crash is cut off
        self._lock = Lock()

    @classmethod
    @contextmanager
    def opened(cls, path: Path, spec: DetectSpec) -> Iterator[DetectFolder]:
        """Begin a run, or go on with one; no other process can meanwhile.

        Raises:
            RunMismatch: the folder holds another run; names the first difference.
            RunDamaged: the folder cannot be used, or another process uses it.
        """
        with _told(path):
            path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunDamaged(f"{path} is being written by another process; wait for it to end") from error
        except OSError as error:
            raise RunDamaged(f"{path} cannot be written ({error.strerror}); choose another --run") from error
        try:
            folder = cls(path, spec)
            try:
                folder._read()
                yield folder
            finally:
                folder._close()
        finally:
            lock.release()

    def _begin(self) -> None:
        begun = self.path / "run.json"
        if begun.is_file():
            _same(_parsed(DetectSpec, _content(begun), begun), self.spec, self.path)
            return
        with _told(begun):
            if any(not entry.name.startswith(".") for entry in self.path.iterdir()):
                raise RunMismatch(f"{self.path} holds something else; choose an empty folder for --run")
            write_atomically(begun, self.spec.model_dump_json(indent=1).encode())

    def _read(self) -> None:
        """Readings on record."""
        for line in _content(self._file).split(b"\n")[:-1]:
            reading = _parsed(Reading, line, self._file)
            self.readings[reading.name] = reading

    def _close(self) -> None:
        with _told(self._file):
            self._lines.close()

    def has(self, case: DetectCase, learnt: str, size: int, mask_size: int | None) -> bool:
        """Whether an image was measured, and nothing need be done.

        Args:
            case: the image.
            learnt: what stands for the good images that are learnt from.
            size: bytes of its file.
            mask_size: bytes of its mask; None if it has none.

        Raises:
            RunMismatch: the good images, the image or its mask have changed since.
        """
        known = self.readings.get(case.name)
        if known is None:
            return False
        for what, was, now in (
            (f"the good images of {case.category}", known.learnt, learnt),
            (f"image {case.name}", known.size, size),
            (f"the mask of {case.name}", known.mask_size, mask_size),
            (f"the kind of {case.name}", known.kind, case.kind),
        ):
            if was != now:
                raise RunMismatch(
                    f"{what} changed since {self.path} was begun ({was} then, {now} now); "
                    "choose another --run"
                )
        return known.map is None or (self.path / "maps" / known.map).is_file()

    def keep_map(self, name: str, kept: KeptMap) -> str:
        """Write an image's map; returns what `Reading.map` calls it. Safe from several threads.

        Raises:
            RunDamaged: it cannot be written.
        """
        file = f"{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:24]}.npz"
        with _told(self.path / "maps" / file):
            write_atomically(self.path / "maps" / file, kept.as_bytes())
        return file

    def map_of(self, reading: Reading) -> KeptMap | None:
        """The kept map of an image; None where there is none.

        Raises:
            RunDamaged: it cannot be read.
        """
        return KeptMap.read(self.path / "maps" / reading.map) if reading.map else None

    def add(self, reading: Reading) -> None:
        """Put a reading on record. Safe from several threads.

        Raises:
            RunDamaged: it cannot be written; what is on record stays.
        """
        with self._lock, _told(self._file):
            self._lines.add(reading.model_dump_json().encode())
            self.readings[reading.name] = reading

    def finish(self, summary: Value) -> None:
        """Write the figures.

        Raises:
            RunDamaged: they cannot be written.
        """
        with _told(self.path / "summary.json"):
            write_atomically(self.path / "summary.json", summary.model_dump_json(indent=1).encode())


def _same(was: DetectSpec, now: DetectSpec, path: Path) -> None:
    for name in DetectSpec.model_fields:
        if getattr(was, name) != getattr(now, name):
            raise RunMismatch(
                f"{path} was begun with {name} {getattr(was, name)}, not {getattr(now, name)}: "
                "give that, or choose another --run"
            )


def _parsed(kind: type[Record], text: bytes, path: Path) -> Record:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or "it"
        raise RunDamaged(
            f"{path} is damaged ({where}: {mistake['msg'].lower()}); choose another --run"
        ) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunDamaged(f"{path} cannot be read ({error.strerror}); choose another --run") from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the disk refuses, in one line."""
    try:
        yield
    except OSError as error:
        raise RunDamaged(
            f"{path} cannot be written ({error.strerror}); make room or allow it, and the same command "
            "goes on"
        ) from error
