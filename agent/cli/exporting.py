"""What `agent export` does: read the reports one by one, name their images, write the files."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import cv2

from agent.cli.progress import progress_bar
from agent.errors import UsageError
from agent.export.coco import to_coco
from agent.export.label_studio import labelling_interface, to_task
from agent.export.labelme import to_labelme
from agent.export.masks import to_mask
from agent.export.reports import REPORT_NAME, find_reports, read_report
from agent.export.shapes import ContradictoryReport, without_place
from agent.wiring import versions
from graphs.report import DefectReport
from tools.atomic import write_atomically

INTO_ONE_FILE: Final = frozenset({"coco", "label-studio"})


@dataclass(frozen=True)
class ExportJob:
    """One call of `agent export`."""

    places: tuple[Path, ...]
    form: str
    out: Path
    image_prefix: str | None
    numbered: bool
    quiet: bool


@dataclass
class _Course:
    """How far an export has come: the report in work, and what was met so far."""

    file: Path | None = None
    reports: int = 0
    unplaced: int = 0
    types: set[str] = field(default_factory=set)


def export_reports(job: ExportJob) -> None:
    """Write what the job asks for.

    A report that cannot be used stops the export: a data set that lacks an image looks as if it were whole.

    Raises:
        UsageError: a report, a place or the target cannot be used.
    """
    files = find_reports(job.places)
    _check_target(job)
    course = _Course()
    try:
        with progress_bar("exporting", len(files), quiet=job.quiet) as advance:
            reports = _reports(job, files, course, advance)
            if job.form in INTO_ONE_FILE:
                _write_one(job, reports, course)
            else:
                names = _file_names(files)
                for file, (image, report) in zip(files, reports, strict=True):
                    _write_each(job, names[file], image, report)
    except ContradictoryReport as error:
        raise UsageError(f"{course.file}: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot write {job.out}: {error.strerror}") from error
    if not job.quiet:
        left_out = f"; {course.unplaced} defect(s) without a place were left out" if course.unplaced else ""
        click.echo(f"agent: {course.reports} report(s) written to {job.out}{left_out}", err=True)


def _check_target(job: ExportJob) -> None:
    if job.numbered and job.form != "mask":
        raise UsageError("--numbered goes with --format mask")
    if job.form in INTO_ONE_FILE and (job.out.is_dir() or job.out.suffix != ".json"):
        raise UsageError(f"--format {job.form} writes one file whose name ends in .json, not {job.out}")
    if job.form not in INTO_ONE_FILE and job.out.exists() and not job.out.is_dir():
        raise UsageError(f"--format {job.form} writes a file an image into a folder, and {job.out} is a file")


def _reports(
    job: ExportJob, files: Sequence[Path], course: _Course, advance: Callable[[], None]
) -> Iterator[tuple[str, DefectReport]]:
    """Each report with the name that its image gets, read when it is asked for."""
    seen: dict[str, Path] = {}
    for file in files:
        course.file = file
        report = read_report(file)
        image = _image_name(job, report)
        if image in seen:
            raise UsageError(f"{seen[image]} and {file} are both of the image {image}; export one of them")
        seen[image] = file
        course.reports += 1
        course.unplaced += without_place(report)
        course.types.update(defect.type for defect in report.defects)
        yield image, report
        advance()


def _image_name(job: ExportJob, report: DefectReport) -> str:
    path = Path(report.image.path)
    if job.image_prefix is not None:
        return f"{job.image_prefix.rstrip('/')}/{path.name}"
    if job.form == "labelme" and path.exists():
        return os.path.relpath(path, job.out)  # labelme looks from the folder of its file
    return report.image.path


def _file_names(files: Sequence[Path]) -> dict[Path, str]:
    """A name for the file of each report: of the folder kept for its image, with a mark where two meet."""
    plain = [file.resolve().parent.name if file.name == REPORT_NAME else file.stem for file in files]
    count = Counter(plain)
    return {
        file: name
        if count[name] == 1
        else f"{name}-{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
        for file, name in zip(files, plain, strict=True)
    }


def _write_one(job: ExportJob, reports: Iterator[tuple[str, DefectReport]], course: _Course) -> None:
    if job.form == "coco":
        write_atomically(job.out, _json(to_coco(reports, versions())))
        return
    tasks = [to_task(image, report) for image, report in reports]
    write_atomically(job.out.with_suffix(".xml"), labelling_interface(course.types).encode())
    write_atomically(job.out, _json(tasks))


def _write_each(job: ExportJob, name: str, image: str, report: DefectReport) -> None:
    if job.form == "labelme":
        write_atomically(job.out / f"{name}.json", _json(to_labelme(image, report)))
        return
    written, content = cv2.imencode(".png", to_mask(report, numbered=job.numbered))
    if not written:
        raise UsageError(f"the mask of {image} cannot be written as PNG")
    write_atomically(job.out / f"{name}.png", content.tobytes())


def _json(values: Any) -> bytes:  # noqa: ANN401 - any JSON
    return (json.dumps(values, allow_nan=False, ensure_ascii=True) + "\n").encode()
