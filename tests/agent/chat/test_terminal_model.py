"""A model in the chat: its tools and words as they come, stopped, killed, gone on with, and hostile."""

from __future__ import annotations

import re

import pytest

from tests.agent.chat.model_kit import SAID, talking_model, told
from tests.agent.chat.terminal_kit import CTRL_C, CTRL_D

COMPARE = ("compare", {"box": [190, 480, 250, 540]})


@pytest.fixture
def model():
    with talking_model() as shown:
        yield shown


@pytest.fixture
def asking(chat, model):
    """Open a chat with the model about an open track; the inspection itself asks no model."""

    def opened(session: str, *arguments: str, inspect: bool = True, **how):
        shown = chat("--session", session, "--vlm-url", model.endpoint.url, *arguments, **how)
        if inspect:
            shown.wait_for_prompt()
            assert "model tiny" in shown.text
            assert "from the next inspection on" in shown.type("/set reasoner evidence")
            shown.type("/inspect open_track.jpg good.jpg")
            assert model.endpoint.asked == []
        return shown

    return opened


def flowing(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("owner", ["vllm", "somebody"])
def test_a_tool_call_is_shown_and_the_answer_is_read_while_it_is_written(asking, model, owner):
    """vLLM is asked in JSON, others by the tool calls of the API."""
    model.endpoint.owner = owner
    shown = asking(f"streams-{owner}")
    model.wishes.append(COMPARE)
    model.hold_after = 4
    shown.send("What is wrong here?\r")
    shown.wait_for(r"• compare box=\[\d+, \d+, \d+, \d+\]")
    shown.wait_for(r"\d\.\d\d s")
    shown.wait_for("bottom")
    assert "Solder" not in shown.text
    assert shown.prompt != ">"
    model.go_on.set()
    shown.wait_for_prompt()
    assert SAID in flowing(shown.text)
    assert re.search(r"\n  /\S+/pictures/compare\S*\.png\r", shown.words)
    assert (len(model.choices), len(model.answers)) == (2, 1)
    assert bool(model.choices[0].get("tools")) == (owner != "vllm")
    assert "What is wrong here?" in told(model.answers[0])
    prompt = flowing(shown.type("/prompt chat"))
    assert "What is wrong here?" in prompt
    assert SAID in prompt


def test_ctrl_c_stops_an_answer_and_not_the_program_and_it_can_be_gone_on_with(asking, model):
    shown = asking("stopped")
    model.wishes.append(COMPARE)
    model.hold_after = 4
    shown.send("What is wrong here?\r")
    shown.wait_for("bottom")
    shown.send(CTRL_C)
    shown.wait_for("stopped; /continue goes on from there")
    shown.wait_for_prompt()
    model.go_on.set()
    assert "(stopped)" in shown.type("/steps")
    assert "open_track.jpg" in shown.type("/state")
    assert SAID in flowing(shown.type("/continue"))
    assert (len(model.choices), len(model.answers)) == (2, 2)  # nothing was called again
    assert "(stopped)" not in shown.type("/steps")
    assert "nothing was stopped" in shown.type("/continue")


def test_what_was_stopped_by_hand_is_not_gone_on_with_unasked(asking, model):
    shown = asking("by-hand")
    model.hold_after = 1
    shown.send("What is wrong here?\r")
    shown.wait_for("The track")
    shown.send(CTRL_C + CTRL_C + CTRL_C)  # impatient
    shown.wait_for_prompt()
    shown.send(CTRL_D)
    assert shown.wait_for_end() == 0
    model.go_on.set()
    again = asking("by-hand", inspect=False)
    again.wait_for_prompt()
    assert len(model.answers) == 1
    assert SAID in flowing(again.type("/continue"))


@pytest.mark.parametrize("how", ["kill", "hang_up"])
def test_an_answer_that_was_killed_goes_on_where_it_was_and_calls_no_tool_again(asking, model, how):
    shown = asking(how)
    model.wishes.append(COMPARE)
    model.hold_after = 4
    shown.send("What is wrong here?\r")
    shown.wait_for("bottom")
    getattr(shown, how)()
    assert (len(model.choices), len(model.answers)) == (2, 1)
    model.go_on.set()

    again = asking(how, inspect=False)
    again.wait_for("going on with what was interrupted")
    again.wait_for_prompt()
    assert SAID in flowing(again.text)
    assert (len(model.choices), len(model.answers)) == (2, 2)
    assert told(model.answers[1]) == told(model.answers[0])
    assert len(re.findall(r"^ +\d ", again.type("/steps"), re.MULTILINE)) == 3
    model.go_on.set()
    assert SAID in flowing(again.type("And now?"))
    assert SAID in told(model.answers[-1])  # it knows what it said


def test_a_killed_tool_call_is_made_again(asking, model, tmp_path):
    shown = asking("killed-early")
    model.wishes.append(("measure", {"expert": "patchcore"}))
    shown.send("What does another expert say?\r")
    shown.wait_for("• measure expert=patchcore")
    shown.kill()
    again = asking("killed-early", inspect=False)
    again.wait_for_prompt()
    assert "• measure expert=patchcore" in again.text
    assert SAID in flowing(again.text)
    assert (len(model.choices), len(model.answers)) == (2, 1)


def test_an_endpoint_that_dies_is_a_line_and_commands_still_work(asking, model):
    shown = asking("dies")
    model.endpoint.chat = lambda exchange: exchange.send_json({"error": {"message": "out of memory"}}, 500)
    told_so = shown.type("What is wrong here?")
    assert "out of memory" in told_so
    assert len(told_so.splitlines()) <= 3
    assert "Traceback" not in shown.text
    assert shown.type("/why").startswith("Anomalous (")

    def cut_off(exchange):
        if exchange.asked.get("stream"):
            exchange.begin_stream()
            exchange.send_chunk(b"data: {\n\n")
            exchange.connection.close()
        else:
            model.answer(exchange)

    model.endpoint.chat = cut_off
    shown.type("What is wrong here?")
    assert "Traceback" not in shown.text
    model.endpoint.chat = model.answer
    assert SAID in flowing(shown.type("And now?"))


def test_a_model_that_is_not_there_is_said_at_the_start_and_commands_work(chat):
    shown = chat("--session", "absent", "--vlm-url", "http://127.0.0.1:9/v1")
    shown.wait_for_prompt()
    assert "127.0.0.1:9" in shown.text
    assert "no model" in shown.text
    assert "ANOMALOUS" in shown.type("/inspect open_track.jpg good.jpg")


def test_hostile_words_of_a_model_show_as_they_read(asking, model):
    shown = asking("hostile")
    title = shown.screen.title
    model.words = (
        "red \x1b[31m",
        "\x1b]52;c;aGFja2Vk\x07",
        "\x1b]0;owned\x07",
        "\u202egnorw",
        "\x9b2J",
        "\r\x1b[2Kgone",
        "\x1b[",
        "6n end",
    )
    start = len(shown.raw)
    answer = flowing(shown.type("Hello?"))
    written = shown.raw[start:]
    assert r"\x1b[31m" in answer
    assert r"\u202egnorw" in answer
    assert answer.endswith("end")
    assert not re.search("\x1b\\[31m|\x1b\\]52|\x1b\\]0|\u202e|\x9b|\x1b\\[2J", written)
    assert shown.screen.title == title
    model.wishes.append(("zoom", {"box": [0, 0, 5, 5, 6]}))
    shown.type("And a call that cannot be?")
    assert "Traceback" not in shown.text


def test_a_tool_call_whose_box_is_outside_is_told_to_the_model(asking, model):
    shown = asking("outside")
    model.wishes.append(("zoom", {"box": [900, 900, 100, 100]}))
    assert SAID in flowing(shown.type("Zoom in."))
    assert (len(model.choices), len(model.answers)) == (2, 1)
