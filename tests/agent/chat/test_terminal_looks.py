"""What the chat looks like in wide and narrow windows, and without colour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.agent.chat.terminal_kit import BOARD, COLOR, CTRL_D, TerminalWindow, window

SAID = (
    "/inspect open_track.jpg good.jpg",
    "/why",
    "/region 1",
    "/measure patchcore",
    "what is wrong, and where?",
    "/set expert patchcore",
    "/diff",
    "/report",
    "/state",
    "/set",
    "/zoom 1 2",
    "/steps",
    "/help",
)
WINDOWS = {
    "wide": {"columns": 160, "rows": 50},
    "narrow": {"columns": 42, "rows": 20, "NO_COLOR": "1"},
    "dumb": {"columns": 80, "rows": 24, "TERM": "dumb"},
}


@dataclass(frozen=True)
class Look:
    """A window in which everything was said, and what was printed for each line."""

    window: TerminalWindow
    printed: dict[str, str]


@pytest.fixture(scope="module")
def looks(data_dir) -> Iterator[dict[str, Look]]:
    with ExitStack() as stack:
        found = {}
        for name, how in WINDOWS.items():
            shown = stack.enter_context(
                window(
                    "chat", "--session", f"looks-{name}", "--pictures", "none",
                    cwd=BOARD, AGENT_DATA_DIR=str(data_dir), **how,
                )
            )  # fmt: skip
            shown.wait_for_prompt()
            found[name] = Look(shown, {line: shown.type(line) for line in SAID})
            shown.send(CTRL_D)
            assert shown.wait_for_end() == 0
        yield found


def words(text: str) -> list[str]:
    """Words, all numbers and times alike, for they differ from run to run, and all sessions."""
    return re.sub(r"\d+(\.\d+)?( m?s\b)?", "0", re.sub("looks-(wide|narrow|dumb)", "looks", text)).split()


def paths(look: Look) -> str:
    """All paths, whole: the window breaks them, so that they can be copied as one."""
    return " ".join(word for word in look.window.words.split() if word.count("/") > 1)


@pytest.mark.parametrize("name", WINDOWS)
def test_nothing_runs_over_the_edge_but_paths(looks, name):
    broken = looks[name].window.screen.broken
    whole = paths(looks[name])
    assert [line for line in broken if line.split()[-1] not in whole] == []


@pytest.mark.parametrize("name", ["narrow", "dumb"])
def test_no_word_is_broken(looks, name):
    """Every word is one of the wide window, but for the pieces of what is wider than this one, and of paths."""
    columns = looks[name].window.screen.columns
    for line, printed in looks[name].printed.items():
        if line == "/report":
            continue  # a page with frames, which has tests of its own
        whole = set(words(looks["wide"].printed[line]))
        long = " ".join([*words(paths(looks[name])), *(word for word in whole if len(word) > columns - 20)])
        unbroken = [word for word in words(printed) if not word.endswith("…")]
        assert [word for word in unbroken if word not in whole and word not in long] == [], line


def test_colours_are_there_where_they_are_wanted_and_only_there(looks):
    assert re.search(r"\x1b\[[0-9;]*31mANOMALOUS", looks["wide"].window.raw)
    assert COLOR.findall(looks["narrow"].window.raw) == []
    assert "\x1b" not in looks["dumb"].window.raw


@pytest.mark.parametrize("name", WINDOWS)
def test_the_same_is_said_at_every_width(looks, name):
    printed = {line: " ".join(text.split()) for line, text in looks[name].printed.items()}
    assert "ANOMALOUS" in printed["/inspect open_track.jpg good.jpg"]
    assert "No model is connected" in printed["what is wrong, and where?"]
    assert printed["/zoom 1 2"] == "give a box in pixels of the image: /zoom X0 Y0 X1 Y1"
    assert "What would change it" in printed["/why"]
