"""A run as Markdown: the tables, and the wrong answers that the page shows, with links to kept pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.log import PICTURES
from evals.mmad.tables import Table
from evals.report import contents
from evals.report.contents import Fact, Section
from evals.report.gallery import Exhibit
from evals.report.story import Confusion, Story
from graphs.questions.question import SUBTASKS
from tools.plain_text import escape, paragraph


def render_markdown(story: Story) -> str:
    """GitHub-flavoured Markdown. Text of data, models and settings is shown and does nothing."""
    parts = [
        _head(story),
        *(_section(section) for section in contents.sections(story)),
        _confusions(story),
        _calibration(story),
        _risks(story),
        _facts("Speed", contents.speed(story)),
        _gallery(story),
        _facts("What was run", contents.particulars(story)),
    ]
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines) + "\n"


def _head(story: Story) -> Iterator[str]:
    said = [f"{story.spec.protocol} protocol", *contents.warnings(story)]
    yield f"# {escape(contents.title(story))}: {escape(', '.join(said))}"
    yield ""
    yield paragraph(contents.who(story))
    yield ""
    overall = story.scores.overall
    if overall.average is not None:
        low, high = overall.average.low, overall.average.high
        yield f"- Average: **{overall.average.value:.1f} %** (95 %: {low:.1f} to {high:.1f})"
    if overall.chance is not None:
        yield f"- Guessing: {overall.chance:.1f} %"
    yield f"- Answers: {overall.questions:,} about {overall.images:,} images, {overall.invalid:,} invalid"
    for remark in contents.remarks(story):
        yield f"- {escape(remark)}"


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.heading}"
    if section.remark:
        yield ""
        yield paragraph(section.remark)
    yield ""
    yield from _table(section.table)


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(map(escape, table.columns))} |"
    yield "|---|" + "---:|" * (len(table.columns) - 1)
    for row in table.rows:
        yield f"| {' | '.join(map(escape, row))} |"


def _confusions(story: Story) -> Iterator[str]:
    if not story.confusions:
        return
    yield "## Confusion"
    yield ""
    yield "Rows are the right option, columns the given one; – is an answer without a letter."
    for subtask in SUBTASKS:
        if subtask in story.confusions:
            yield ""
            yield f"### {subtask}"
            yield ""
            yield from _table(_counted(story.confusions[subtask]))


def _counted(counts: Confusion) -> Table:
    rights = sorted({right for right, _ in counts})
    givens: list[str | None] = [*sorted({given for _, given in counts if given is not None} | {*rights})]
    if any(given is None for _, given in counts):
        givens.append(None)
    rows = tuple((right, *(str(counts[right, given]) for given in givens)) for right in rights)
    return Table("", ("", *(given or "–" for given in givens)), rows)


def _calibration(story: Story) -> Iterator[str]:
    told = story.calibration
    if told is None:
        return
    yield "## Calibration"
    yield ""
    yield f"Over {told.answers:,} answers with a probability: ECE {told.ece:.3f}, Brier {told.brier:.3f}."
    yield ""
    rows = tuple(
        (f"{100 * each.probability:.1f} %", f"{100 * each.right:.1f} %", f"{each.answers:,}")
        for each in told.bins
    )
    yield from _table(Table("", ("stated", "right", "answers"), rows))


def _risks(story: Story) -> Iterator[str]:
    told = contents.risks(story)
    if told is not None:
        yield from _section(told)


def _facts(heading: str, facts: Sequence[Fact]) -> Iterator[str]:
    yield f"## {heading}"
    yield ""
    for fact in facts:
        yield f"- {escape(fact.name)}: {escape(fact.value)}"


def _gallery(story: Story) -> Iterator[str]:
    yield "## Wrong answers"
    yield ""
    yield paragraph(contents.about_gallery(story))
    for number, exhibit in enumerate(story.gallery, start=1):
        yield ""
        yield from _exhibit(number, exhibit)


def _exhibit(number: int, exhibit: Exhibit) -> Iterator[str]:
    record = exhibit.record
    yield f"### {number}. {record.type}"
    yield ""
    yield paragraph(record.question)
    yield ""
    for _, option in contents.options(record):
        yield f"- {escape(option)}"
    yield ""
    given = escape(record.given.letter or "no letter")
    yield f"Right: **{escape(record.correct)}**. Given: **{given}**, by {escape(record.given.by)}."
    if record.given.reply:
        yield ""
        yield f"> {paragraph(record.given.reply)}"
    yield ""
    yield f"{escape(record.image)}, question {record.number}."
    if exhibit.overlay is not None and exhibit.overlay.uri is not None:
        yield ""
        yield f"![what was marked]({PICTURES}/{exhibit.overlay_name})"
