"""The report as Markdown, with relative links to its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from agent.render.wording import (
    SUPPORT,
    VERDICT,
    cause_sentence,
    crop_of,
    duration,
    headline,
    number,
    percent,
    picture_name,
    place,
    plain,
    reasoner_sentence,
)
from graphs.report import DefectReport

_MARKUP = re.compile(r"([\\`*_\[\]{}#|~$!<>&])")
_LINK = re.compile(r"(?<=[A-Za-z])(:)(?=//)|(?<=\bwww)(\.)", re.IGNORECASE)
_LIST_MARK = re.compile(r"^(?:[-+=]|\d+[.)])")


def render_markdown(report: DefectReport, artifacts: Mapping[str, str]) -> str:
    """Write the report as GitHub-flavoured Markdown.

    Args:
        report: what to write.
        artifacts: name (`query`, `template`, `overlay`, `heatmap`, `crop_1`, ...) to the picture's path
            relative to the Markdown file.
    """
    parts = [
        _head(report),
        _faults(report),
        _pictures(artifacts),
        _defects(report, artifacts),
        _recommendations(report),
        _readings(report),
        _knowledge(report),
        _plan(report),
        _trace(report),
        _versions(report),
    ]
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in a line or a table: no markup, no HTML, no automatic link."""
    escaped = _MARKUP.sub(r"\\\1", plain(text))
    return _LINK.sub(lambda match: "\\" + match[0], escaped)


def paragraph(text: str) -> str:
    """Escaped text that may begin a line: neither a list nor an underline comes of it."""
    return _LIST_MARK.sub(lambda match: f"&#{ord(match[0][0])};{match[0][1:]}", escape(text))


def _head(report: DefectReport) -> Iterator[str]:
    yield f"# {VERDICT[report.verdict]}: {headline(report)}"
    yield ""
    yield f"Confidence {percent(report.confidence)}. {escape(reasoner_sentence(report))}"
    yield ""
    yield paragraph(report.summary)
    yield ""
    image = report.image
    yield f"- Image: {escape(image.path)} ({image.width_px} × {image.height_px} px)"
    yield f"- Template: {escape(report.template.path) if report.template else 'none'}"
    yield f"- Product: {escape(report.product) if report.product else 'not known'}"


def _faults(report: DefectReport) -> Iterator[str]:
    if not report.faults:
        return
    yield "## Faults"
    yield ""
    yield "The inspection went on, but without what failed here."
    yield ""
    for fault in report.faults:
        again = " Trying again may help." if fault.retryable else ""
        yield f"- **{escape(fault.step)}** ({escape(fault.kind)}): {escape(fault.message)}{again}"


def _pictures(artifacts: Mapping[str, str]) -> Iterator[str]:
    named = [name for name in ("query", "template", "overlay", "heatmap") if name in artifacts]
    if not named:
        return
    yield "## Pictures"
    yield ""
    yield "| " + " | ".join(picture_name(name) for name in named) + " |"
    yield "|" + "---|" * len(named)
    yield "| " + " | ".join(_picture(name, artifacts[name]) for name in named) + " |"


def _defects(report: DefectReport, artifacts: Mapping[str, str]) -> Iterator[str]:
    if not report.defects:
        return
    yield "## Defects"
    cited = _numbers(report)
    for count, defect in enumerate(report.defects, start=1):
        yield ""
        yield f"### {count}. {escape(defect.type)}"
        yield ""
        yield paragraph(defect.description)
        yield ""
        yield f"- Where: {place(defect)}"
        yield f"- Severity: {defect.severity}"
        yield f"- Confidence: {percent(defect.confidence)}, {SUPPORT[defect.support]}"
        if defect.evidence:
            yield f"- Evidence: {', '.join(escape(item) for item in defect.evidence)}"
        for cause in defect.causes:
            yield f"- {escape(cause_sentence(cause, defect))} (source: K{cited[cause.source]})"
        crop = crop_of(defect)
        if crop is not None and crop in artifacts:
            yield ""
            yield _picture(crop, artifacts[crop])


def _recommendations(report: DefectReport) -> Iterator[str]:
    if not report.recommendations and not report.knowledge_note:
        return
    cited = _numbers(report)
    yield "## What to do"
    yield ""
    if report.knowledge_note:
        yield paragraph(report.knowledge_note)
    for count, advice in enumerate(report.recommendations, start=1):
        sources = ", ".join(f"K{cited[source]}" for source in advice.sources)
        yield f"{count}. **{escape(advice.action)}** {escape(advice.reason)} (sources: {sources})"


def _numbers(report: DefectReport) -> dict[str, int]:
    """Passage id to the number under which it is quoted."""
    return {passage.id: count for count, passage in enumerate(report.knowledge, start=1)}


def _readings(report: DefectReport) -> Iterator[str]:
    if not report.readings:
        return
    yield "## Measured"
    yield ""
    yield "| Expert | Score | Uncertain from | Anomalous from | Zone | Reliability | Time |"
    yield "|---|---:|---:|---:|---|---|---:|"
    for reading in report.readings:
        limits = reading.calibration
        cells = (
            escape(reading.expert),
            number(reading.score),
            number(limits.uncertain_from),
            number(limits.anomalous_from),
            reading.zone,
            f"{limits.reliability}: {escape(limits.reliability_reason)}",
            duration(reading.seconds),
        )
        yield f"| {' | '.join(cells)} |"
    for reading in report.readings:
        for note in reading.notes:
            yield ""
            yield paragraph(f"{reading.expert}: {note}")


def _knowledge(report: DefectReport) -> Iterator[str]:
    if not report.knowledge:
        return
    yield "## Passages"
    cited = report.cited
    for count, passage in enumerate(report.knowledge, start=1):
        if passage.id in cited:
            yield ""
            yield f"**K{count}** {escape(passage.id)}, from {escape(passage.source)}:"
            yield ""
            yield f"> {paragraph(passage.text)}"
    if consulted := [escape(passage.id) for passage in report.knowledge if passage.id not in cited]:
        yield ""
        yield f"Consulted and not cited: {', '.join(consulted)}."


def _plan(report: DefectReport) -> Iterator[str]:
    if not report.plan:
        return
    yield "## Plan"
    yield ""
    for step in report.plan:
        yield f"- {'taken' if step.taken else 'left out'}: **{escape(step.step)}**: {escape(step.reason)}"


def _trace(report: DefectReport) -> Iterator[str]:
    if not report.trace:
        return
    yield "## Steps"
    yield ""
    yield "| Step | Time | Detail |"
    yield "|---|---:|---|"
    for entry in report.trace:
        yield f"| {escape(entry.step)} | {duration(entry.seconds)} | {escape(entry.detail)} |"


def _versions(report: DefectReport) -> Iterator[str]:
    versions = (f"{escape(name)} {escape(version)}" for name, version in sorted(report.versions.items()))
    yield "---"
    yield ""
    yield f"Report schema {report.schema_version}. Image sha256 {report.image.sha256}."
    if report.inspection_id:
        yield f"Inspection {escape(report.inspection_id)}."
    if report.versions:
        yield f"Versions: {', '.join(versions)}."


def _picture(name: str, path: str) -> str:
    # Quoted and never rooted: a path can then neither end the link, nor name a scheme or another host.
    return f"![{picture_name(name)}]({quote(path.lstrip('/'), safe='/')})"
