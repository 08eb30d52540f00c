"""A session in a real pseudo-terminal from start to quit, and what is there when it is taken up again."""

from __future__ import annotations

import re

from tests.agent.chat.terminal_kit import BOARD, CTRL_D, piped, window

BUG = """
from graphs.chat.toolset import ChatTools

def broken(*_):
    raise LookupError("a bug")

ChatTools._at_once = broken
from agent.cli import main
main()
"""


def test_a_verdict_is_taken_apart_from_start_to_quit_and_the_session_tells_it_again(chat):
    first = chat("--session", "whole")
    first.wait_for_prompt()
    assert "session whole, no model: measurements and documents answer; /help lists commands" in first.text

    inspected = first.type("/inspect open_track.jpg good.jpg")
    assert re.search(r"#1 ANOMALOUS +1 defect found", inspected)
    assert re.search(r"pair \d+\.\d+ / \d+\.\d+ \(anomalous\)", inspected)
    assert inspected.splitlines()[-1].strip().endswith("cases/1/overlay.png")

    why = first.type("/why")
    assert why.startswith("Anomalous (")
    assert [line[:3] for line in why.splitlines() if re.match(r" \d\.", line)] == [
        f" {number}." for number in range(1, 9)
    ]

    changed = first.type("/set expert patchcore")
    assert "#2 " in changed
    assert re.search(r"pair +no longer", changed)
    assert re.search(r"patchcore +only now", changed)

    steps = first.type("/steps")
    assert re.findall(r"^ +(\d)  (/\w+)", steps, re.MULTILINE) == [("1", "/inspect"), ("2", "/set")]

    assert "the latest inspection is #1: anomalous" in first.type("/back 1")
    assert "expert" not in first.type("/state").split("#1")[0]

    first.send("/quit\r")
    assert first.wait_for_end() == 0
    assert first.text.rstrip().endswith("kept; go on with: agent chat --session whole")
    assert first.screen.broken == []

    again = chat("--session", "whole")
    again.wait_for_prompt()
    assert "agent: inspect: " in again.text
    assert "#1 ANOMALOUS" in again.text
    assert "#2" not in again.text  # it went back before it
    again.send(CTRL_D)
    assert again.wait_for_end() == 0


def test_a_first_inspection_can_be_named_at_the_start(chat):
    shown = chat("--image", BOARD / "short.jpg", "--template", BOARD / "good.jpg", "--session", "named")
    shown.wait_for_prompt()
    assert "#1 ANOMALOUS" in shown.text
    assert "/inspect" in shown.type("/steps")


def test_a_question_without_a_model_is_answered_from_the_report(chat):
    shown = chat("--session", "no-model")
    shown.wait_for_prompt()
    assert "nothing has been inspected" in shown.type("why?").lower()
    shown.type("/inspect open_track.jpg good.jpg")
    answer = " ".join(shown.type("What is wrong with this board?").split())
    assert "No model is connected: this is said from measurements and documents alone." in answer
    assert "Defect 1" in answer


def test_a_session_belongs_to_one_terminal_at_a_time(chat, data_dir):
    chat("--session", "shared").wait_for_prompt()
    second = chat("--session", "shared")
    assert second.wait_for_end() == 2
    assert second.text.split("\n")[0].startswith("agent: session shared is open in another terminal")
    deleting = piped("chat", "--delete", "shared", lines="", cwd=BOARD, AGENT_DATA_DIR=str(data_dir))
    assert (deleting.returncode, deleting.stdout) == (2, "")
    assert "another terminal" in deleting.stderr


def test_sessions_are_listed_and_deleted(agent, tmp_path):
    data = tmp_path / "data"
    where = ("--data-dir", data)
    assert agent("chat", "--list", *where).out == "no sessions yet; begin one with: agent chat\n"
    for name in ("one", "two"):
        assert piped("chat", "--session", name, *where, lines="/steps\n", cwd=tmp_path).returncode == 0
    listed = agent("chat", "--list", *where).out.splitlines()
    assert [line.split()[0] for line in listed] == ["two", "one"]
    assert all(re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d +\d+\.\d MiB$", line) for line in listed)

    assert agent("chat", "--delete", "one", *where).out == "deleted session one\n"
    assert agent("chat", "--list", *where).out.split()[0] == "two"
    for name in ("one", "..", "../data", "", "a/b", "t\x1b[2J", "x" * 65):
        refused = agent("chat", "--delete", name, *where)
        assert (refused.status, refused.out) == (2, ""), name
        assert refused.err.count("\n") == 1
        assert "\x1b" not in refused.err
    assert (data / "chats" / "two").is_dir()


def test_a_bug_ends_the_program_and_not_the_session(data_dir):
    where = {"cwd": BOARD, "AGENT_DATA_DIR": str(data_dir)}
    with window("chat", "--session", "bug", program=BUG, **where) as broken:
        broken.wait_for_prompt()
        broken.send("/image good.jpg\r")
        assert broken.wait_for_end() == 1
        assert "LookupError: a bug" in broken.text
    with window("chat", "--session", "bug", program=BUG, **where) as again:
        again.wait_for_prompt()
        assert "(stopped)" in again.type("/steps")
