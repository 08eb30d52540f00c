from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from agent.terminal.asking import Asking
from agent.terminal.graphics import QUESTION, is_answered
from agent.terminal.terminal import Terminal, terminal_of
from tests.agent.terminal.screens import by_sixel

ANSWER = b"\x1b[6;32;16t\x1b[?62;4;22c"
XTERM = {"TERM": "xterm-256color"}
LONG_S = 30.0
"""Only ever waited for by a test that fails."""

Reply = Callable[["FakeTerminal"], None]


@dataclass
class FakeTerminal:
    """The other end of a pseudo-terminal, which reads what is written and says what it was told to."""

    master: int
    slave: int
    seen: bytes = b""
    may_answer: threading.Event = field(default_factory=threading.Event)

    def type(self, text: bytes) -> None:
        """As a person or the terminal itself does; returns when it can be read."""
        os.write(self.master, text)
        assert self.can_read(LONG_S)

    def can_read(self, wait_s: float = 0) -> bool:
        return bool(select.select([self.slave], [], [], wait_s)[0])

    def on_question(self, reply: Reply) -> threading.Thread:
        """Listen in a thread for `QUESTION`, then reply."""

        def listen() -> None:
            while QUESTION not in self.seen:
                self.seen += os.read(self.master, 1000)
            reply(self)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        return thread

    def asked(self) -> Asking:
        return Asking(self.slave, self.slave, is_answered)


def answer(terminal: FakeTerminal) -> None:
    os.write(terminal.master, ANSWER)


def answer_in_pieces(terminal: FakeTerminal) -> None:
    for byte in ANSWER:
        os.write(terminal.master, bytes([byte]))


def answer_when_told(terminal: FakeTerminal) -> None:
    assert terminal.may_answer.wait(LONG_S)
    os.write(terminal.master, ANSWER)


def say_nothing(terminal: FakeTerminal) -> None:
    pass


def say_half(terminal: FakeTerminal) -> None:
    os.write(terminal.master, ANSWER[:7])


@pytest.fixture
def terminal() -> Iterator[FakeTerminal]:
    """In raw mode, so that a test sees at once what there is to read."""
    master, slave = os.openpty()
    tty.setraw(slave)
    terminal = FakeTerminal(master, slave)
    yield terminal
    for fd in (terminal.master, terminal.slave):
        if fd >= 0:
            os.close(fd)


@pytest.mark.parametrize("reply", [answer, answer_in_pieces])
def test_an_answer_is_heard_and_nothing_is_left_of_it(terminal: FakeTerminal, reply: Reply) -> None:
    before = termios.tcgetattr(terminal.slave)
    thread = terminal.on_question(reply)
    assert terminal.asked().ask(QUESTION, LONG_S) == ANSWER
    thread.join(LONG_S)
    assert terminal.seen == QUESTION
    assert not terminal.can_read()
    assert termios.tcgetattr(terminal.slave) == before


@pytest.mark.parametrize("reply", [say_nothing, say_half])
def test_without_an_answer_it_goes_on(terminal: FakeTerminal, reply: Reply) -> None:
    before = termios.tcgetattr(terminal.slave)
    thread = terminal.on_question(reply)
    assert terminal.asked().ask(QUESTION, 0.3) == b""
    thread.join(LONG_S)
    assert not terminal.can_read()
    assert termios.tcgetattr(terminal.slave) == before


def test_a_late_answer_is_thrown_away_before_the_person_types(terminal: FakeTerminal) -> None:
    thread = terminal.on_question(answer_when_told)
    asking = terminal.asked()
    assert asking.ask(QUESTION, 0.05) == b""
    terminal.may_answer.set()
    thread.join(LONG_S)
    assert terminal.can_read(LONG_S)
    asking.drop_late_answer()
    assert not terminal.can_read()
    terminal.type(b"/why\r")
    asking.drop_late_answer()
    assert os.read(terminal.slave, 100) == b"/why\r"


def test_what_is_typed_after_an_answer_is_kept(terminal: FakeTerminal) -> None:
    terminal.on_question(answer)
    asking = terminal.asked()
    assert asking.ask(QUESTION, LONG_S) == ANSWER
    terminal.type(b"/why\r")
    asking.drop_late_answer()
    assert os.read(terminal.slave, 100) == b"/why\r"


def test_who_types_already_is_not_disturbed(terminal: FakeTerminal) -> None:
    terminal.type(b"/insp")
    assert terminal.asked().ask(QUESTION, LONG_S) == b""
    assert os.read(terminal.slave, 100) == b"/insp"
    assert not select.select([terminal.master], [], [], 0)[0], "something was asked"


def test_a_line_half_typed_is_not_lost() -> None:
    master, slave = os.openpty()  # as it comes: lines, echo
    try:
        os.write(master, b"/insp")
        assert os.read(master, 100) == b"/insp"  # its echo, so it has arrived
        assert Asking(slave, slave, is_answered).ask(QUESTION, LONG_S) == b""
        os.write(master, b"ect\n")
        with os.fdopen(slave, "rb", closefd=False) as keys:
            assert keys.readline() == b"/inspect\n"
    finally:
        os.close(master)
        os.close(slave)


def test_the_terminal_is_as_before_when_interrupted(terminal: FakeTerminal) -> None:
    def interrupted(heard: bytes) -> bool:
        raise KeyboardInterrupt

    before = termios.tcgetattr(terminal.slave)
    terminal.on_question(answer)
    with pytest.raises(KeyboardInterrupt):
        Asking(terminal.slave, terminal.slave, interrupted).ask(QUESTION, LONG_S)
    assert termios.tcgetattr(terminal.slave) == before


def test_a_terminal_that_goes_away_has_no_answer(terminal: FakeTerminal) -> None:
    def hang_up(terminal: FakeTerminal) -> None:
        master, terminal.master = terminal.master, -1
        os.close(master)

    thread = terminal.on_question(hang_up)
    asking = terminal.asked()
    assert asking.ask(QUESTION, LONG_S) == b""
    thread.join(LONG_S)
    asking.drop_late_answer()


def test_what_is_no_terminal_is_not_asked() -> None:
    reading, writing = os.pipe()
    try:
        assert Asking(reading, writing, is_answered).ask(QUESTION, LONG_S) == b""
        assert not select.select([reading], [], [], 0)[0]
    finally:
        os.close(reading)
        os.close(writing)


_IN_BACKGROUND = """
import fcntl, os, sys, termios
from pathlib import Path
from agent.terminal.asking import Asking

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    heard = Asking(0, 1, lambda heard: True).ask(b"?", 5)
    Path(sys.argv[1]).write_bytes(b"heard " + heard)
    os._exit(0)
status = os.waitpid(child, os.WUNTRACED)[1]
if os.WIFSTOPPED(status):
    os.kill(child, 9)
    sys.exit("stopped")
"""


def test_from_the_background_nothing_is_asked_and_nothing_stops(
    terminal: FakeTerminal, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    subprocess.run(
        [sys.executable, "-c", _IN_BACKGROUND, str(heard)],
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=subprocess.PIPE,
        start_new_session=True,
        timeout=60,
        check=True,
    )
    assert heard.read_bytes() == b"heard "
    assert not select.select([terminal.master], [], [], 0)[0], "something was asked"


def found(terminal: FakeTerminal, environ: dict[str, str], encoding: str = "utf-8", **how: str) -> Terminal:
    with (
        open(terminal.slave, encoding=encoding, closefd=False) as keys,
        open(terminal.slave, "w", encoding=encoding, closefd=False) as screen,
    ):
        return terminal_of(environ, keys=keys, screen=screen, **how)


def test_a_terminal_with_sixels_shows_a_picture_in_the_cells_it_has(terminal: FakeTerminal) -> None:
    terminal.on_question(answer)
    here = found(terminal, XTERM | {"SSH_CONNECTION": "far"})
    assert (here.graphics, here.cell_px) == ("sixel", (16, 32))
    shown = here.picture(np.full((900, 900, 3), 90, np.uint8), columns=20, rows=5)
    assert by_sixel(shown.rstrip("\n")).colours.shape == (160, 160)


def test_the_size_of_the_window_tells_that_of_the_cells(terminal: FakeTerminal) -> None:
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 80 * 9, 25 * 18))
    here = found(terminal, {"TERM": "xterm-kitty"})
    assert (here.graphics, here.cell_px, here.truecolor) == ("kitty", (9, 18), False)


@pytest.mark.parametrize("window", [(0, 0, 0, 0), (25, 80, 0, 0), (25, 80, 80, 25)])
def test_a_window_that_does_not_tell_has_usual_cells(
    terminal: FakeTerminal, window: tuple[int, int, int, int]
) -> None:
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", *window))
    assert found(terminal, {"TERM": "xterm-kitty"}).cell_px == (10, 20)


def test_a_demand_is_obeyed_and_sixels_ask_for_the_size_of_cells(terminal: FakeTerminal) -> None:
    terminal.on_question(answer)
    here = found(terminal, {"TERM": "tmux-256color", "TMUX": "1", "SSH_CONNECTION": "far"}, how="sixel")
    assert (here.graphics, here.cell_px) == ("sixel", (16, 32))
    assert found(terminal, {"TERM": "dumb"}, how="blocks").graphics == "blocks"
    assert found(terminal, {"TERM": "xterm-kitty"}, how="none").graphics == "none"


def test_no_half_blocks_where_they_cannot_be_written(terminal: FakeTerminal) -> None:
    in_tmux = {"TERM": "tmux-256color", "TMUX": "1"}
    assert found(terminal, in_tmux, "utf-8").graphics == "blocks"
    assert found(terminal, in_tmux, "latin-1").graphics == "none"
    assert found(terminal, {"TERM": "xterm-kitty"}, "latin-1").graphics == "kitty"


def test_no_pictures_in_a_file_but_on_demand(tmp_path: Path, terminal: FakeTerminal) -> None:
    with (tmp_path / "out").open("w") as out, open(terminal.slave, closefd=False) as keys:
        assert terminal_of({"TERM": "xterm-kitty"}, keys=keys, screen=out).graphics == "none"
        assert terminal_of({"TERM": "xterm-kitty"}, how="kitty", keys=keys, screen=out).graphics == "kitty"


def test_with_piped_commands_the_terminal_is_not_asked(tmp_path: Path, terminal: FakeTerminal) -> None:
    commands = tmp_path / "commands"
    commands.touch()
    with commands.open() as keys, open(terminal.slave, "w", encoding="utf-8", closefd=False) as screen:
        here = terminal_of(XTERM, keys=keys, screen=screen)
        here.drop_late_answer()
    assert here.graphics == "blocks"
    assert not select.select([terminal.master], [], [], 0)[0], "something was asked"
