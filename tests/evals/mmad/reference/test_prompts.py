"""What is said and shown under the published protocol, word for word."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from evals.mmad.reference.prompts import CAVEATS, THINK, Shown, Turn, messages, question_text
from evals.types import Question
from graphs.questions.question import MultipleChoice
from tools.vlm.base import TextPart

GOLDEN = Path(__file__).parents[3] / "golden" / "mmad_reference"
PICTURE = np.zeros((8, 8, 3), np.uint8)
DETECT = Question(
    number=1,
    type="Anomaly Detection",
    asked=MultipleChoice(
        subtask="Anomaly Detection",
        text="Is there any defect in the object?",
        options={"A": "Yes.", "B": "No."},
    ),
)
WHERE = Question(
    number=3,
    type="Defect Localization",
    asked=MultipleChoice(
        subtask="Defect Localization",
        text="There is a defect in the object. Where is the defect?",
        options={"A": "Top left.", "B": "Center.", "C": "Right."},
    ),
)
ONE_SHOT = Shown(PICTURE, (PICTURE,))
EVERYTHING = Shown(PICTURE, (PICTURE, PICTURE), "Scratch: a thin line.", PICTURE, "bbox")


def said(conversation):
    """A conversation as it is kept on record: role, then texts and the labels of pictures, in order."""
    return [
        [turn.role, *(part.text if isinstance(part, TextPart) else f"<{part.label}>" for part in turn.parts)]
        for turn in conversation
    ]


def asked(dialect, question, shown=ONE_SHOT, turns=()):
    return said(messages(shown, question_text(question, dialect), turns=turns, dialect=dialect))


def conversations(dialect):
    thought = Turn(THINK, "It looks worn.")
    first = Turn(question_text(DETECT, dialect), "A")
    return {
        "no_shot": asked(dialect, DETECT, Shown(PICTURE)),
        "one_shot": asked(dialect, DETECT),
        "everything": asked(dialect, WHERE, EVERYTHING),
        "thoughts": said(messages(ONE_SHOT, THINK, dialect=dialect)),
        "thoughts_then_history": asked(dialect, WHERE, EVERYTHING, (thought, first)),
    }


@pytest.mark.parametrize("dialect", ["qwen2.5-vl", "internvl"])
def test_the_words_of_the_protocol_are_a_promise(dialect):
    file = GOLDEN / f"{dialect}.json"
    spoken = conversations(dialect)
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(spoken, indent=1) + "\n", encoding="utf-8")
    assert spoken == json.loads(file.read_text(encoding="utf-8"))


def test_each_notation_has_its_own_caveat_before_the_experts_picture():
    shown = {
        notation: asked("qwen2.5-vl", DETECT, Shown(PICTURE, (), None, PICTURE, notation))[0]
        for notation in CAVEATS
    }
    for notation, turn in shown.items():
        assert turn[turn.index(f"<{notation}>") - 2] == CAVEATS[notation]
    assert len({tuple(turn) for turn in shown.values()}) == 5


@pytest.mark.parametrize("dialect", ["qwen2.5-vl", "internvl"])
def test_questions_of_a_case_share_everything_before_the_question(dialect):
    one, other = (
        "\0".join(itertools.chain(*asked(dialect, question, EVERYTHING))) for question in (DETECT, WHERE)
    )
    put = question_text(DETECT, dialect)
    before = one[: one.rindex(put)]
    assert other.startswith(before)
    assert all(f"<{picture}>" in before for picture in ("template 1", "template 2", "query", "bbox"))


@pytest.mark.parametrize("dialect", ["qwen2.5-vl", "internvl"])
def test_pictures_stand_in_the_first_turn_alone(dialect):
    turns = (Turn(THINK, "Hm."), Turn(question_text(DETECT, dialect), "B"))
    conversation = messages(EVERYTHING, question_text(WHERE, dialect), turns=turns, dialect=dialect)
    pictures = [sum(not isinstance(part, TextPart) for part in turn.parts) for turn in conversation]
    assert pictures == [4, 0, 0, 0, 0]
    assert [turn.role for turn in conversation] == ["user", "assistant", "user", "assistant", "user"]


def test_letters_and_order_of_options_are_those_of_the_data_set():
    odd = DETECT.model_copy(
        update={"asked": DETECT.asked.model_copy(update={"options": {"B": "No.", "A": "Yes."}})}
    )
    assert question_text(odd) == "Is there any defect in the object? \nB. No.\nA. Yes.\n"
