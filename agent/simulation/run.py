"""Draw defects into the good pictures of a folder, several at a time, and go on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal, Protocol

import cv2
import numpy as np

from agent.errors import UsageError
from agent.simulation.folder import (
    BAD,
    GOOD,
    MASKS,
    PREVIEW,
    SimulationCard,
    SimulationFolder,
    SimulationRow,
    Source,
)
from agent.simulation.goods import (
    GoodPicture,
    LeftOut,
    Parts,
    Textures,
    check_good,
    find_good,
    find_textures,
)
from agent.simulation.sheet import contact_sheet
from evals.detect.cases import digest_of_files
from evals.durable import in_words
from tools.atomic import write_atomically
from tools.errors import ToolError
from tools.image import ImageStore, encode_jpeg, encode_png
from tools.simulation.foreground import Background
from tools.simulation.nsa import NsaOptions
from tools.simulation.simulate import MIXTURE, SimulationOptions, simulate
from tools.simulation.types import Simulated, SimulationKind
from tools.simulation.visible import LABEL_FROM, VISIBLE_LEVELS

_AHEAD: Final = 4
"""Defects under way for each thread: a full disk is noticed soon, and Ctrl-C waits for few."""

_VERSIONED: Final = ("inspection-agent", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class SimulationRun:
    """What to draw into which pictures.

    Args:
        data: folder of good pictures.
        out: folder to write, or to go on with.
        kind: one kind, or "mix".
        count: defects in all; None: `per_image` for each good picture.
        per_image: defects for each good picture.
        seed: of everything that is drawn.
        textures: folder of textures for `perlin`.
        background: what counts as background in the pictures.
        patches: of NSA, at most.
        blend: of NSA.
        jobs: pictures at a time.
    """

    data: Path
    out: Path
    kind: SimulationKind | Literal["mix"] = "mix"
    count: int | None = None
    per_image: int = 1
    seed: int = 0
    textures: Path | None = None
    background: Background = "auto"
    patches: int = 2
    blend: Literal["normal", "mixed"] = "normal"
    jobs: int = 1

    @property
    def kinds(self) -> Mapping[SimulationKind, float]:
        """Weights of the kinds."""
        return MIXTURE if self.kind == "mix" else {self.kind: 1.0}


class Watch(Protocol):
    """Who follows the work."""

    def warn(self, line: str) -> None:
        """Something is otherwise than asked for."""

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A stretch of work of so many steps; call what it gives after each."""


@dataclass(frozen=True)
class SimulationResult:
    """What there is now: all defects asked for, by number, and good pictures that are of no use."""

    out: Path
    rows: tuple[SimulationRow, ...]
    left_out: tuple[LeftOut, ...]


def run_simulation(run: SimulationRun, watch: Watch) -> SimulationResult:
    """Write good and damaged pictures and masks, as `agent eval detect` and `agent train` read them.

    Each defect depends on the seed, its number and its picture only: whatever the threads do and however
    often it is interrupted, the same comes out, and a larger count adds to what is there.

    Raises:
        UsageError: the folders or settings cannot be used.
        RunDamaged: the folder cannot be written.
    """
    _refuse_inside(run)
    paths = find_good(run.data)
    textures = find_textures(run.textures) if run.textures else ()
    images = ImageStore()
    with watch.steps("reading good pictures", len(paths)) as tick:
        goods, left_out = check_good(paths, images, jobs=run.jobs, tick=tick)
    for one in left_out:
        watch.warn(f"left out {one.why}")
    card = SimulationCard(
        goods=digest_of_files((good.path for good in goods), run.data.absolute()),
        good_pictures=len(goods),
        kinds=dict(run.kinds),
        seed=run.seed,
        background=run.background,
        patches=run.patches,
        blend=run.blend,
        textures=digest_of_files(textures, run.textures.absolute()) if run.textures else None,
        versions={package: version(package) for package in _VERSIONED},
    )
    count = run.count if run.count is not None else run.per_image * len(goods)
    with SimulationFolder.opened(run.out, card) as folder:
        _copy_good(goods, folder)
        studio = _Studio(run, goods, Parts(goods, images, run.background), Textures(textures, images), folder)
        with watch.steps("drawing defects", count) as tick:
            _draw_all(studio, range(count), run.jobs, tick)
        rows = tuple(folder.rows[number] for number in range(count))
        sheet = contact_sheet(folder.path, [row for row in rows if row.image])
        if sheet is not None:
            with in_words(run.out / PREVIEW):
                write_atomically(run.out / PREVIEW, encode_jpeg(sheet))
    return SimulationResult(run.out, rows, left_out)


@dataclass(frozen=True, eq=False)
class _Studio:
    """Everything that drawing one defect takes."""

    run: SimulationRun
    goods: tuple[GoodPicture, ...]
    parts: Parts
    textures: Textures
    folder: SimulationFolder

    def draw(self, number: int) -> None:
        """Draw one defect and put it on record, or why there is none."""
        at = number % len(self.goods)
        of_picture = int(self.goods[at].ref.sha256[:16], 16)  # or every product would get the same defects
        rng = np.random.default_rng((self.run.seed, number, of_picture))
        seed = int(rng.integers(2**63))
        beside = (
            None if len(self.goods) == 1 else (at + int(rng.integers(1, len(self.goods)))) % len(self.goods)
        )
        row = SimulationRow(
            number=number,
            seed=seed,
            source=_source(self.goods[at]),
            other=None if beside is None else _source(self.goods[beside]),
        )
        try:
            drawn = simulate(
                self.parts[at],
                [] if beside is None else [self.parts[beside]],
                self.run.kinds,
                seed,
                SimulationOptions(NsaOptions(self.run.patches, self.run.blend), self.textures),
            )
        except ToolError as error:
            self.folder.add(row.model_copy(update={"why_not": str(error)}))
            return
        name = f"{drawn.variety}/{number:05d}_{drawn.kind}"
        told = row.model_copy(
            update={
                "image": f"{BAD}/{name}.png",
                "mask": f"{MASKS}/{name}_mask.png",
                "kind": drawn.kind,
                "variety": drawn.variety,
                "boxes_xyxy": tuple(box.xyxy for box in drawn.boxes),
                "area_fraction": round(drawn.area_fraction, 6),
                "threshold": _threshold(drawn.kind),
                "facts": dict(drawn.facts),
                "notes": (*self.goods[at].ref.notes, *drawn.notes),
            }
        )
        self.folder.add(told, encode_png(drawn.pixels), _mask_png(drawn))


def _draw_all(studio: _Studio, numbers: range, jobs: int, tick: Callable[[], None]) -> None:
    left = iter([number for number in numbers if number not in studio.folder.rows])
    for number in numbers:
        if number in studio.folder.rows:
            tick()
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # pictures side by side are faster than each one split
    pool = ThreadPoolExecutor(jobs)
    under_way: set[Future[None]] = set()
    try:
        while True:
            for number in left:
                under_way.add(pool.submit(studio.draw, number))
                if len(under_way) >= _AHEAD * jobs:
                    break
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for one in done:
                one.result()
                tick()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        cv2.setNumThreads(before)


def _copy_good(goods: tuple[GoodPicture, ...], folder: SimulationFolder) -> None:
    """Copies, so that the folder stands alone; a link would let a change of one change both."""
    for good in goods:
        target = folder.path / GOOD / good.name
        try:
            size = good.path.stat().st_size
            if target.is_file() and target.stat().st_size == size:
                continue
            content = good.path.read_bytes()
        except OSError as error:
            raise UsageError(f"{good.path} cannot be read ({error.strerror}); check the disk") from error
        with in_words(target):
            write_atomically(target, content)


def _refuse_inside(run: SimulationRun) -> None:
    data, out = run.data.absolute().resolve(), run.out.absolute().resolve()
    if out == data or out.is_relative_to(data):
        raise UsageError(
            f"{run.out} lies in {run.data}: what is written would mix with what is read; choose another --out"
        )
    if run.textures and out.is_relative_to(run.textures.absolute().resolve()):
        raise UsageError(f"{run.out} lies in {run.textures}; choose another --out")


def _source(good: GoodPicture) -> Source:
    return Source(name=good.name, sha256=good.ref.sha256)


def _threshold(kind: SimulationKind) -> str:
    if kind == "nsa":
        return f"label over {LABEL_FROM:g}"
    return f"{VISIBLE_LEVELS:g} grey levels"


def _mask_png(drawn: Simulated) -> bytes:
    written, content = cv2.imencode(".png", drawn.mask.astype(np.uint8) * 255)
    if not written:
        raise ValueError(f"a mask of shape {drawn.mask.shape} cannot be encoded as PNG")
    return bytes(content.tobytes())
