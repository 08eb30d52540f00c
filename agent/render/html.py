"""The report as one HTML page that needs nothing else: no script, no network, no file beside it."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agent.render import Picture
from agent.render.wording import Wording, crop_of, duration, number
from graphs.report import DefectReport
from tools.plain_text import plain
from tools.types import ExpertReading

_MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class Gauge(NamedTuple):
    """Where the zones begin and where the score lies, in per cent of the gauge's width."""

    uncertain: float
    anomalous: float
    score: float


def render_html(report: DefectReport, pictures: Mapping[str, Picture]) -> str:
    """Write one self-contained page.

    Args:
        report: what to write.
        pictures: `query`, `template`, `overlay`, `heatmap`, `crop_1`, ... as picture bytes or files; what is
            missing is left out of the page, and a missing query is said to be missing.

    Raises:
        OSError: a picture's file cannot be read.
        ValueError: a picture is not PNG, JPEG, GIF or WebP.
    """
    embedded = {name: data_uri(name, picture) for name, picture in pictures.items()}
    words = Wording(report.language)
    slowest = max((entry.seconds for entry in report.trace), default=0.0)
    return page_environment(Path(__file__).parent).get_template("report.html.j2").render(
        report=report,
        words=words,
        say=words.say,
        pictures=embedded,
        crops=[crop_of(defect) for defect in report.defects],
        gauges=[gauge(reading) for reading in report.readings],
        passage_numbers={passage.id: count for count, passage in enumerate(report.knowledge, start=1)},
        reading_numbers={f"reading:{r.expert}": count for count, r in enumerate(report.readings, start=1)},
        shares=[100 * entry.seconds / slowest if slowest > 0 else 0.0 for entry in report.trace],
    )  # fmt: skip


def gauge(reading: ExpertReading) -> Gauge:
    """Lay a reading out on a scale from well inside the normal parts to beyond score and threshold."""
    limits = reading.calibration
    marks = (limits.centre - 3 * limits.spread, limits.uncertain_from, limits.anomalous_from, reading.score)
    unit = max(map(abs, marks)) or 1.0  # first, so that no difference of extreme scores overflows
    if not math.isfinite(unit):
        return Gauge(100.0, 100.0, 100.0)
    _, uncertain, anomalous, score = scaled = tuple(mark / unit for mark in marks)
    low, high = min(scaled), max(scaled)
    margin = 0.12 * (high - low) or 1.0
    low, high = low - margin, high + margin
    return Gauge(*(100 * (mark - low) / (high - low) for mark in (uncertain, anomalous, score)))


def data_uri(name: str, picture: Picture) -> Markup:
    """A picture as an address that holds it.

    Raises:
        OSError: its file cannot be read.
        ValueError: it is not PNG, JPEG, GIF or WebP.
    """
    content = picture.read_bytes() if isinstance(picture, Path) else picture
    media_type = next((kind for magic, kind in _MEDIA_TYPES.items() if content.startswith(magic)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        media_type = "image/webp"
    if media_type is None:
        raise ValueError(
            f"picture {plain(name)!r} is none that browsers show; give it as PNG, JPEG, GIF or WebP"
        )
    # Base64 and a media type of ours: safe in an attribute, and too long to pass through `plain`.
    return Markup(f"data:{media_type};base64,{base64.b64encode(content).decode()}")  # noqa: S704


@lru_cache(maxsize=4)
def page_environment(folder: Path) -> Environment:
    """Templates of a folder, for pages in which every value is shown inert."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration)
    environment.globals.update(number=number)
    return environment


def inert(value: object) -> object:
    """Every value that the template prints passes here, so that none can be forgotten."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
