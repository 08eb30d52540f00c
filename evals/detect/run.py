"""Measure the images of a benchmark into a run folder, several at a time, and go on where a run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from evals.detect.cases import DetectCase, digest_of_files, size_of
from evals.detect.choosing import Trial
from evals.detect.figures import Unmeasured
from evals.detect.folder import DetectFolder, Reading
from evals.detect.kept_maps import KeptMap
from tools.errors import ExpertUnavailable, ToolError
from tools.masks import Mask
from tools.types import Measurement, Pixels

Measure: TypeAlias = Callable[[Path], Measurement]
"""Measures one image; called from several threads. Raises a `ToolError` where it cannot."""

Fit: TypeAlias = Callable[[str, Sequence[Path]], Measure]
"""Learns a category, by name, from good images. Raises a `ToolError` where it cannot."""

Read: TypeAlias = Callable[[Path], Pixels]
"""Decodes a picture, for masks. Raises a `ToolError` where it cannot."""


def measure_trials(
    folder: DetectFolder,
    trials: Iterable[Trial],
    fit: Fit,
    read: Read,
    *,
    root: Path,
    jobs: int = 1,
    tick: Callable[[], None] = lambda: None,
) -> tuple[Unmeasured, ...]:
    """Measure every image that is not on record yet; each is on record as soon as it is measured.

    An image that cannot be measured is told and left for the next run; a category that cannot be learnt is
    told for each of its images.

    Args:
        folder: the run, open.
        trials: what to learn and to measure.
        fit: learns a category.
        read: decodes masks.
        root: folder of the data set.
        jobs: images measured at a time.
        tick: called after each image, also for those on record.

    Returns:
        What could not be measured.

    Raises:
        RunMismatch: data changed since the run was begun.
        RunDamaged: the run folder cannot be written.
        ExpertUnavailable: the expert lacks weights or a package.
    """
    unmeasured: list[Unmeasured] = []
    for trial in trials:
        left = _left(folder, trial, root)
        for _ in range(len(trial.cases) - len(left)):
            tick()
        if not left:
            continue
        try:
            measure = fit(trial.category, trial.normals)
        except ExpertUnavailable:
            raise
        except ToolError as error:
            why = f"category {trial.category} cannot be learnt: {error}"
            unmeasured += [Unmeasured(name=one.case.name, category=trial.category, why=why) for one in left]
            for _ in left:
                tick()
            continue
        unmeasured += _measured(folder, left, measure, read, jobs=jobs, tick=tick)
    return tuple(unmeasured)


@dataclass(frozen=True)
class _Left:
    """An image that is to be measured, and what will show that its data changed."""

    case: DetectCase
    learnt: str
    size: int
    mask_size: int | None


def _left(folder: DetectFolder, trial: Trial, root: Path) -> list[_Left]:
    learnt = digest_of_files(trial.normals, root)
    left = []
    for case in trial.cases:
        one = _Left(case, learnt, size_of(case.path), size_of(case.mask) if case.mask else None)
        if not folder.has(case, one.learnt, one.size, one.mask_size):
            left.append(one)
    return left


def _measured(
    folder: DetectFolder,
    left: Sequence[_Left],
    measure: Measure,
    read: Read,
    *,
    jobs: int,
    tick: Callable[[], None],
) -> list[Unmeasured]:
    """Measure images and put them on record; returns those that could not be measured."""
    unmeasured: list[Unmeasured] = []
    pool = ThreadPoolExecutor(jobs)
    try:
        under_way = {pool.submit(_put_on_record, one, measure, read, folder): one.case for one in left}
        for done in as_completed(under_way):
            try:
                done.result()
            except ExpertUnavailable:
                raise
            except ToolError as error:
                case = under_way[done]
                unmeasured.append(Unmeasured(name=case.name, category=case.category, why=str(error)))
            tick()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return sorted(unmeasured, key=lambda one: one.name)


def _put_on_record(left: _Left, measure: Measure, read: Read, folder: DetectFolder) -> None:
    """Measure one image and keep its map, reduced, so that no full one outlives this call."""
    case = left.case
    measurement = measure(case.path)
    mask = Mask.of_picture(read(case.mask)) if case.mask else None
    if mask is not None and mask.is_empty:
        mask = None
    kept = None
    if mask is not None or not case.defective:  # of damage that nobody marked no pixel can be judged
        values = KeptMap.of(measurement.map_values, mask, folder.spec.side_px)
        kept = folder.keep_map(case.name, values)
    reading = measurement.reading
    folder.add(
        Reading(
            name=case.name,
            category=case.category,
            kind=case.kind,
            score=reading.score,
            seconds=reading.seconds,
            learnt=left.learnt,
            size=left.size,
            mask_size=left.mask_size,
            map=kept,
        )
    )
