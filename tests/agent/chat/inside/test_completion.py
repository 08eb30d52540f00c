"""What the Tab key offers."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from agent.chat.commands import COMMANDS
from agent.chat.completion import ChatCompleter
from agent.chat.inspectors import FIXED
from agent.settings import Settings


@pytest.fixture
def tab(open_chat, tmp_path):
    """Gives the lines that can be had by the Tab key behind a text."""
    completer = ChatCompleter(open_chat()[0])

    def lines(text):
        found = completer.get_completions(Document(text), CompleteEvent())
        return [text[: len(text) + each.start_position] + each.text for each in found]

    for name in ("plain.png", "it's.png", "two words.png", "$HOME.png"):
        (tmp_path / "here" / name).touch()
    (tmp_path / "here" / "a folder").mkdir()
    (tmp_path / "here" / "a folder" / "q.png").touch()
    return lines


def test_every_command_is_offered_and_fewer_the_more_is_typed(tab):
    assert tab("/") == [f"/{name} " for name in COMMANDS]
    assert tab("/re") == [f"/{name} " for name in COMMANDS if name.startswith("re")]
    assert tab("/zzz") == []


@pytest.mark.parametrize("text", ["", "why", "why /", " ", "/fly ", "/state ", "/zoom 1 "])
def test_nothing_is_offered_where_anything_goes(tab, text):
    assert tab(text) == []


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("/overlay c", ["/overlay contour"]),
        ("/report ", ["/report text", "/report html", "/report markdown", "/report json"]),
        ("/measure pai", ["/measure pair"]),
        ("/set expert pai", ["/set expert pair"]),
        ("/set expert def", ["/set expert default"]),
        ("/set notation h", ["/set notation highlight", "/set notation heatmap"]),
        ("/set knowledge ", ["/set knowledge true", "/set knowledge false", "/set knowledge default"]),
        ("/set sensitivity ", ["/set sensitivity default"]),
        ("/set 'notation' m", ["/set 'notation' mask"]),
        ("/help zo", ["/help zoom"]),
        ("/feedback r", ["/feedback right"]),
    ],
)
def test_arguments_are_offered(tab, text, offered):
    assert tab(text) == offered


def test_every_setting_that_can_be_changed_is_offered_and_no_secret(tab):
    names = [line.removeprefix("/set ") for line in tab("/set ")]
    assert names == [name for name in Settings.model_fields if name not in FIXED]


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("/image pl", "plain.png"),
        ("/image 'two w", "two words.png"),
        ('/image "two w', "two words.png"),
        ("/image two\\ w", "two words.png"),
        ("/image tw", "two words.png"),
        ("/image it", "it's.png"),
        ("/image \\$H", "$HOME.png"),
        ("/image a", "a folder"),
        ("/image 'a folder'/", "a folder/q.png"),
        ("/image 'a folder/", "a folder/q.png"),
        ("/inspect plain.png 'a folder/q", "a folder/q.png"),
        ("/load ./pla", "./plain.png"),
    ],
)
def test_paths_are_offered_as_they_must_be_typed(tab, text, file):
    (line,) = tab(text)
    assert shlex.split(line)[-1] == file
    assert (
        len(shlex.split(line)) == len(text.split(" '")[0].split(" pl")[0].split(" tw")[0].split())
        or file in line
    )


def test_a_home_folder_stays_one(tab, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    assert tab("/image ~/pl") == ["/image ~/plain.png"]
    assert tab("/image ~/tw") == ["/image ~/'two words.png'"]


@given(st.text(max_size=30) | st.text(alphabet="/set expr'\"\\ ~.", max_size=30).map("/{}".format))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_can_break_it_and_what_it_offers_can_be_read(tab, text):
    for line in tab(text):
        assert shlex.split(line)
