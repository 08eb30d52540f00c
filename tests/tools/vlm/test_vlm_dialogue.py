"""Dialogues from files: what they say is said, and what they do not say is an error that names the turn."""

from __future__ import annotations

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.errors import DialogueBroken, VlmInvalid, VlmRefused
from tools.vlm.base import CallTool, Choice, JsonSchema, Message, TextPart, ToolSpec
from tools.vlm.dialogue import read_dialogue

ASK = [Message("user", (TextPart("Is it good?"),))]
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TOOLS = CallTool((ToolSpec("done", "Enough.", NOTHING),))

WRITTEN = """
model: talker
turns:
  - {expect: Is it, reply: Let me see.}
  - {choice: "no", probabilities: {"yes": 0.2, "no": 0.8}}
  - {choice: "yes"}
  - {call: {tool: done}}
  - {json: {a: [1, 2]}}
  - {error: refused}
"""


def written(folder, text):
    (folder / "d.yaml").write_text(text)
    return folder / "d.yaml"


@pytest.mark.anyio
async def test_every_kind_of_turn_is_played(tmp_path):
    model = read_dialogue(written(tmp_path, WRITTEN))
    assert model.name == "talker"
    heard: list[str] = []
    assert (await model.complete(ASK, heard=heard.append)).text == "Let me see."
    assert heard == ["Let", " me", " see."]
    yes_no = Choice(("yes", "no"))
    assert (await model.complete(ASK, constraint=yes_no)).probabilities == {"yes": 0.2, "no": 0.8}
    assert (await model.complete(ASK, constraint=yes_no)).probabilities == {"yes": 1.0, "no": 0.0}
    assert (await model.complete(ASK, constraint=TOOLS)).call.name == "done"
    assert (await model.complete(ASK, constraint=JsonSchema("x", {"type": "object"}))).text == '{"a": [1, 2]}'
    with pytest.raises(VlmRefused, match="turn 6"):
        await model.complete(ASK)
    with pytest.raises(DialogueBroken, match="ends after turn 6"):
        await model.complete(ASK)


@pytest.mark.anyio
async def test_another_question_than_expected_names_the_turn(tmp_path):
    model = read_dialogue(written(tmp_path, "- {expect: Where is it, reply: there}"))
    with pytest.raises(DialogueBroken, match=r"turn 1 .*'Where is it'.*Is it good\?"):
        await model.complete(ASK)


@pytest.mark.anyio
async def test_only_what_is_newly_asked_counts_as_expected(tmp_path):
    model = read_dialogue(written(tmp_path, "- {expect: good, reply: so so}\n- {expect: good, reply: bad}"))
    await model.complete(ASK)
    conversation = [*ASK, Message("assistant", (TextPart("so so"),)), Message("user", (TextPart("Why?"),))]
    with pytest.raises(DialogueBroken, match=r"turn 2 .*'good'.*: Why\?$"):
        await model.complete(conversation)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("turn", "constraint", "said"),
    [
        ('{choice: "no"}', None, "a choice.*free words"),
        ("{json: {a: 1}}", Choice(("yes", "no")), "JSON.*a choice"),
        ("{call: {tool: done}}", JsonSchema("x", {"type": "object"}), "a tool call.*JSON"),
        ('{choice: "no"}', TOOLS, "a choice.*a tool call"),
    ],
)
async def test_a_turn_for_another_kind_of_question_is_a_mistake_of_the_dialogue(
    tmp_path, turn, constraint, said
):
    model = read_dialogue(written(tmp_path, f"- {turn}"))
    with pytest.raises(DialogueBroken, match=f"turn 1 .*{said}") as met:
        await model.complete(ASK, constraint=constraint)
    assert "\n" not in str(met.value)


@pytest.mark.anyio
async def test_an_answer_must_suit_the_question(tmp_path):
    model = read_dialogue(written(tmp_path, "- {reply: perhaps}"))
    with pytest.raises(VlmInvalid):
        await model.complete(ASK, constraint=Choice(("yes", "no")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "dialogue"),
        ("[]", "at least 1"),
        ("- {}", "exactly one"),
        ("- {reply: a, choice: b}", "exactly one"),
        ("- {error: tired}", "error"),
        ("- {reply: a, probabilities: {a: 1}}", "belong to a choice"),
        ("- {call: done}", "call"),
        ("- {choice: a, probabilities: {a: -3}}", r"turns\.0\.probabilities\.a"),
        ("- {choice: a, probabilities: {a: .nan}}", r"turns\.0\.probabilities\.a"),
        ("{: [", "no YAML"),
        ("just words", "dialogue"),
        ("- !!python/object/apply:os.system [id]", "no YAML"),
    ],
)
def test_what_is_no_dialogue_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(DialogueBroken, match=said):
        read_dialogue(written(tmp_path, text))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "d.yaml")
    with pytest.raises(DialogueBroken, match="no ordinary file"):
        read_dialogue(tmp_path / "d.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DialogueBroken, match=r"gone\.yaml"):
        read_dialogue(tmp_path / "gone.yaml")


@given(st.binary(max_size=120))
def test_reading_is_total(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("d") / "d.yaml"
    file.write_bytes(content)
    with contextlib.suppress(DialogueBroken):
        read_dialogue(file)
