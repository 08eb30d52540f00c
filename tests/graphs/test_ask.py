"""A person who is asked has the last word, and nothing of the agent's own is hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.inspection.defects import Terms
from graphs.inspection.hearing import BY_PERSON, heard, mistake_in
from graphs.inspection.state import Decision
from graphs.report import AddedDefect, Correction, Defect, PersonSaid
from tools.types import ImageRef

IMAGE = ImageRef(path="query.png", sha256="a" * 64, width_px=640, height_px=480)
DOCUMENTED = {"short-circuit": "short-circuit", "short circuit": "short-circuit", "bridge": "short-circuit"}


def defect(name: str, box: tuple[int, int, int, int] | None = (10, 10, 40, 30)) -> Defect:
    return Defect(
        type=name,
        description=f"A {name}.",
        box_xyxy_px=box,
        cell="top left" if box else None,
        area_fraction=0.001 if box else None,
        severity="unknown",
        confidence=0.6,
        support="expert_only",
        evidence=("reading:pair",),
    )


@pytest.fixture
def decision() -> Decision:
    return Decision(
        verdict="review",
        confidence=0.5,
        reasoner="evidence",
        summary="Two doubtful spots.",
        defects=(defect("dark spot"), defect("bright spot", (300, 200, 340, 260))),
        known_as=(("short-circuit", "open-circuit"), ()),
    )


def told(decision: Decision, language="en", **said) -> Decision:
    answer = PersonSaid(**said)
    assert mistake_in(answer, defects=len(decision.defects), image=IMAGE) is None
    return heard(decision, answer, Terms(IMAGE, language), DOCUMENTED)


def test_normal_takes_every_defect_away(decision):
    found = told(decision, verdict="normal")
    assert (found.verdict, found.confidence, found.defects, found.known_as) == ("normal", 1.0, (), ())
    assert found.summary.startswith(
        "A person was asked and decided: normal (the agent had said review, 0.50)."
    )
    assert "Two doubtful spots." in found.summary


def test_a_name_that_documents_know_is_the_one_that_counts(decision):
    found = told(decision, corrections=[Correction(number=1, name="Bridge")])
    assert found.verdict == "anomalous"
    assert found.defects[0].type == "Bridge"
    assert found.known_as == (("short-circuit",), ())
    assert BY_PERSON in found.defects[0].evidence
    assert found.defects[1] == decision.defects[1]


def test_a_name_that_no_document_knows_is_kept_as_it_is(decision):
    found = told(decision, corrections=[Correction(number=2, name="coffee stain")])
    assert (found.defects[1].type, found.known_as[1]) == ("coffee stain", ())


def test_a_box_moves_with_all_that_follows_from_it(decision):
    found = told(decision, corrections=[Correction(number=1, box_xyxy_px=(500, 400, 620, 470))])
    moved = found.defects[0]
    assert moved.box_xyxy_px == (500, 400, 620, 470)
    assert moved.cell == "bottom right"
    assert moved.area_fraction == pytest.approx(120 * 70 / (640 * 480))
    assert (moved.extent.width_px, moved.extent.height_px) == (120, 70)
    assert moved.support == "expert_only"


def test_what_only_a_person_saw_says_so(decision):
    found = told(decision, added=[AddedDefect(box_xyxy_px=(0, 0, 5, 5), name="short circuit")])
    drawn = found.defects[-1]
    assert (drawn.support, drawn.evidence, found.known_as[-1]) == ("person", (BY_PERSON,), ("short-circuit",))
    assert found.verdict == "anomalous"


def test_taking_every_defect_away_makes_the_part_normal(decision):
    gone = [Correction(number=1, remove=True), Correction(number=2, remove=True)]
    assert told(decision, corrections=gone).verdict == "normal"
    one = told(decision, corrections=gone[:1])
    assert (one.verdict, len(one.defects)) == ("review", 1)
    assert "left the verdict review" in one.summary


def test_an_anomalous_part_has_a_defect_even_if_nobody_says_where(decision):
    nothing = decision.model_copy(update={"defects": (), "known_as": ()})
    found = told(nothing, verdict="anomalous", note="It rattles.")
    assert [each.description for each in found.defects] == ["It rattles."]
    assert found.defects[0].support == "person"


def test_in_chinese_too(decision):
    assert told(decision, "zh", verdict="normal").summary.startswith("人员被询问后判定：正常")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"corrections": [Correction(number=3, remove=True)]}, "there is no defect 3; there are 2"),
        ({"corrections": [Correction(number=1, box_xyxy_px=(0, 0, 641, 5))]}, "does not lie in the image"),
        ({"added": [AddedDefect(box_xyxy_px=(9, 0, 3, 5), name="x")]}, "the box 9 0 3 5 does not lie"),
        (
            {"verdict": "normal", "corrections": [Correction(number=1, name="x")]},
            "a normal part has no defects",
        ),
    ],
)
def test_an_answer_that_cannot_be_is_refused_in_one_line(said, why):
    mistake = mistake_in(PersonSaid(**said), defects=2, image=IMAGE)
    assert why in mistake
    assert "\n" not in mistake


BOXES = st.tuples(*(st.integers(-5, 700) for _ in range(4)))
ANSWERS = st.builds(
    PersonSaid,
    verdict=st.sampled_from([None, "normal", "anomalous"]),
    corrections=st.lists(
        st.builds(
            Correction,
            number=st.integers(1, 4),
            remove=st.booleans(),
            box_xyxy_px=st.none() | BOXES,
            name=st.none() | st.text(min_size=1, max_size=20),
        ),
        max_size=4,
    ),
    added=st.lists(
        st.builds(AddedDefect, box_xyxy_px=BOXES, name=st.text(min_size=1, max_size=20)), max_size=2
    ),
    note=st.text(max_size=40),
)


@given(ANSWERS)
def test_any_answer_is_refused_or_gives_a_sound_decision(said):
    start = Decision(
        verdict="anomalous",
        confidence=0.8,
        reasoner="evidence",
        summary="x.",
        defects=(defect("dark spot"), defect("bright spot")),
    )
    if mistake_in(said, defects=2, image=IMAGE) is not None:
        return
    found = heard(start, said, Terms(IMAGE), DOCUMENTED)
    assert len(found.defects) == len(found.known_as)
    assert (found.verdict == "normal") <= (not found.defects)
    assert (found.verdict == "anomalous") <= bool(found.defects)
