"""Sessions on disk: a folder each, taken by one terminal at a time.

<data folder>/chats/<name>/
    session.sqlite      the conversation, step by step
    history             lines that were typed
    stopped             at which state Ctrl-C stopped a turn
    cases/<n>/          each inspection as `agent inspect --out` keeps it, and its arrays
    pictures/           what else was shown
    said/               what the model was shown and said in its latest turn
    reports/            what /report wrote
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from agent.errors import UsageError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATABASE: Final = "session.sqlite"


@dataclass(frozen=True)
class Session:
    """A session's places."""

    name: str
    folder: Path

    @property
    def database(self) -> Path:
        """Where the conversation is kept."""
        return self.folder / _DATABASE

    @property
    def history(self) -> Path:
        """Where typed lines are kept."""
        return self.folder / "history"

    @property
    def stopped(self) -> Path:
        """Names the state in which the person stopped a turn."""
        return self.folder / "stopped"

    @property
    def cases(self) -> Path:
        """Where inspections are kept."""
        return self.folder / "cases"

    @property
    def pictures(self) -> Path:
        """Where pictures are kept."""
        return self.folder / "pictures"

    @property
    def said(self) -> Path:
        """Where it is kept what the model was shown and said."""
        return self.folder / "said"

    @property
    def reports(self) -> Path:
        """Where reports are written."""
        return self.folder / "reports"


@dataclass(frozen=True)
class SessionInfo:
    """A session as it is listed; `used` is when it was last used, in UTC."""

    name: str
    used: datetime
    bytes: int


class Sessions:
    """The sessions of a data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "chats"

    @contextmanager
    def open(self, name: str | None) -> Iterator[Session]:
        """Take a session, an old one or a new one; without a name it is named by the time.

        Raises:
            UsageError: the name cannot be one, or another terminal holds the session.
        """
        session = self._session(name or self._free_name())
        try:
            session.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"session folder {session.folder} cannot be made ({error.strerror}); set AGENT_DATA_DIR"
            ) from error
        with self._held(session):
            yield session

    def list(self) -> list[SessionInfo]:
        """Every session, the latest first."""
        found = []
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            database = folder / _DATABASE
            if database.is_file():
                files = [file.stat() for file in folder.rglob("*") if file.is_file()]
                latest = max(each.st_mtime for each in files)
                used = datetime.fromtimestamp(latest, UTC)
                found.append(SessionInfo(folder.name, used, sum(each.st_size for each in files)))
        return sorted(found, key=lambda info: info.used, reverse=True)

    def delete(self, name: str) -> None:
        """Forget a session with all that is kept of it.

        Raises:
            UsageError: there is none of this name, or a terminal holds it.
        """
        session = self._session(name)
        if not session.folder.is_dir():
            known = ", ".join(info.name for info in self.list()) or "none"
            raise UsageError(f"no session {name!r}; there are: {known}")
        with self._held(session):
            shutil.rmtree(session.folder)

    @contextmanager
    def _held(self, session: Session) -> Iterator[None]:
        lock = FileLock(self._root / f"{session.name}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise UsageError(
                f"session {session.name} is open in another terminal; leave it there, or name another"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _session(self, name: str) -> Session:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"session name {name!r}: use up to 64 letters, digits, dots, dashes and underscores"
            )
        return Session(name, self._root / name)

    def _free_name(self) -> str:
        """The time, and a number where somebody was as quick."""
        stem = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        names = (stem, *(f"{stem}-{number}" for number in range(2, 1000)))
        return next(name for name in names if not (self._root / name).exists())
