"""Chats in this process over the drawn boards; the inspectors behind them are opened once a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.chat.chat import Chat
from agent.chat.commands import COMMANDS
from agent.chat.conversation import open_conversation
from agent.chat.inspectors import Inspectors
from agent.chat.screen import Screen
from agent.chat.sessions import Session, Sessions
from agent.chat.workbench import ChatBench
from agent.keeping import keep_inspection
from agent.terminal.terminal import Terminal

BOARDS = Path(__file__).parents[4] / "examples" / "images" / "bare_pcb"
QUERY, GOOD = BOARDS / "open_track.jpg", BOARDS / "good.jpg"

NO_PICTURES = Terminal("none", (8, 16), truecolor=False, drop_late_answer=lambda: None)


class ScriptedBench(ChatBench):
    """A workbench with a model of ours, or none."""

    model = None


@pytest.fixture(scope="module")
def inspectors(data_dir: Path) -> Iterator[Inspectors]:
    """Inspectors that measure, and look nothing up: the documents' index takes long to make."""
    opened = Inspectors({"data_dir": data_dir, "reasoner": "evidence", "knowledge": False}, None)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def kept_report(inspectors: Inspectors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report as `agent inspect --out` keeps it."""
    folder = tmp_path_factory.mktemp("kept")
    with inspectors.first.inspection(str(QUERY), str(GOOD), product="bare_pcb") as inspection:
        keep_inspection(inspection, folder)
    return folder


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    """An empty folder of sessions."""
    return Sessions(tmp_path / "data")


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    """A new session."""
    with sessions.open("test") as opened:
        yield opened


@pytest.fixture
def bench(session: Session, inspectors: Inspectors) -> ScriptedBench:
    """The workbench of the session."""
    return ScriptedBench(session, inspectors)


@pytest.fixture
def open_chat(sessions: Sessions, inspectors: Inspectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Opens the chat of a session; closed when the test ends, or by the function that it gives."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with ExitStack() as opened:

        def start(name: str = "test", model: object = None) -> tuple[Chat, Callable[[], None]]:
            stack = opened.enter_context(ExitStack())
            session = stack.enter_context(sessions.open(name))
            bench = ScriptedBench(session, inspectors)
            bench.model = model
            conversation = stack.enter_context(open_conversation(session, bench))
            screen = Screen(session.folder, NO_PICTURES, bench.pixels)
            return Chat(session, bench, conversation, screen, COMMANDS), stack.close

        yield start


class Typist:
    """Types lines into a chat, and reads what it prints."""

    def __init__(self, chat: Chat, capsys: pytest.CaptureFixture[str]) -> None:
        self.chat = chat
        self._capsys = capsys

    def __call__(self, line: str) -> str:
        """Type a line that can be done; gives what is printed."""
        out, complaint = self.both(line)
        assert complaint == "", complaint
        return out

    def refused(self, line: str) -> str:
        """Type a line that cannot be done; gives why, which is one line."""
        _, complaint = self.both(line)
        assert complaint.startswith("agent: "), f"{line!r} was done"
        assert complaint.count("\n") == 1
        return complaint.strip()

    def both(self, line: str) -> tuple[str, str]:
        """Type a line; gives what is printed, and what is complained of."""
        chat = self.chat
        chat.screen = Screen(chat.session.folder, NO_PICTURES, chat.bench.pixels)  # of this phase of the test
        self._capsys.readouterr()
        chat.handle(line)
        printed = self._capsys.readouterr()
        return printed.out, printed.err


@pytest.fixture
def typed(open_chat, capsys: pytest.CaptureFixture[str]) -> Typist:
    """A chat in which nothing was said yet."""
    return Typist(open_chat()[0], capsys)


@pytest.fixture
def loaded(typed: Typist, kept_report: Path) -> Typist:
    """A chat in which a report was opened."""
    typed(f"/load {kept_report}")
    return typed
