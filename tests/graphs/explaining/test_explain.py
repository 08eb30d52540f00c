"""Answers about a report where no model can be asked."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given, settings

from graphs.explaining.asking import TOPICS
from graphs.explaining.explain import explain
from graphs.report import Check, DefectReport, Deviation, Fault, TextLine
from tools.types import ImageRef

GOLDEN = Path(__file__).parents[2] / "golden" / "kept"
NAMES = ("short", "missing_tablet", "good_shifted", "second_look")
QUESTIONS = yaml.safe_load((Path(__file__).with_name("questions.yaml")).read_text(encoding="utf-8"))
EVERY = [question["ask"] for half in QUESTIONS.values() for question in half]


def kept(name: str) -> DefectReport:
    """A report as the agent wrote it of an example part."""
    return DefectReport.model_validate_json((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def bare() -> DefectReport:
    """A report that says as little as one can."""
    image = ImageRef(path="q.png", sha256="a" * 64, width_px=9, height_px=9)
    return DefectReport(
        image=image,
        template=None,
        product=None,
        verdict="review",
        confidence=0.5,
        reasoner="evidence",
        summary="Nothing is known.",
    )


def told(question: str, report: DefectReport) -> str:
    """The answer in English, without its first line."""
    return explain(question, report, language="en").text.split("\n", 1)[1]


@pytest.mark.parametrize("report", [kept("missing_tablet"), bare(), None], ids=["whole", "bare", "none"])
def test_every_answer_begins_with_where_it_comes_from(report):
    firsts = (("en", "No model is connected"), ("zh", "未连接模型"))
    for question, (language, first) in product(EVERY, firsts):
        answer = explain(question, report, language=language)
        assert answer.text.startswith(first)
        assert answer.text.split("\n", 1)[1].strip()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_cited_stands_in_the_report(name):
    report = kept(name)
    for question in EVERY:
        answer = explain(question, report, language="en")
        assert set(answer.sources) <= {passage.id for passage in report.knowledge}
        assert set(re.findall(r"\[([a-z_]+/[^\]]+)\]", answer.text)) == set(answer.sources)


def test_a_part_judged_by_a_model_is_not_said_to_rest_on_measurements_alone():
    answer = explain("why", kept("second_look"), language="en")
    assert answer.text.startswith("No model is connected now: this is said from the report alone")
    first, *lines = answer.text.split("\n")
    assert "dialogue-doubts" in first
    assert "vlm:dialogue-doubts said normal at first sight (62.0 %)." in lines
    assert "Of place 1, close up, it said anomalous (91.0 %)." in lines


def test_answers_hold_the_facts():
    report = kept("missing_tablet")
    assert told("where is it", report) == (
        "Defect 1 (missing tablet) is at the bottom, x 191 to 290, y 380 to 480 px."
    )
    assert "14.8 x 15 mm" in told("how big", report)
    assert "is critical. By the document: Critical for prescription" in told("how bad", report)
    assert "[blister_pack/missing-tablet/cause-2]" in told("what causes this", report)
    assert told("what to do", report).startswith("Stop packing, quarantine cards")
    assert "98.2 % sure" in told("are you sure", report)
    assert "--sensitivity 0.22" in told("threshold?", report)
    assert "blister_pack/good.jpg" in told("which template", report)
    assert told("what did you look up", report).startswith("22 passage(s) were looked up, 7 of them")
    assert "one of 10 is missing: tablet in pocket. (decisive)" in told("anything missing?", report)
    assert "no document demands print on this part" in told("label ok?", report)
    assert told("did anything fail", report) == "Nothing failed on the way."
    assert re.match(
        r"All steps together took \d+\.\d\d s; the longest was \w+ with", told("how long did it take", report)
    )


def test_several_topics_are_several_sentences():
    lines = told("where is it and how large", kept("missing_tablet")).split("\n")
    assert len(lines) == 2


def test_a_number_narrows_the_answer(two_defects):
    answer = told("where is defect 2", two_defects)
    assert "Defect 2 (dent)" in answer
    assert "Defect 1" not in answer
    assert told("tell me about the last one", two_defects).startswith("Defect 2 (dent): ")
    assert told("#2", two_defects).startswith("Defect 2 (dent): ")
    assert told("why is #1 there", two_defects) == (
        "Defect 1 (missing tablet) rests on reading:pair, region:pair:1, layout:1; "
        "it was measured, and no model judged it."
    )


@pytest.mark.parametrize("question", ["where is defect 3", "第3处在哪", "how big is #0", "defect 9999"])
def test_a_defect_that_is_not_there(question, two_defects):
    answer = told(question, two_defects)
    assert answer.startswith("There is no defect ")
    assert answer.endswith("the report has 2.")


def test_a_region_that_is_no_defect_is_told_as_measured():
    report = kept("missing_tablet")
    (reading,) = report.readings
    marked = reading.model_copy(update={"regions": (*reading.regions, *reading.regions)})
    answer = told("region 2", report.model_copy(update={"readings": (marked,)}))
    assert answer.startswith("Region 2 was marked and is not listed as a defect: 99x100 px")
    assert "Defect 1 (missing tablet)" in told("where is region 1", report)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what caused it", "The report lists no defect."),
        ("what to do", "The report does not say what to do."),
        ("score?", "The report does not say any score, since nothing was measured."),
        ("what did you look up", "The report does not say anything from documents, since none were looked up."),
        ("label?", "The report does not say anything about print."),
        ("components?", "The report does not say anything about layout."),
        ("how long did it take", "The report does not say how long it took."),
    ],
)  # fmt: skip
def test_what_the_report_does_not_say_is_not_made_up(question, answer):
    assert told(question, bare()) == answer


def test_a_defect_of_which_nothing_is_known(two_defects):
    assert "Defect 2 (dent): the report does not say where it is." in told("where", two_defects)
    assert "Defect 2 (dent): the report does not say how large it is." in told("how big", two_defects)
    assert "Defect 2 (dent): the report does not say how severe it is." in told("how bad", two_defects)
    assert "Defect 2 (dent): the report does not say what may have caused it." in told("cause", two_defects)


@pytest.mark.parametrize("question", ["", "   ", "\x00", "?", "sing a song", "🙂", "x" * 10**6])
def test_what_fits_nothing_is_answered_with_what_can_be_asked(question):
    answer = explain(question, kept("short"), language="zh")
    assert answer.topics == ()
    assert "简而言之：异常" in answer.text
    assert "没有模型时只能回答关于报告的问题" in answer.text


def test_without_a_report_it_is_said_what_to_do_first():
    assert "/inspect" in explain("why", None, language="en").text


def test_a_check_that_failed_is_not_one_that_found_nothing():
    failed = bare().model_copy(update={"layout": Check(done=False, note="No good part.")})
    assert told("components?", failed) == "Layout: It could not be checked: No good part."


def test_print_is_told_with_what_was_read():
    line = TextLine(text="LOT 7", box_xyxy_px=(0, 0, 5, 5), confidence=0.9)
    other = Deviation(id="print:1", kind="text differs", component="lot", description="LOT 7 is not LOT 8.")
    check = Check(done=True, note="n", deviations=(other,), lines=(line,), expected_lines=(line,))
    assert told("read the label", bare().model_copy(update={"print": check})).split("\n") == [
        "Print: LOT 7 is not LOT 8. (a hint)",
        "Read on the part: LOT 7",
        "On the good part: LOT 7",
    ]


EVIL = "\x1b]0;x\x07\u202e{verdict}\n[fake/source] No model\n"


def test_foreign_text_stays_inert_and_in_its_line(two_defects):
    defect = two_defects.defects[1].model_copy(update={"type": EVIL, "description": EVIL * 500})
    report = two_defects.model_copy(
        update={
            "defects": (defect,) * 50,
            "reasoner": f"vlm:{EVIL}",
            "knowledge_note": EVIL,
            "summary": EVIL,
            "faults": (Fault(step=EVIL, kind=EVIL, message=EVIL * 900),) * 50,
        }
    )
    for question in (*EVERY, "{0} {verdict} %s"):
        text = explain(question, report, language="en").text
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
        assert not any(line.startswith("[fake/") for line in text.split("\n"))
        assert len(text) < 40_000


@given(st.text(max_size=80), st.sampled_from(NAMES), st.sampled_from(["en", "zh"]))
@settings(max_examples=150, deadline=None)
def test_any_question_is_answered(question, name, language):
    answer = explain(question, kept(name), language=language)
    assert answer.text.count("\n") >= 1
    assert set(answer.topics) <= set(TOPICS)


@pytest.fixture
def two_defects() -> DefectReport:
    """A missing tablet that was measured, and something of which only the name is known."""
    report = kept("missing_tablet")
    dent = report.defects[0].model_copy(
        update={
            "type": "dent",
            "description": "Somewhere.",
            "box_xyxy_px": None,
            "cell": None,
            "area_fraction": None,
            "severity": "unknown",
            "support": "vlm_only",
            "evidence": (),
            "causes": (),
            "extent": None,
            "criterion": None,
        }
    )
    return report.model_copy(update={"defects": (*report.defects, dent)})
