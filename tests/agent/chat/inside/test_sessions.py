"""Sessions on disk."""

from __future__ import annotations

import os
import re

import pytest

from agent.chat.conversation import open_conversation
from agent.chat.sessions import Sessions
from agent.errors import UsageError


def begin(sessions, name):
    """A session in which something was said."""
    with sessions.open(name) as session:
        session.database.write_bytes(b"said")
        session.cases.mkdir()


@pytest.mark.parametrize(
    "name",
    ["..", ".hidden", "a/b", "/etc", "a\\b", "a b", "a\n", "-rf", "~", "a" * 65, "Ä", "x\x00", "$(id)", "*"],
)
def test_a_name_that_could_be_a_path_is_refused(sessions, tmp_path, name):
    with pytest.raises(UsageError, match="use up to 64 letters"), sessions.open(name):
        pass
    with pytest.raises(UsageError, match="use up to 64 letters"):
        sessions.delete(name)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["a", "board-7", "2026_01.b", "a" * 64])
def test_a_session_lies_in_a_folder_of_its_name(sessions, tmp_path, name):
    with sessions.open(name) as session:
        assert session.folder == tmp_path / "data" / "chats" / name
        assert session.folder.is_dir()


def test_a_session_without_a_name_is_named_by_the_time_and_no_two_alike(sessions):
    with sessions.open(None) as first, sessions.open(None) as second:
        assert re.fullmatch(r"\d{8}-\d{6}", first.name)
        assert first.name != second.name


def test_a_session_is_open_in_one_terminal(sessions, tmp_path):
    with sessions.open("board"):
        with pytest.raises(UsageError, match="board is open in another terminal"), sessions.open("board"):
            pass
        with pytest.raises(UsageError, match="open in another terminal"):
            Sessions(tmp_path / "data").delete("board")
    with sessions.open("board"):
        pass


def test_a_session_is_free_again_after_an_error(sessions):
    with pytest.raises(RuntimeError, match="crash"), sessions.open("board"):
        raise RuntimeError("crash")
    with sessions.open("board"):
        pass


def test_sessions_are_listed_the_latest_first(sessions):
    assert sessions.list() == []
    for age, name in enumerate(("old", "new")):
        begin(sessions, name)
        for file in (sessions._root / name).rglob("*"):
            os.utime(file, (1_000_000 + age, 1_000_000 + age))
    found = sessions.list()
    assert [info.name for info in found] == ["new", "old"]
    assert [info.bytes for info in found] == [4, 4]
    assert found[0].used.timestamp() == 1_000_001


def test_what_is_no_session_is_not_listed(sessions, tmp_path):
    begin(sessions, "board")
    (tmp_path / "data" / "chats" / "empty").mkdir()
    (tmp_path / "data" / "chats" / "stray.txt").write_text("x")
    assert [info.name for info in sessions.list()] == ["board"]


def test_a_deleted_session_is_gone_with_all_it_kept(sessions):
    begin(sessions, "board")
    begin(sessions, "other")
    with sessions.open("board") as session:
        folder = session.folder
    sessions.delete("board")
    assert not folder.exists()
    assert [info.name for info in sessions.list()] == ["other"]
    with pytest.raises(UsageError, match="no session 'board'; there are: other"):
        sessions.delete("board")


def test_deleting_where_there_is_none_says_so(sessions):
    with pytest.raises(UsageError, match="no session 'board'; there are: none"):
        sessions.delete("board")


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UsageError, match="cannot be made") as caught, Sessions(tmp_path / "data").open("a"):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be one" * 99, b"SQLite format 3\x00"]
)
def test_a_damaged_conversation_is_told_in_a_line(session, bench, content):
    session.database.write_bytes(content)
    with pytest.raises(UsageError, match="cannot use") as caught, open_conversation(session, bench):
        pass
    assert "\n" not in str(caught.value)
    assert str(session.database) in str(caught.value)
