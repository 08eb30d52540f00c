"""The report as Markdown, with relative links to its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from agent.render.wording import Wording, crop_of, duration, number
from graphs.report import DefectReport
from tools.plain_text import escape, paragraph


def render_markdown(report: DefectReport, artifacts: Mapping[str, str]) -> str:
    """Write the report as GitHub-flavoured Markdown.

    Args:
        report: what to write.
        artifacts: name (`query`, `template`, `overlay`, `heatmap`, `crop_1`, ...) to the picture's path
            relative to the Markdown file.
    """
    words = Wording(report.language)
    parts = [
        _head(report, words),
        _faults(report, words),
        _pictures(artifacts, words),
        _defects(report, artifacts, words),
        _recommendations(report, words),
        _readings(report, words),
        _checks(report, words),
        _looks(report, words),
        _person(report, words),
        _knowledge(report, words),
        _plan(report, words),
        _trace(report, words),
        _versions(report, words),
    ]
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines) + "\n"


def _head(report: DefectReport, words: Wording) -> Iterator[str]:
    say = words.say
    yield f"# {say(f'verdict.{report.verdict}')}{say('colon')}{words.headline(report)}"
    yield ""
    confidence = say("confidence", percent=words.percent(report.confidence))
    yield f"{confidence[:1].upper()}{confidence[1:]}. {escape(words.reasoner(report))}"
    yield ""
    yield paragraph(report.summary)
    yield ""
    image = report.image
    yield f"- {_label('image', words)}{escape(image.path)} ({image.width_px} × {image.height_px} px)"
    template = escape(report.template.path) if report.template else say("none")
    yield f"- {_label('template', words)}{template}"
    yield f"- {_label('product', words)}{escape(report.product) if report.product else say('not_known')}"
    if report.mm_per_px is not None:
        yield f"- {_label('scale', words)}{say('scale.value', mm=number(report.mm_per_px))}"


def _faults(report: DefectReport, words: Wording) -> Iterator[str]:
    if not report.faults:
        return
    yield f"## {words.say('faults.title')}"
    yield ""
    yield words.say("faults.went_on")
    yield ""
    for fault in report.faults:
        again = f" {words.say('retry')}" if fault.retryable else ""
        yield f"- **{escape(fault.step)}** ({escape(fault.kind)}): {escape(fault.message)}{again}"


def _pictures(artifacts: Mapping[str, str], words: Wording) -> Iterator[str]:
    named = [name for name in ("query", "template", "overlay", "heatmap") if name in artifacts]
    if not named:
        return
    yield f"## {words.say('pictures')}"
    yield ""
    yield "| " + " | ".join(words.picture(name) for name in named) + " |"
    yield "|" + "---|" * len(named)
    yield "| " + " | ".join(_picture(name, artifacts[name], words) for name in named) + " |"


def _defects(report: DefectReport, artifacts: Mapping[str, str], words: Wording) -> Iterator[str]:
    if not report.defects:
        return
    say = words.say
    yield f"## {say('defects')}"
    cited = _numbers(report)
    for count, defect in enumerate(report.defects, start=1):
        yield ""
        yield f"### {count}. {escape(defect.type)}"
        yield ""
        yield paragraph(defect.description)
        yield ""
        yield f"- {_label('where', words)}{words.place(defect)}"
        if extent := words.extent(defect):
            yield f"- {_label('size', words)}{extent}"
        yield f"- {_label('severity', words)}{say(f'severity.{defect.severity}')}"
        if defect.criterion:
            told = escape(words.criterion(defect))
            yield f"- {told} ({say('source')}{say('colon')}K{cited[defect.criterion.source]})"
        support = say(f"support.{defect.support}")
        sure = words.percent(defect.confidence)
        yield f"- {_label('certainty', words)}{sure}{say('comma')}{support}"
        if defect.evidence:
            yield f"- {_label('evidence', words)}{', '.join(escape(item) for item in defect.evidence)}"
        for cause in defect.causes:
            told = escape(words.cause(cause, defect))
            yield f"- {told} ({say('source')}{say('colon')}K{cited[cause.source]})"
        crop = crop_of(defect)
        if crop is not None and crop in artifacts:
            yield ""
            yield _picture(crop, artifacts[crop], words)


def _recommendations(report: DefectReport, words: Wording) -> Iterator[str]:
    if not report.recommendations and not report.knowledge_note:
        return
    cited = _numbers(report)
    yield f"## {words.say('advice')}"
    if report.knowledge_note:
        yield ""
        yield paragraph(report.knowledge_note)
    for title, recommendations in words.advice(report):
        yield ""
        if title:
            yield f"**{title}**"
            yield ""
        for count, advice in recommendations:
            sources = ", ".join(f"K{cited[source]}" for source in advice.sources)
            named = f"{words.say('sources')}{words.say('colon')}{sources}"
            yield f"{count}. **{escape(advice.action)}** {escape(advice.reason)} ({named})"


def _numbers(report: DefectReport) -> dict[str, int]:
    """Passage id to the number under which it is quoted."""
    return {passage.id: count for count, passage in enumerate(report.knowledge, start=1)}


def _readings(report: DefectReport, words: Wording) -> Iterator[str]:
    if not report.readings:
        return
    say = words.say
    yield f"## {say('measured')}"
    yield ""
    columns = ("expert", "score", "uncertain", "anomalous", "zone", "reliability", "time")
    yield f"| {' | '.join(_capital(say(f'column.{column}')) for column in columns)} |"
    yield "|---|---:|---:|---:|---|---|---:|"
    for reading in report.readings:
        limits = reading.calibration
        reliability = say(f"reliability.{limits.reliability}")
        cells = (
            escape(reading.expert),
            number(reading.score),
            number(limits.uncertain_from),
            number(limits.anomalous_from),
            say(f"zone.{reading.zone}"),
            f"{reliability}{say('colon')}{escape(words.why_reliable(limits))}",
            duration(reading.seconds),
        )
        yield f"| {' | '.join(cells)} |"
    for reading in report.readings:
        for note in reading.notes:
            yield ""
            yield paragraph(f"{reading.expert}: {note}")


def _checks(report: DefectReport, words: Wording) -> Iterator[str]:
    for count, (title, lines) in enumerate(words.checks(report)):
        if count:
            yield ""
        yield f"## {title}"
        yield ""
        for line in lines:
            yield f"- {escape(line)}"


def _looks(report: DefectReport, words: Wording) -> Iterator[str]:
    if not (looks := words.looks(report)):
        return
    yield f"## {words.say('looks')}"
    yield ""
    for line in looks:
        yield f"- {escape(line)}"


def _person(report: DefectReport, words: Wording) -> Iterator[str]:
    if not (lines := words.person(report)):
        return
    yield f"## {words.say('person')}"
    yield ""
    for line in lines:
        yield f"- {escape(line)}"


def _knowledge(report: DefectReport, words: Wording) -> Iterator[str]:
    if not report.knowledge:
        return
    yield f"## {words.say('passages')}"
    cited = report.cited
    for count, passage in enumerate(report.knowledge, start=1):
        if passage.id in cited:
            yield ""
            origin = words.say("passage.from", source=escape(passage.source))
            yield f"**K{count}** {escape(passage.id)}, {origin}"
            yield ""
            yield f"> {paragraph(passage.text)}"
    if consulted := [escape(passage.id) for passage in report.knowledge if passage.id not in cited]:
        yield ""
        yield words.say("consulted", passages=", ".join(consulted))


def _plan(report: DefectReport, words: Wording) -> Iterator[str]:
    if not report.plan:
        return
    yield f"## {words.say('plan')}"
    yield ""
    for step in report.plan:
        taken = words.say("taken" if step.taken else "left_out")
        yield f"- {taken}: **{escape(step.step)}**: {escape(step.reason)}"


def _trace(report: DefectReport, words: Wording) -> Iterator[str]:
    if not report.trace:
        return
    yield f"## {words.say('steps')}"
    yield ""
    columns = (words.say(f"column.{name}") for name in ("step", "time", "did"))
    yield f"| {' | '.join(map(_capital, columns))} |"
    yield "|---|---:|---|"
    for entry in report.trace:
        yield f"| {escape(entry.step)} | {duration(entry.seconds)} | {escape(entry.detail)} |"


def _versions(report: DefectReport, words: Wording) -> Iterator[str]:
    versions = (f"{escape(name)} {escape(version)}" for name, version in sorted(report.versions.items()))
    yield "---"
    yield ""
    yield words.say("schema", version=report.schema_version, sha256=report.image.sha256)
    if report.inspection_id:
        yield words.say("inspection", id=escape(report.inspection_id))
    if report.versions:
        yield words.say("versions.list", versions=", ".join(versions))


def _label(name: str, words: Wording) -> str:
    return f"{_capital(words.say(name))}{words.say('colon')}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _picture(name: str, path: str, words: Wording) -> str:
    # Quoted and never rooted: a path can then neither end the link, nor name a scheme or another host.
    return f"![{words.picture(name)}]({quote(path.lstrip('/'), safe='/')})"
