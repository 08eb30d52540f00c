"""`agent` in a pseudo-terminal, and what a person sees there."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte
from wcwidth import wcwidth

ROOT = Path(__file__).parents[3]
BOARD = ROOT / "examples" / "images" / "bare_pcb"
RUN = "from agent.cli import main; main()"

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOR = re.compile(r"\x1b\[(?!0?m)[0-9;]*m")
"""An escape that sets a colour, or any other style; not the one that takes all styles away."""

UP, TAB, ENTER, ALT_ENTER = "\x1b[A", "\t", "\r", "\x1b\r"
CTRL_C, CTRL_D = "\x03", "\x04"


def environment(**changed: str) -> dict[str, str]:
    """This process's, for a program that runs in a terminal of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    return kept | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | changed


class Emulator(pyte.HistoryScreen):
    """A terminal that answers questions, and remembers each line that it had to break by itself."""

    def __init__(self, columns: int, rows: int, answer: object) -> None:
        self.broken: list[str] = []
        self._answer = answer
        super().__init__(columns, rows, history=20_000, ratio=0.5)

    def draw(self, data: str) -> None:
        for character in data:
            if self.cursor.x == self.columns and wcwidth(character) > 0:
                self.broken.append(self.display[self.cursor.y])
            super().draw(character)

    def write_process_input(self, data: str) -> None:
        self._answer(data)

    def told(self) -> list[str]:
        """All lines, those that have left the window too."""
        gone = [
            "".join(row[column].data for column in range(self.columns)).rstrip() for row in self.history.top
        ]
        return [*gone, *(line.rstrip() for line in self.display)]


class Seen(AssertionError):
    """What was waited for did not appear; the message is what did."""


class TerminalWindow:
    """A window in which `agent` runs.

    Attributes:
        raw: all that the program wrote, escapes too.
        screen: what a person sees of it.
    """

    def __init__(
        self,
        *arguments: object,
        columns: int = 100,
        rows: int = 40,
        cwd: Path,
        program: str = RUN,
        **env: str,
    ) -> None:
        self.raw = ""
        self._seen = 0
        self._child = pexpect.spawn(
            sys.executable,
            ["-c", program, *map(str, arguments)],
            dimensions=(rows, columns),
            cwd=str(cwd),
            env=environment(**env),
            encoding="utf-8",
            codec_errors="replace",
            timeout=60,
        )
        self._child.delaybeforesend = None
        self.screen = Emulator(columns, rows, self._child.send)
        self._stream = pyte.Stream(self.screen)

    @property
    def text(self) -> str:
        """All that is to be read, from the first line on."""
        return "\n".join(self.screen.told())

    @property
    def words(self) -> str:
        """What the program wrote, without escapes: lines that the window breaks are whole here."""
        return ESCAPE.sub("", self.raw)

    @property
    def prompt(self) -> str:
        """The line at which the cursor stands."""
        return self.screen.display[self.screen.cursor.y].rstrip()

    def send(self, keys: str) -> None:
        self._child.send(keys)

    def wait_for(self, pattern: str, seconds: float = 60) -> str:
        """Wait until a regular expression is found in what was printed since the last wait, escapes aside.

        Returns what was printed up to the end of it.
        """
        end = time.monotonic() + seconds
        while True:
            new = ESCAPE.sub("", self.raw[self._seen :])
            if found := re.search(pattern, new):
                # Everything heard so far counts as seen: what comes next is printed after this.
                self._seen = len(self.raw)
                return new[: found.end()]
            if not self.hear(0.2) and (time.monotonic() > end or not self._child.isalive()):
                if self.hear(0.2):
                    continue
                raise Seen(f"no {pattern!r} within {seconds:.0f} s of:\n{self.text.rstrip()}")

    def wait_until(self, holds: object, seconds: float = 20) -> None:
        """Wait until something holds of the screen."""
        end = time.monotonic() + seconds
        while not holds(self):
            if time.monotonic() > end:
                raise Seen(f"not within {seconds:.0f} s on:\n{self.text.rstrip()}")
            self.hear(0.1)

    def wait_for_prompt(self, seconds: float = 60) -> None:
        """Wait until something can be typed."""
        self.wait_until(lambda window: window.prompt == ">" and window.screen.cursor.x == 2, seconds)
        self._seen = len(self.raw)

    def type(self, line: str, seconds: float = 60) -> str:
        """Type a line and wait for the next prompt; returns what was printed in between."""
        return self.press(line + ENTER, seconds)

    def press(self, keys: str, seconds: float = 60) -> str:
        """Press keys that end the line, and wait for the next prompt; returns what was printed in between."""
        start = self._row()
        self.send(keys)
        self.wait_until(lambda window: window._row() > start, seconds)
        self.wait_for_prompt(seconds)
        return "\n".join(self.screen.told()[start + 1 : self._row()])

    def hear(self, seconds: float) -> bool:
        """Take up what the program writes within some time; whether there was anything."""
        try:
            came = self._child.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            return False
        self.raw += came
        self._stream.feed(came)
        return True

    def wait_for_end(self, seconds: float = 30) -> int:
        """Wait until the program has left; returns its exit status."""
        end = time.monotonic() + seconds
        while self._child.isalive() and time.monotonic() < end:
            self.hear(0.1)
        while self.hear(0.1):
            pass
        if self._child.isalive():
            raise Seen(f"still there after {seconds:.0f} s:\n{self.text.rstrip()}")
        self._child.close()
        return self._child.exitstatus if self._child.exitstatus is not None else -self._child.signalstatus

    def kill(self) -> None:
        """Kill the program as a crash would."""
        self._child.kill(signal.SIGKILL)
        self._child.wait()

    def hang_up(self) -> None:
        """Close the window over the running program, and wait until it has left."""
        end = time.monotonic() + 30
        with contextlib.suppress(pexpect.ExceptionPexpect):  # it takes longer than pexpect is patient for
            self._child.close(force=False)
        while self._child.isalive():
            if time.monotonic() > end:
                raise Seen("still there 30 s after its window was closed")
            time.sleep(0.1)

    def close(self) -> None:
        self._child.close(force=True)

    def _row(self) -> int:
        """The cursor's line, counted from the first line of all."""
        return len(self.screen.history.top) + self.screen.cursor.y


@contextmanager
def window(*arguments: object, cwd: Path, **how: object) -> Iterator[TerminalWindow]:
    """`agent ...` in a window of its own, until the block ends."""
    opened = TerminalWindow(*arguments, cwd=cwd, **how)
    try:
        yield opened
    finally:
        opened.close()


def piped(*arguments: object, lines: str | bytes, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """`agent ...` with its lines from a pipe."""
    given = lines.encode() if isinstance(lines, str) else lines
    ran = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        input=given,
        capture_output=True,
        cwd=cwd,
        env=environment(**env),
        timeout=120,
        check=False,
    )
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())
