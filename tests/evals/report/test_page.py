"""What a reader of a run's page and of its Markdown is told, and what neither ever does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from evals.errors import DatasetInvalid, RunDamaged
from evals.log import ANSWERS, SPEC, SUMMARY
from evals.mmad.scoring import score
from evals.report.contents import MOST_ROWS
from evals.report.gallery import MOST_SHOWN
from evals.report.page import write_report
from evals.types import AnswerRecord, Benchmark
from tests.evals.report.conftest import VLM, answered, keep_overlay, spec_of

MakeRun = Callable[..., Path]

HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='x",
    "\x1b[31mred\x1b]0;title\x07\r\x08hidden\x00 abc\u202edcba\u2066\u200f\u2028end",
    "# h\n- l\n|a|b|\n```x``` **b** ![i](http://x/y.png) [l](javascript:1) <b>~~s~~ https://x.y www.x.y",
    "{{ 7*7 }}{% raw %}{# c #}",
    "word " * 5_000,
]


class Page(HTMLParser):
    """What a browser would see: elements, attributes, words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self._hidden = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += f" {' '.join(data.split())}"


def pages(run: Path, data: Path | None = None) -> tuple[Page, str]:
    page, markdown = write_report(run, data=data)
    assert page == run / "report.html"
    assert markdown == run / "report.md"
    return Page(page.read_text("utf-8")), markdown.read_text("utf-8")


def test_the_figures_are_those_of_the_run(run: Path, benchmark: Benchmark) -> None:
    overall = score(answered(benchmark)).overall
    assert overall.average is not None
    page, markdown = pages(run)
    shown = f"{overall.average.value:.1f}"
    assert f" {shown} % " in page.words
    assert f"Average: **{shown} %**" in markdown
    for subtask in overall.subtasks.values():
        assert subtask.accuracy is not None
        assert f"{subtask.accuracy.value:.1f}" in page.words


def test_every_part_of_the_report_is_there(run: Path) -> None:
    page, markdown = pages(run)
    parts = ["Accuracy", "Detection", "The reference's own scoring", "Beside published rows", "By category"]
    parts += ["Confusion", "Calibration", "Risk and coverage", "Wrong answers", "Speed", "What was run"]
    for part in parts:
        assert f" {part} " in page.words
        assert f"\n## {part}\n" in markdown
    assert page.elements.count("svg") == 2 + 7 + 2


@pytest.mark.parametrize(("by", "used"), [("evidence", False), (VLM, True)])
def test_whether_a_vlm_was_used_is_said(benchmark: Benchmark, make_run: MakeRun, by: str, used: bool) -> None:
    run = make_run(spec_of(benchmark, answered_by=by), answered(benchmark, by=by), notes=[])
    page, markdown = pages(run)
    for words in (page.words, markdown):
        assert ("no VLM was used" in words) is not used
        assert ("Qwen2.5-VL-7B-Instruct." in words.replace("\\", "")) is used


def test_guesses_and_invalid_answers_are_counted_aloud(run: Path, benchmark: Benchmark) -> None:
    records = list(answered(benchmark))
    guesses = sum(record.given.by == "chance" for record in records)
    invalid = sum(record.given.letter is None for record in records)
    page, _ = pages(run)
    assert guesses
    assert invalid
    assert f"{guesses} of {len(records)} answers are guesses" in page.words
    assert f"{invalid} of {len(records)} answers held no letter and count as wrong" in page.words


def test_an_unfinished_run_says_so_and_shows_what_there_is(benchmark: Benchmark, make_run: MakeRun) -> None:
    records = list(answered(benchmark))[:30]
    run = make_run(spec_of(benchmark), records, finished=False)
    page, markdown = pages(run)
    for words in (page.words, markdown):
        assert f"Unfinished: 30 of {benchmark.questions} questions are answered" in words
        assert "no VLM was used" in words
    assert f"{score(records).overall.average.value:.1f}" in page.words  # type: ignore[union-attr]


def test_a_run_that_has_just_begun_has_a_page(benchmark: Benchmark, make_run: MakeRun) -> None:
    page, _ = pages(make_run(spec_of(benchmark), [], finished=False))
    assert "nothing to average yet" in page.words


def test_a_last_line_that_was_cut_short_is_no_answer(benchmark: Benchmark, make_run: MakeRun) -> None:
    run = make_run(spec_of(benchmark), list(answered(benchmark))[:10], finished=False)
    with (run / ANSWERS).open("ab") as answers:
        answers.write(b'{"image": "Parts/was')
    page, _ = pages(run)
    assert "Unfinished: 10 of" in page.words


def test_suspect_images_are_told_with_and_without(benchmark: Benchmark, make_run: MakeRun) -> None:
    records = list(answered(benchmark))
    suspects = frozenset([records[0].image])
    without = score(records, without=suspects).model_dump(mode="json")
    run = make_run(spec_of(benchmark), records, suspects=sorted(suspects), scores_without_suspects=without)
    page, markdown = pages(run)
    for words in (page.words, markdown):
        assert "Without 1 image(s) that show another product than their templates" in words


def test_published_rows_are_drawn_only_beside_their_own_images(
    benchmark: Benchmark, make_run: MakeRun
) -> None:
    own = make_run(spec_of(benchmark), answered(benchmark))
    visa = [record.model_copy(update={"dataset": "VisA"}) for record in answered(benchmark)]
    theirs = make_run(spec_of(benchmark, protocol="reference"), visa)
    assert "gpt-4o (published)" not in pages(own)[0].words
    assert "cannot be compared" in pages(own)[0].words
    page, _ = pages(theirs)
    assert "gpt-4o (published)" in page.words
    assert "gpt-4o (1-shot, repository)" in page.words


def test_the_other_protocol_is_never_passed_off_as_the_published_one(
    benchmark: Benchmark, make_run: MakeRun
) -> None:
    visa = [record.model_copy(update={"dataset": "VisA"}) for record in answered(benchmark)]
    page, markdown = pages(make_run(spec_of(benchmark, protocol="agent"), visa))
    for words in (page.words, markdown):
        assert "this run is not: they are no like for like" in words


def test_pictures_come_from_the_data_and_the_run(run: Path, benchmark: Benchmark) -> None:
    wrong = next(record for record in answered(benchmark) if not record.right)
    overlay = keep_overlay(run, wrong.image)
    page, markdown = pages(run)
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) > 10
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert f"](pictures/{overlay.name})" in markdown


def test_of_many_wrong_answers_some_are_shown_and_all_are_counted(
    benchmark: Benchmark, make_run: MakeRun
) -> None:
    records = [
        record.model_copy(update={"image": f"{copy}/{record.image}"})
        for copy in range(6)
        for record in answered(benchmark)
    ]
    wrong = sum(not record.right for record in records)
    page, markdown = pages(make_run(spec_of(benchmark), records))
    for words in (page.words, markdown):
        assert f"{MOST_SHOWN} of {wrong}, drawn evenly" in words
    assert page.elements.count("article") == MOST_SHOWN < wrong


def test_data_that_are_gone_cost_the_pictures_and_nothing_else(
    benchmark: Benchmark, make_run: MakeRun
) -> None:
    run = make_run(spec_of(benchmark, data="/nowhere/at/all"), answered(benchmark))
    page, _ = pages(run)
    assert "Pictures are missing" in page.words
    assert "img" not in page.elements
    assert "img" in pages(run, benchmark.root)[0].elements


def test_data_that_were_named_and_are_none_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid):
        write_report(run, data=tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDamaged, match="holds no run"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"{", b'{"scores": 1}', b"\xff"])
def test_a_damaged_summary_is_refused(run: Path, content: bytes) -> None:
    (run / SUMMARY).write_bytes(content)
    with pytest.raises(RunDamaged, match=SUMMARY) as refused:
        write_report(run)
    assert "\n" not in str(refused.value)


def test_a_report_that_cannot_be_written_is_said(run: Path) -> None:
    (run / "report.html").mkdir()
    with pytest.raises(RunDamaged, match="cannot be written"):
        write_report(run)


def test_the_page_needs_nothing_else(run: Path) -> None:
    page, _ = pages(run)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {*page.elements}
    assert not any(name.startswith("on") for name, _ in page.attributes)
    policy = next(value for name, value in page.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    text = (run / "report.html").read_text("utf-8")
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(benchmark: Benchmark, make_run: MakeRun, text: str) -> None:
    spec = spec_of(
        benchmark, answered_by=f"vlm:{text}", protocol=text, settings={text: text}, versions={text: text}
    )
    run = make_run(spec, [poisoned(record, text) for record in answered(benchmark)], notes=[text])
    plain = pages(make_run(spec_of(benchmark), answered(benchmark)))[0]
    page, markdown = pages(run)
    assert {*page.elements} <= {*plain.elements, "details", "summary", "blockquote"}
    assert {name for name, _ in page.attributes} <= {name for name, _ in plain.attributes} | {"open"}
    both = page.words + markdown.replace("\n", "")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", both)
    tokens = [
        token
        for block in MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
        for token in [block, *(block.children or [])]
    ]
    assert not {"html_block", "html_inline", "link_open", "code_inline", "fence", "s_open"} & {
        token.type for token in tokens
    }
    tables = [token for token in tokens if token.type == "table_open"]
    assert len(tables) == markdown.count("\n|---|")


def test_a_page_of_very_many_categories_stays_a_page(run: Path) -> None:
    summary = json.loads((run / SUMMARY).read_bytes())
    one = summary["scores"]["categories"][0]
    summary["scores"]["categories"] = [{**one, "name": f"class {number}"} for number in range(MOST_ROWS + 70)]
    (run / SUMMARY).write_text(json.dumps(summary), "utf-8")
    page, markdown = pages(run)
    for words in (page.words, markdown):
        assert "and 70 more" in words
        assert f"class {MOST_ROWS}" not in words


def test_one_subtask_alone_is_no_radar(benchmark: Benchmark, make_run: MakeRun) -> None:
    records = [record for record in answered(benchmark) if record.type == "Anomaly Detection"]
    page, _ = pages(make_run(spec_of(benchmark), records))
    assert not any(value.startswith("Radar") for name, value in page.attributes if name == "aria-label")
    assert any(value.startswith("Heat map") for name, value in page.attributes if name == "aria-label")


def test_the_run_itself_is_left_as_it_was(run: Path) -> None:
    before = {file: (run / file).read_bytes() for file in (SPEC, ANSWERS, SUMMARY)}
    write_report(run)
    assert before == {file: (run / file).read_bytes() for file in before}


def poisoned(record: AnswerRecord, text: str) -> AnswerRecord:
    """The record with `text` wherever it takes any text."""
    told: dict[str, Any] = json.loads(record.model_dump_json())
    told |= {"dataset": text, "category": text, "question": text, "image": f"{record.image}{text}"}
    told["options"] = dict.fromkeys(told["options"], text)
    told["given"] |= {"reply": text, "thought": text, "by": text}
    return AnswerRecord.model_validate(told)
