"""The folder that a simulation writes: what was asked first, a line for each defect as its files are whole.

`card.json` comes first and never changes. A defect's mask is written before its picture, and its line in
`manifest.jsonl` last, so that a process that dies leaves no picture without a mask and no line without a
picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, Literal

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from agent.errors import UsageError
from evals.durable import Lines, in_words
from tools.atomic import write_atomically
from tools.simulation.draft import Fact
from tools.simulation.foreground import Background
from tools.simulation.types import SimulationKind
from tools.types import UnitFloat, Value

GOOD: Final = "good"
BAD: Final = "bad"
MASKS: Final = "masks"
PREVIEW: Final = "preview.jpg"


class SimulationCard(Value):
    """Everything that changes a pixel of what is written; a folder is gone on with only under the same.

    `goods` stands for names and sizes of the good pictures, `textures` for those of a person's own.
    """

    format: Literal[1] = 1
    goods: str
    good_pictures: int
    kinds: dict[SimulationKind, float]
    seed: int
    background: Background
    patches: int
    blend: Literal["normal", "mixed"]
    textures: str | None
    versions: dict[str, str]


class Source(Value):
    """A good picture: its name in `good/`, and the sha256 of its pixels."""

    name: str
    sha256: str


class SimulationRow(Value):
    """One defect, or why there is none.

    `seed` draws the same defect again by `tools.simulation.simulate.simulate`. `image` and `mask` are paths
    in the folder; where they are None, `why_not` says why nothing was written. `threshold` says from what
    change a pixel is of the mask.
    """

    number: int
    seed: int
    source: Source
    other: Source | None
    image: str | None = None
    mask: str | None = None
    kind: SimulationKind | None = None
    variety: str | None = None
    boxes_xyxy: tuple[tuple[int, int, int, int], ...] = ()
    area_fraction: UnitFloat | None = None
    threshold: str | None = None
    facts: Mapping[str, Fact] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    why_not: str | None = None


class SimulationFolder:
    """The open folder; made by `opened`."""

    def __init__(self, path: Path, card: SimulationCard) -> None:
        self.path = path
        self.rows: dict[int, SimulationRow] = {}
        self._manifest = path / "manifest.jsonl"
        self._begin(card)
        for name in (GOOD, BAD, MASKS):
            with in_words(path / name):
                (path / name).mkdir(exist_ok=True)
        with in_words(self._manifest):
            self._lines = Lines(self._manifest)  # a line cut short by a crash is cut off
        self._read()
        self._lock = Lock()

    @classmethod
    @contextmanager
    def opened(cls, path: Path, card: SimulationCard) -> Iterator[SimulationFolder]:
        """Begin a folder, or go on with one; no other process can meanwhile.

        Raises:
            UsageError: it holds something else, or was begun with other settings; names the first difference.
            RunDamaged: it cannot be written.
        """
        with in_words(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout as error:
                raise UsageError(f"{path} is being written by another process; wait for it to end") from error
        try:
            folder = cls(path, card)
            try:
                yield folder
            finally:
                with in_words(folder._manifest):
                    folder._lines.close()
        finally:
            lock.release()

    def add(self, row: SimulationRow, picture: bytes | None = None, mask: bytes | None = None) -> None:
        """Write a defect's files, and then put it on record. Called from several threads."""
        for name, content in ((row.mask, mask), (row.image, picture)):
            if name is not None and content is not None:
                with in_words(self.path / name):
                    write_atomically(self.path / name, content)
        with self._lock, in_words(self._manifest):
            self._lines.add(row.model_dump_json(exclude_defaults=True).encode())
            self.rows[row.number] = row

    @property
    def written(self) -> tuple[SimulationRow, ...]:
        """The defects that there are, by number."""
        return tuple(self.rows[number] for number in sorted(self.rows) if self.rows[number].image)

    def _begin(self, card: SimulationCard) -> None:
        begun = self.path / "card.json"
        if begun.is_file():
            try:
                earlier = SimulationCard.model_validate_json(begun.read_bytes())
            except (OSError, ValidationError) as error:
                raise UsageError(f"{begun} cannot be read; choose another --out") from error
            for field in SimulationCard.model_fields:
                was, now = getattr(earlier, field), getattr(card, field)
                if was != now:
                    raise UsageError(
                        f"{self.path} was begun with {field} {was}, not {now}: "
                        "give that, or choose another --out"
                    )
            return
        with in_words(begun):
            if any(not entry.name.startswith(".") for entry in self.path.iterdir()):
                raise UsageError(f"{self.path} holds something else; choose an empty folder for --out")
            write_atomically(begun, card.model_dump_json(indent=2).encode() + b"\n")

    def _read(self) -> None:
        with in_words(self._manifest):
            lines = self._manifest.read_bytes().splitlines()
        for number, line in enumerate(lines, start=1):
            try:
                row = SimulationRow.model_validate_json(line)
            except ValidationError as error:
                raise UsageError(
                    f"line {number} of {self._manifest} is damaged; remove it, or choose another --out"
                ) from error
            files = [name for name in (row.image, row.mask) if name is not None]
            if all((self.path / name).is_file() for name in files):  # what was deleted is made again
                self.rows[row.number] = row
