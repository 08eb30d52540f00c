"""What keys do at the prompt: completion, history, several lines, Ctrl-C."""

from __future__ import annotations

import pytest

from tests.agent.chat.terminal_kit import ALT_ENTER, BOARD, CTRL_C, ENTER, TAB, UP, window


@pytest.fixture(scope="module")
def at_prompt(data_dir):
    with window(
        "chat", "--session", "keys", "--pictures", "none", cwd=BOARD, AGENT_DATA_DIR=str(data_dir)
    ) as opened:
        opened.wait_for_prompt()
        yield opened


@pytest.fixture
def shown(at_prompt):
    yield at_prompt
    at_prompt.press(CTRL_C)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("/ov", "> /overlay"),
        ("/set exp", "> /set expert"),
        ("/overlay he", "> /overlay heatmap"),
        ("/set expert patchc", "> /set expert patchcore"),
        ("/set expert def", "> /set expert default"),
        ("/inspect open_tr", "> /inspect open_track.jpg"),
        ("/inspect open_track.jpg good_s", "> /inspect open_track.jpg good_shifted.jpg"),
        ("/report ht", "> /report html"),
        ("/help ste", "> /help steps"),
    ],
)
def test_tab_completes_the_only_way_to_go_on(shown, typed, completed):
    shown.send(typed + TAB)
    shown.wait_until(lambda window: window.prompt == completed)


def test_tab_lists_what_there_is_where_there_are_several(shown):
    shown.send("/re" + TAB)
    shown.wait_until(
        lambda window: all(
            name in "\n".join(window.screen.display) for name in ("/region", "/read", "/report")
        )
    )
    assert "Enlarge defect N" in "\n".join(shown.screen.display)


def test_tab_in_the_middle_of_a_question_does_nothing(shown):
    shown.send("why is ov" + TAB + TAB + "er")
    shown.wait_until(lambda window: window.prompt == "> why is over")


def test_up_brings_back_what_was_typed_and_can_be_changed(shown):
    shown.type("/help steps")
    shown.type("/help back")
    shown.send(UP)
    shown.wait_until(lambda window: window.prompt == "> /help back")
    shown.send(UP)
    shown.wait_until(lambda window: window.prompt == "> /help steps")
    shown.send("\x17" + "quit")  # Ctrl-W
    shown.wait_until(lambda window: window.prompt == "> /help quit")
    assert "Leave" in shown.press(ENTER)


def test_ctrl_c_drops_the_line_and_does_not_leave(shown):
    shown.send("/quit")
    shown.wait_until(lambda window: window.prompt == "> /quit")
    shown.send(CTRL_C)
    shown.wait_for("Ctrl-D or /quit leaves")
    shown.wait_for_prompt()
    assert "List the commands" in shown.type("/help help")


def test_alt_enter_begins_another_line_of_one_question(shown):
    shown.send("Is it" + ALT_ENTER + "broken?")
    shown.wait_until(lambda window: window.prompt == "  broken?")
    shown.press(ENTER)
    assert shown.type("/steps").splitlines()[-1].endswith("  Is it broken?")


def test_pasted_lines_stay_one_input_until_enter(shown):
    shown.send("\x1b[200~first line\n/quit\nlast line\x1b[201~")
    shown.wait_until(lambda window: window.prompt.strip() == "last line")
    shown.press(ENTER)
    assert "first line /quit last line" in shown.type("/steps")


def test_a_pasted_escape_does_nothing(shown):
    start = len(shown.raw)
    shown.type("\x1b[200~/help \x1b]52;c;aGFja2Vk\x07 \x9b2J\x1b[201~")
    assert "there is no command" in shown.text
    assert "\x1b]52" not in shown.raw[start:]
    assert "\x9b" not in shown.raw[start:]


def test_an_unbalanced_quotation_mark_is_a_line(shown):
    assert shown.type('/inspect "open').startswith("cannot read that line: no closing quotation")


def test_what_begins_like_one_command_is_that_command(shown):
    assert "nothing was stopped" in shown.type("/cont")
    assert "there is no command /re; /help lists them" in shown.type("/re")
    assert "there is no command /nothing" in shown.type("/nothing at all")
    assert "/inspect" in shown.type("/")
