"""What `agent inspect` does: find the images, inspect them, print and keep the reports."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console

from agent.api import BoxXyxy, Inspection, Inspector, Setup
from agent.cli.asking import Asking
from agent.cli.progress import progress_bar
from agent.errors import UsageError
from agent.keeping import keep_inspection
from agent.render import Format, render
from agent.render.console import stream_style
from agent.render.json_ import render_json
from agent.settings import Settings
from graphs.report import DefectReport, Fault, Verdict
from tools.errors import ImageError

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})

HINT = "judged by measurements alone; to add a vision-language model give --vlm-url URL or run `agent serve`"


@dataclass(frozen=True)
class Job:
    """One call of `agent inspect`."""

    patterns: tuple[str, ...]
    templates: tuple[Path, ...]
    setup: Setup
    out: Path | None
    form: Format | None
    quiet: bool
    ask: bool


@dataclass(frozen=True)
class Failure:
    """An image of a batch that could not be inspected."""

    path: Path
    fault: Fault

    def as_json(self) -> str:
        """One line that stands where the report would."""
        row = {"image": {"path": str(self.path)}, "verdict": None, "faults": [self.fault.model_dump()]}
        return json.dumps(row, ensure_ascii=False)


def inspect_images(job: Job, explicit: Mapping[str, Any], config: Path | None) -> list[Verdict]:
    """Inspect one image or many; returns the verdicts.

    Raises:
        UsageError: nothing to inspect, or nothing could be inspected.
        ToolError, KnowledgeError, AgentError: the only image, a template or a service cannot be used.
    """
    images, many = find_images(job.patterns)
    if many and job.form == "html" and job.out is None:
        raise UsageError("many HTML pages cannot be printed at once; give --out DIR to keep them")
    settings = Settings.resolve(explicit, config=config)
    with Inspector(settings) as inspector:
        for warning in inspector.warnings:
            _tell(f"warning: {warning}")
        if many:
            verdicts = _inspect_many(inspector, job, images)
        else:
            verdicts = [_inspect_one(inspector, job, images[0])]
        if (
            inspector.reasoner == "evidence"
            and settings.reasoner == "auto"
            and not inspector.warnings
            and not job.quiet
        ):
            _tell(HINT)
    return verdicts


def find_images(patterns: Sequence[str]) -> tuple[list[Path], bool]:
    """Files named by files, folders and globs, each once; and whether many were asked for.

    Raises:
        UsageError: a folder or a glob holds no image.
    """
    found: dict[Path, None] = {}
    many = len(patterns) > 1
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        elif any(mark in pattern for mark in "*?[") and not path.exists():
            anchor = Path(path.anchor)
            files = sorted(file for file in anchor.glob(str(path.relative_to(anchor))) if file.is_file())
        else:
            found[path] = None
            continue
        many = True
        if not files:
            raise UsageError(f"no images in {pattern}; known endings are {', '.join(sorted(IMAGE_SUFFIXES))}")
        found.update(dict.fromkeys(files))
    return list(found), many


def read_roi(text: str | None) -> BoxXyxy | Path | None:
    """A region of interest as it is written on the command line: four numbers are a box, else a file."""
    if text is None:
        return None
    parts = text.split(",")
    try:
        x0, y0, x1, y1 = (int(part) for part in parts)
    except ValueError:
        if len(parts) == 4 and not Path(text).exists():
            raise UsageError(f"--roi {text}: give x0,y0,x1,y1 in whole pixels, or a mask picture") from None
        return Path(text)
    return x0, y0, x1, y1


def _inspect_one(inspector: Inspector, job: Job, image: Path) -> Verdict:
    with (
        _status(job.quiet or job.ask) as show,
        inspector.inspection(
            image, job.templates, progress=show, ask=Asking() if job.ask else None, **job.setup
        ) as inspection,
    ):
        report = keep_inspection(inspection, job.out / image.stem) if job.out else inspection.report
        printed = _printed(report, inspection, job)
    click.echo(printed)
    if job.out:
        _tell(f"kept in {job.out / image.stem}/: report.html, report.json and the pictures", job.quiet)
    return report.verdict


def _inspect_many(inspector: Inspector, job: Job, images: Sequence[Path]) -> list[Verdict]:
    """Reports in the order of the images, as JSON Lines or one after another; bad images become rows."""
    names = folder_names(images)
    verdicts: list[Verdict] = []
    ask = Asking() if job.ask else None

    def work(image: Path) -> tuple[DefectReport, str] | Failure:
        folder = job.out / names[image] if job.out else None
        try:
            if folder and (earlier := _earlier(inspector, job, image, folder)):
                return earlier, _line(earlier, job)
            with inspector.inspection(image, job.templates, ask=ask, **job.setup) as inspection:
                report = keep_inspection(inspection, folder) if folder else inspection.report
                return report, _line(report, job)
        except ImageError as error:
            return Failure(image, Fault(step="intake", kind=error.kind, message=str(error)))

    _check_templates(inspector, job)
    with (
        progress_bar("inspecting", len(images), quiet=job.quiet or job.ask) as advance,
        ThreadPoolExecutor(inspector.settings.jobs) as pool,
    ):
        try:
            for result in pool.map(work, images):
                if isinstance(result, Failure):
                    click.echo(result.as_json())
                    _tell(f"warning: {result.fault.message}", job.quiet)
                else:
                    verdicts.append(result[0].verdict)
                    click.echo(result[1])
                advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            inspector.cancel()
            raise
    if not verdicts:
        raise UsageError(f"none of {len(images)} image(s) could be inspected")
    return verdicts


def _check_templates(inspector: Inspector, job: Job) -> None:
    """A template that cannot be read is the user's mistake once, not a fault of every image."""
    for template in job.templates:
        inspector.check(template)


def folder_names(images: Sequence[Path]) -> dict[Path, str]:
    """A folder name for each image: its stem, and a mark of its path where stems meet."""
    stems = [image.stem for image in images]
    return {
        image: image.stem
        if stems.count(image.stem) == 1
        else f"{image.stem}-{hashlib.sha256(str(image).encode()).hexdigest()[:8]}"
        for image in images
    }


def _earlier(inspector: Inspector, job: Job, image: Path, folder: Path) -> DefectReport | None:
    """The report of an earlier run of the same inspection, so that a batch goes on where it stopped."""
    file = folder / "report.json"
    if not file.is_file():
        return None
    try:
        report = DefectReport.model_validate_json(file.read_bytes())
    except ValidationError:
        return None  # of another version, or somebody else's file: inspect again and replace it
    wanted = inspector.inspection_id(image, job.templates, asks=job.ask, **job.setup)
    return report if report.inspection_id == wanted else None


def _printed(report: DefectReport, inspection: Inspection, job: Job) -> str:
    form = job.form or "text"
    color, width = stream_style(sys.stdout)
    return render(
        report,
        form,
        pictures=inspection.pictures() if form == "html" else None,
        links=report.artifacts,
        color=color,
        width=width,
    ).rstrip("\n")


def _line(report: DefectReport, job: Job) -> str:
    if job.form in {None, "json", "html"}:
        return render_json(report, one_line=True)
    return render(report, job.form, links=report.artifacts, width=100).rstrip("\n")


@contextmanager
def _status(quiet: bool) -> Iterator[Any]:
    """The running step on stderr, if a person watches."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with console.status("opening") as status:
        yield lambda step: status.update(step.replace("_", " "))


def _tell(message: str, quiet: bool = False) -> None:
    if not quiet:
        click.echo(f"agent: {message}", err=True)
