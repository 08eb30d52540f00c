from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.terminal.graphics import (
    QUESTION,
    Graphics,
    cell_px_in,
    graphics_of,
    has_sixel,
    is_answered,
    is_truecolor,
)

SIXEL = b"\x1b[?62;4;22c"
NO_SIXEL = b"\x1b[?62;22c"
XTERM = {"TERM": "xterm-256color"}


def never(question: bytes, wait_s: float) -> bytes:
    raise AssertionError("asked")


@pytest.mark.parametrize(
    ("environ", "graphics"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-kitty"}, "kitty"),  # over ssh
        (XTERM | {"KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        (XTERM | {"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-kitty", "TERM_PROGRAM": "iTerm.app"}, "kitty"),  # kitty started from iTerm2
        (XTERM | {"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        (XTERM | {"TERM_PROGRAM": "iTerm.app", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        (XTERM | {"LC_TERMINAL": "iTerm2"}, "iterm2"),  # over ssh
        (XTERM | {"TERM_PROGRAM": "mintty"}, "iterm2"),
        (XTERM | {"TERM_PROGRAM": "WezTerm", "KITTY_WINDOW_ID": "1"}, "iterm2"),  # started from kitty
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-1/default,1,0", "KITTY_WINDOW_ID": "1"}, "blocks"),
        (XTERM | {"TMUX": "/tmp/tmux-1/default,1,0", "TERM_PROGRAM": "tmux"}, "blocks"),
        ({"TERM": "screen.xterm-256color", "STY": "1.pts-0", "LC_TERMINAL": "iTerm2"}, "blocks"),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, "blocks"),  # ssh from inside of it
        (XTERM | {"ZELLIJ": "0", "TERM_PROGRAM": "WezTerm"}, "blocks"),
        ({}, "none"),
        ({"TERM": ""}, "none"),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, "none"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, "none"),
    ],
)
def test_a_terminal_that_says_what_it_is_is_not_asked(environ: dict[str, str], graphics: Graphics) -> None:
    assert graphics_of(environ, ask=never) == graphics


@pytest.mark.parametrize(
    "environ",
    [
        XTERM,
        {"TERM": "foot"},
        {"TERM": "linux"},
        XTERM | {"TERM_PROGRAM": "Apple_Terminal"},
        XTERM
        | {"TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1", "LC_TERMINAL": "iTerm2"},  # started from others
        XTERM | {"NO_COLOR": ""},
    ],
)
@pytest.mark.parametrize(
    ("answer", "graphics"),
    [
        (SIXEL, "sixel"),
        (b"\x1b[6;20;10t" + SIXEL, "sixel"),
        (b"\x1b[?1;2;4c", "sixel"),
        (NO_SIXEL, "blocks"),
        (b"\x1b[?4;6c", "blocks"),  # a VT132
        (b"\x1b[?64;14;40c", "blocks"),
        (b"\x1b[?62;4", "blocks"),
        (b"", "blocks"),
    ],
)
def test_others_have_sixels_if_they_say_so(
    environ: dict[str, str], answer: bytes, graphics: Graphics
) -> None:
    asked: list[tuple[bytes, float]] = []

    def ask(question: bytes, wait_s: float) -> bytes:
        asked.append((question, wait_s))
        return answer

    assert graphics_of(environ, ask=ask) == graphics
    assert asked == [(QUESTION, 0.2)]


def test_a_far_terminal_is_waited_for_longer() -> None:
    waits: list[float] = []

    def ask(question: bytes, wait_s: float) -> bytes:
        waits.append(wait_s)
        return b""

    graphics_of(XTERM | {"SSH_CONNECTION": "10.0.0.1 22 10.0.0.2 22"}, ask=ask)
    assert waits == [1.0]


def test_where_nobody_can_answer_there_are_half_blocks() -> None:
    assert graphics_of(XTERM, ask=None) == "blocks"


@pytest.mark.parametrize(
    ("heard", "cell"),
    [
        (b"\x1b[6;20;10t", (10, 20)),
        (b"\x1b[6;37;18t\x1b[?62;4c", (18, 37)),
        (b"\x1b[6;0;0t", None),
        (b"\x1b[6;9999;9999t", None),
        (b"\x1b[6;20t", None),
        (b"\x1b[4;600;800t", None),
        (b"\x1b[?62;4c", None),
    ],
)
def test_the_size_of_a_cell_is_believed_if_it_can_be(heard: bytes, cell: tuple[int, int] | None) -> None:
    assert cell_px_in(heard) == cell


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from([SIXEL, b"\x1b[", b"?", b"4;", b"c", b"6;", b"t"])).map(b"".join)
)
def test_no_answer_breaks_the_reading_of_it(heard: bytes) -> None:
    assert not has_sixel(heard) or is_answered(heard)
    cell = cell_px_in(heard)
    assert cell is None or min(cell) > 0


@pytest.mark.parametrize(
    ("environ", "truecolor"),
    [
        (XTERM, False),
        (XTERM | {"COLORTERM": "truecolor"}, True),
        (XTERM | {"COLORTERM": "24bit"}, True),
        (XTERM | {"COLORTERM": "rxvt"}, False),
        ({"TERM": "xterm-direct"}, True),
        ({}, False),
    ],
)
def test_24_bit_colours_are_used_where_they_are_promised(environ: dict[str, str], truecolor: bool) -> None:
    assert is_truecolor(environ) is truecolor
