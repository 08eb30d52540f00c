"""What a reader finds in each format, and what a caller is told when it cannot be rendered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from agent.render import FORMATS, render
from agent.render.console import stream_style
from agent.render.html import gauge, render_html
from agent.render.json_ import render_json
from agent.render.wording import Wording, crop_of, duration
from graphs.report import DefectReport, TraceEntry

ENGLISH = Wording("en")

PEOPLE = ["text", "markdown", "html"]


def words(output: str) -> str:
    """An output without tags, escapes and line breaks."""
    body = output.rsplit("</style>", maxsplit=1)[-1].replace("\\", "")
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


@pytest.mark.parametrize("form", PEOPLE)
def test_every_defect_and_every_source_is_there(anomalous_report: DefectReport, form: str) -> None:
    output = words(render(anomalous_report, form, width=200))
    for defect in anomalous_report.defects:
        for expected in (
            defect.type,
            defect.description,
            ENGLISH.percent(defect.confidence),
            ENGLISH.place(defect),
        ):
            assert expected in output
    for advice in anomalous_report.recommendations:
        assert advice.action in output
    for step in (*anomalous_report.plan, *anomalous_report.trace):
        assert step.step in output


@pytest.mark.parametrize("form", PEOPLE)
def test_the_reasoner_is_named_for_what_it_is(
    anomalous_report: DefectReport, review_report: DefectReport, form: str
) -> None:
    assert "evidence reasoner (no vision-language model)" in words(render(anomalous_report, form))
    output = words(render(review_report, form))
    assert "vision-language model Qwen/Qwen2.5-VL-7B-Instruct" in output
    assert "evidence reasoner" not in output


@pytest.mark.parametrize("form", PEOPLE)
def test_faults_stand_before_the_measurements(review_report: DefectReport, form: str) -> None:
    output = words(render(review_report, form))
    assert "Trying again may help" in output
    assert output.index("no answer within 120 s") < output.index("Measured")


@pytest.mark.parametrize("form", PEOPLE)
def test_review_without_defects_is_no_pass(review_report: DefectReport, form: str) -> None:
    output = words(render(review_report, form)).lower()
    assert "needs review" in output
    assert "no defect found" not in output


def test_recommendations_link_to_the_quoted_passages(anomalous_report: DefectReport) -> None:
    page = render(anomalous_report, "html")
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets
    assert targets <= set(re.findall(r'id="([^"]+)"', page))
    for count, passage in enumerate(anomalous_report.knowledge, start=1):
        start = page.index(f'id="passage-{count}"')
        assert passage.text in page[start : page.index("</article>", start)]


def test_the_page_needs_nothing_from_outside(
    anomalous_report: DefectReport, pictures: dict[str, bytes]
) -> None:
    page = render(anomalous_report, "html", pictures=pictures)
    assert not re.findall(r"https?:|url\(|@import|<link|<script|<iframe", page)
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "default-src 'none'" in page
    assert not re.findall(r"<img(?![^>]*\balt=\"[^\"]+\")", page)


def test_each_defect_shows_its_own_crop(anomalous_report: DefectReport) -> None:
    assert [crop_of(defect) for defect in anomalous_report.defects] == ["crop_1", "crop_2"]
    page = render(anomalous_report, "html", pictures={"crop_2": b"\xff\xd8\xff second"})
    cards = re.findall(r"<article class=\"card defect.*?</article>", page, re.DOTALL)
    assert ["data:image/jpeg" in card for card in cards] == [False, True]


def test_a_page_without_the_picture_says_so(normal_report: DefectReport) -> None:
    assert "was not kept with this report" in render(normal_report, "html")


def test_pictures_may_be_files(normal_report: DefectReport, tmp_path: Path) -> None:
    file = tmp_path / "q.jpg"
    file.write_bytes(b"\xff\xd8\xff\xe0")
    assert "data:image/jpeg;base64,/9j/4A==" in render(normal_report, "html", pictures={"query": file})


def test_a_picture_that_browsers_do_not_show_is_refused(normal_report: DefectReport) -> None:
    with pytest.raises(ValueError, match=r"^picture 'query' is none that browsers show; give it as PNG"):
        render_html(normal_report, {"query": b"II*\x00 a TIFF"})


def test_a_missing_picture_file_is_not_left_out_in_silence(
    normal_report: DefectReport, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        render_html(normal_report, {"query": tmp_path / "gone.png"})


def test_json_is_one_object_in_the_order_of_the_schema(anomalous_report: DefectReport) -> None:
    values = json.loads(render_json(anomalous_report))
    assert list(values) == list(DefectReport.model_fields)
    assert list(values["versions"]) == sorted(anomalous_report.versions)
    assert "\n" not in render_json(anomalous_report, one_line=True)


def test_json_has_no_word_for_infinity(normal_report: DefectReport) -> None:
    endless = TraceEntry.model_construct(step="reason", seconds=float("inf"), detail="")
    with pytest.raises(ValueError, match="not JSON compliant"):
        render_json(normal_report.model_copy(update={"trace": (endless,)}))


def test_gauge_marks_keep_their_order_and_stay_inside(anomalous_report: DefectReport) -> None:
    reading = anomalous_report.readings[0]
    for score in (-1e308, 0.0, 5.4, 14.8, 1e308):
        limits = reading.calibration
        moved = reading.model_copy(update={"score": score, "zone": limits.zone(score)})
        marks = gauge(moved)
        assert all(0 <= mark <= 100 for mark in marks)
        assert marks.uncertain <= marks.anomalous
        assert (marks.score >= marks.anomalous) == (score >= limits.anomalous_from)


def test_colours_are_readable_in_light_and_dark(normal_report: DefectReport) -> None:
    def luminance(color: str) -> float:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    schemes = re.findall(r":root \{(.*?)\}", render(normal_report, "html"), re.DOTALL)
    assert len(schemes) == 3  # light, dark, print
    for scheme in schemes:
        colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", scheme))
        colors = {
            name: "#" + "".join(c * 2 for c in v[1:]) if len(v) == 4 else v for name, v in colors.items()
        }
        for ink in ("ink", "soft", "link", "good", "bad", "doubt"):
            assert contrast(colors[ink], colors["card"]) >= 4.5
        for ink in ("ink", "soft", "link"):
            assert contrast(colors[ink], colors["page"]) >= 4.5
        for ink in ("good", "bad", "doubt"):
            assert contrast(colors[ink], colors[f"{ink}-wash"]) >= 4.5
        assert contrast(colors["soft"], colors["wash"]) >= 4.5


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_where_it_is_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "72")
    assert stream_style(StringIO()) == (False, 100)
    assert stream_style(Terminal()) == (True, 72)
    monkeypatch.setenv("NO_COLOR", "1")
    assert stream_style(Terminal()) == (False, 72)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert stream_style(Terminal()) == (False, 72)


def test_text_is_coloured_only_on_request(
    anomalous_report: DefectReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in render(anomalous_report, "text")
    assert "\x1b[1;31mANOMALOUS" in render(anomalous_report, "text", color=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1;31mANOMALOUS" in render(anomalous_report, "text", color=True)


def test_only_the_chosen_format_is_imported() -> None:
    program = (
        "import sys, agent.render\n"
        "print([name for name in ('rich', 'jinja2', 'markupsafe', 'torch', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_format_is_named(normal_report: DefectReport) -> None:
    with pytest.raises(
        ValueError, match="there is no format 'pdf'; choose one of text, json, markdown, html"
    ):
        render(normal_report, "pdf")
    assert FORMATS == ("text", "json", "markdown", "html")


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0, "0 %"),
        (0.00004, "under 0.01 %"),
        (0.0004, "0.04 %"),
        (0.5, "50 %"),
        (0.996, "99.6 %"),
        (0.99999, "99.9 %"),
        (1, "100 %"),
    ],
)
def test_percent(fraction: float, shown: str) -> None:
    assert ENGLISH.percent(fraction) == shown


def test_duration() -> None:
    assert [duration(s) for s in (0, 0.0352, 0.9996, 1.2, 120)] == [
        "0 ms",
        "35 ms",
        "1.00 s",
        "1.20 s",
        "120.00 s",
    ]
