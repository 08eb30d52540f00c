"""What a report says, in words and tables, whatever it is rendered as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from evals.mmad.published import PublishedRow, published
from evals.mmad.risk import in_verdicts
from evals.mmad.tables import (
    Table,
    accuracy_table,
    category_table,
    detection_table,
    reference_table,
    risk_table,
    rows_beside,
)
from evals.report.radar import Outline
from evals.report.story import Story
from evals.types import AnswerRecord
from graphs.questions.question import SUBTASKS
from tools.plain_text import plain

MOST_ROWS = 200
"""Rows of a table that a page shows; `summary.json` has all."""

THIS_RUN = "this run"

ON_THE_RADAR = ("Qwen2.5-VL-7B-Instruct", "gpt-4o", "Qwen2-VL-72B-Instruct")
"""Published rows that are drawn: the reference runner's model, a closed one, and the best untuned one."""


class Section(NamedTuple):
    """A table under a heading, with what must be known to read it; a folded one is opened by who wants it."""

    heading: str
    remark: str
    table: Table
    folded: bool = False


class Fact(NamedTuple):
    """One thing and what it is."""

    name: str
    value: str


def title(story: Story) -> str:
    """What the report is of."""
    return f"{story.spec.benchmark.upper()} evaluation"


def warnings(story: Story) -> list[str]:
    """What nobody may overlook, in a few words each."""
    told = [] if story.spec.vlm_used else ["no VLM was used"]
    return [*told, "unfinished"] if story.summary is None else told


def who(story: Story) -> str:
    """The sentence that names who answered, so that measurements never pass for a model's answers."""
    if story.spec.vlm_used:
        name = plain(story.spec.answered_by.removeprefix("vlm:"), 200)
        return f"Answered by the vision-language model {name}."
    return "Answered by the evidence reasoner, from measurements and documents."


def remarks(story: Story) -> list[str]:
    """What must be known to compare this run with others."""
    told = []
    if story.summary is None:
        of = f" of {story.asked:,}" if story.asked is not None else ""
        told.append(
            f"Unfinished: {story.answers:,}{of} questions are answered, and all figures are of those. "
            "The run's own command goes on with it."
        )
        told += story.spec.notes
    else:
        told += story.summary.notes
    guesses = story.answered_by.get("chance", 0)
    if guesses:
        told.append(f"{guesses:,} of {story.answers:,} answers are guesses: nothing spoke for an option.")
    if story.scores.overall.invalid:
        invalid = story.scores.overall.invalid
        told.append(f"{invalid:,} of {story.answers:,} answers held no letter and count as wrong.")
    return told


def sections(story: Story) -> Iterator[Section]:
    """The tables of a run, in the order in which they are read."""
    yield Section(
        "Accuracy",
        "In brackets 95 % bootstrap intervals over images. Detection: mean of good and defective images.",
        accuracy_table(story.scores),
    )
    summary = story.summary
    if summary is not None and summary.scores_without_suspects is not None:
        yield Section(
            "Accuracy without suspect images",
            f"Without {len(summary.suspects)} image(s) that show another product than their templates.",
            accuracy_table(summary.scores_without_suspects),
        )
    yield Section("Detection", "A defect is the positive class.", detection_table(story.scores))
    if summary is not None:
        yield Section(
            "The reference's own scoring",
            "As the published script counts: it drops invalid answers from the list that it walks over, so "
            "that each hides its neighbour. With no invalid answer it agrees with ours.",
            reference_table(summary.reference),
        )
    yield Section(
        "Beside published rows",
        _about_published(story),
        rows_beside([(THIS_RUN, story.scores)], published()),
        folded=not story.of_mmad,
    )
    if len(story.scores.categories) > 1:
        yield Section("By category", "", _cut(category_table(story.scores)))


def outlines(story: Story) -> list[Outline]:
    """The run, guessing, and published rows where they are about the same images."""
    asked = story.scores.overall.subtasks
    scored = [asked.get(subtask) for subtask in SUBTASKS]
    figures = [each.accuracy if each else None for each in scored]
    run = Outline(
        THIS_RUN,
        [figure.value if figure else None for figure in figures],
        "run",
        [(figure.low, figure.high) if figure else None for figure in figures],
    )
    others = [_outline(row) for row in published() if row.name in ON_THE_RADAR] if story.of_mmad else []
    return [run, *others, Outline("guessing", [each.chance if each else None for each in scored], "chance")]


def about_radar(story: Story) -> str:
    """What the radar shows."""
    said = "Accuracy in % by subtask; the bars are 95 % intervals."
    if not story.of_mmad:
        return f"{said} Published rows are about MMAD's own images and are not drawn."
    other = "" if story.spec.protocol == "reference" else ", which this run was not"
    return f"{said} Published rows are as their authors print them, 1-shot, under MMAD's own protocol{other}."


def speed(story: Story) -> list[Fact]:
    """How fast it was and what it cost."""
    told = story.throughput
    facts = [
        Fact("Answers", f"{told.answers:,}"),
        Fact("A question", f"p50 {told.question_p50_s:.2f} s, p95 {told.question_p95_s:.2f} s"),
        Fact("An image with its questions", f"p50 {told.image_p50_s:.2f} s, p95 {told.image_p95_s:.2f} s"),
        Fact("Measuring, over all images", f"{told.measured_s:,.1f} s"),
    ]
    if told.prompt_tokens:
        facts.append(Fact("Tokens", f"{told.prompt_tokens:,} prompt, {told.completion_tokens:,} completion"))
    if told.cached_share is not None:
        facts.append(Fact("Prompt tokens from the server's cache", f"{100 * told.cached_share:.1f} %"))
    last = story.summary.last_session if story.summary else {}
    rate = last.get("questions_per_s")
    if rate is not None:
        facts.append(
            Fact(
                "Rate of the last session", f"{rate:.2f} questions/s ({last.get('answered') or 0:,.0f} asked)"
            )
        )
    return facts


def particulars(story: Story) -> list[Fact]:
    """What was run, so that somebody else can run it."""
    spec = story.spec
    files = sum(not name.startswith("(") for name in spec.files)  # in brackets: a digest of no file
    facts = [
        Fact("Benchmark", spec.benchmark),
        Fact("Data", spec.data),
        Fact("Data files", f"{files:,}"),
    ]
    facts += [Fact(name, _said(value)) for name, value in spec.settings.items()]
    facts += [Fact(f"subset: {name}", _said(value)) for name, value in spec.subset.items() if value]
    facts += [Fact(name, version) for name, version in spec.versions.items()]
    if story.summary is not None:
        facts.append(Fact("Finished", story.summary.finished))
    return facts


def risks(story: Story) -> Section | None:
    """What is right if only the surest answers count; None where no answer has a probability."""
    if story.risk.overall is None:
        return None
    verdicts = f" {in_verdicts(story.risk.verdicts)}" if story.risk.verdicts else ""
    return Section(
        "Risk and coverage",
        "The surest answers first: how many are wrong among those that count. AURC is the mean over the "
        "curve; a confidence that knows nothing has the share of wrong answers there, and what the best one "
        "would have stands beside it. The last columns: how many answers can count, and from which "
        f"confidence on.{verdicts}",
        risk_table(story.risk),
    )


def about_gallery(story: Story) -> str:
    """How the wrong answers that are shown were chosen."""
    missing = f" Pictures are missing: {story.data_missing}" if story.data_missing else ""
    if not story.wrong:
        return "No answer is wrong."
    if len(story.gallery) == story.wrong:
        return f"All {story.wrong:,} of them.{missing}"
    return (
        f"{len(story.gallery)} of {story.wrong:,}, drawn evenly over subtasks and data sets; those with a "
        f"kept overlay come first. The draw is the same each time.{missing}"
    )


def options(record: AnswerRecord) -> list[tuple[str, str]]:
    """Letter and words of each option as they were shown, with its probability where it is known."""
    told = record.given.probabilities or {}
    return [
        (
            letter,
            f"{letter}. {plain(option, 300)}" + (f" ({100 * told[letter]:.0f} %)" if letter in told else ""),
        )
        for letter, option in record.options.items()
    ]


def _outline(row: PublishedRow) -> Outline:
    return Outline(f"{row.name} (published)", [row.figures.get(subtask) for subtask in SUBTASKS], "published")


def _about_published(story: Story) -> str:
    if not story.of_mmad:
        return (
            "Published rows are about MMAD's own images; this run asked about others, and the figures cannot "
            "be compared."
        )
    if story.spec.protocol != "reference":
        return "Published rows are under MMAD's own protocol, this run is not: they are no like for like."
    partial = any(story.spec.subset.get(name) for name in story.spec.subset if name != "seed")
    return "Published rows are about all of MMAD, this run about a part of it." if partial else ""


def _cut(table: Table) -> Table:
    """At most `MOST_ROWS` rows; the last then says how many are left out."""
    if len(table.rows) <= MOST_ROWS:
        return table
    more = (f"and {len(table.rows) - MOST_ROWS:,} more", *[""] * (len(table.columns) - 1))
    return Table(table.title, table.columns, (*table.rows[:MOST_ROWS], more))


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        ", ".join(map(str, value))
        if isinstance(value, list | tuple)
        else "–"
        if value is None
        else str(value)
    )
