"""Every command of the chat: what it does, and what it says when it is given what it cannot use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.chat.commands import COMMANDS

BOARDS = Path(__file__).parents[4] / "examples" / "images" / "bare_pcb"
QUERY, GOOD = BOARDS / "open_track.jpg", BOARDS / "good.jpg"

HOSTILE = (
    "",
    "~",
    "~nobody-of-this-name",
    "~/gone",
    "gone.png",
    "a" * 5000,
    "\x00",
    "\x1b[2J",
    "../../..",
    "-1",
    "0",
    "99999999999999999999999",
    "9" * 5000,
    "²",
    "1e9",
    "nan",
    "\ud800",
    "<data>",
    "板",
)
"""Arguments that suit no command; some of them are paths, some numbers, some neither."""


def test_inspecting_says_what_was_found_and_shows_where(typed):
    out = typed(f"/inspect {QUERY} {GOOD}")
    assert "#1 ANOMALOUS" in out
    assert "pair" in out
    assert "1. " in out
    assert out.strip().splitlines()[-1].endswith((".png", ".jpg"))
    assert Path(out.strip().splitlines()[-1].strip()).is_file()


def test_a_setting_is_changed_and_the_difference_shown_and_taken_back(loaded):
    out = loaded("/set sensitivity 0.5")
    assert "#2" in out
    assert "sensitivity" in loaded("/state")
    assert loaded.chat.state.subject.settings == {"sensitivity": "0.5"}
    loaded("/set sensitivity default")
    assert loaded.chat.state.subject.settings == {}
    assert "#3" in loaded("/diff 2 3")


def test_a_setting_is_changed_before_anything_is_chosen(typed):
    assert "sensitivity = 2, from the next inspection on" in typed("/set sensitivity 2")
    assert "sensitivity=2" in typed("/state")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/set data_dir /tmp", "data_dir cannot be changed here"),
        ("/set vlm_key secret", "vlm_key cannot be changed here"),
        ("/set colour green", "there is no setting 'colour'"),
        ("/set sensitivity zero", "sensitivity"),
        ("/set sensitivity -1", "sensitivity"),
        ("/set notation crayon", "notation"),
        ("/set notation", "give a name and a value"),
        ("/set notation bbox twice", "give a name and a value"),
        ("/set expert nobody", "nobody"),
    ],
)
def test_a_setting_that_cannot_be_changed_stays(loaded, line, why):
    assert why in loaded.refused(line)
    assert loaded.chat.state.subject.settings == {}


@pytest.mark.parametrize("line", ["/set sensitivity zero", "/set colour green"])
def test_a_wrong_setting_is_not_kept_for_later(typed, line):
    typed.refused(line)
    assert typed.chat.state.subject.settings == {}


def test_settings_are_listed_without_secrets_and_with_what_was_changed(typed):
    typed("/set sensitivity 2")
    out = typed("/set")
    assert "* sensitivity = 2.0" in out
    assert "  notation = bbox" in out
    assert "vlm_key" not in out


def test_image_good_part_and_product_are_chosen_without_inspecting(typed):
    typed(f"/image {QUERY}")
    typed(f"/template {GOOD} {BOARDS / 'good_shifted.jpg'}")
    typed("/product bare pcb")
    subject = typed.chat.state.subject
    assert (subject.image, subject.product) == (str(QUERY), "bare pcb")
    assert subject.templates == (str(GOOD), str(BOARDS / "good_shifted.jpg"))
    assert typed.chat.state.cases == ()
    typed(f"/template {BOARDS}")
    assert (typed.chat.state.subject.templates, typed.chat.state.subject.library) == ((), str(BOARDS))
    typed("/template")
    typed("/product")
    subject = typed.chat.state.subject
    assert (subject.templates, subject.library, subject.product) == ((), None, None)


def test_looks_print_where_the_picture_lies(loaded):
    for line in (
        "/overlay",
        "/overlay contour",
        "/overlay highlight",
        "/overlay mask",
        "/region 1",
        "/zoom 10 10 200 200",
        "/zoom 10,10,200,200",
        "/compare 10 10 200 200",
    ):
        out = loaded(line)
        assert Path(out.strip().splitlines()[-1].strip()).is_file(), line


def test_a_heat_map_of_a_loaded_report_was_not_kept(loaded):
    assert "was not kept; inspect again" in loaded.refused("/overlay heatmap")


def test_measuring_gives_score_and_heat_map_and_no_verdict(loaded):
    out = loaded("/measure pair")
    assert "Expert pair measured" in out
    assert "heat-map-of-pair" in out
    assert len(loaded.chat.state.cases) == 1


def test_good_images_are_found(loaded):
    assert str(GOOD) in loaded("/templates")


def test_nothing_is_looked_up_where_knowledge_is_off(typed):
    assert typed("/kb why is copper left").strip()


def test_why_and_prompt_and_state_tell_of_the_report(loaded):
    assert "pair" in loaded("/why")
    assert loaded("/why 1") == loaded("/why #1") == loaded("/why")
    assert loaded("/prompt")
    out = loaded("/state")
    assert str(QUERY) in out
    assert "#1" in out


def test_the_report_is_printed_and_written(loaded):
    assert "anomalous" in loaded("/report").lower()
    for form, suffix in (("html", "html"), ("markdown", "md"), ("json", "json")):
        file = Path(loaded(f"/report {form}").strip())
        assert file.suffix == f".{suffix}"
        assert file.stat().st_size > 500
    assert json.loads(file.read_text())["verdict"] == "anomalous"


def test_a_report_is_saved_with_its_pictures_and_opened_again(loaded, tmp_path):
    loaded(f"/save '{tmp_path}/a folder'")
    assert (tmp_path / "a folder" / "report.json").is_file()
    assert "not empty; name another folder" in loaded.refused(f"/save '{tmp_path}/a folder'")
    assert "#2" in loaded(f"/load '{tmp_path}/a folder/report.json'")
    assert "open_track-report" in loaded("/save")
    assert Path("open_track-report/report.html").is_file()


def test_what_differs_between_a_report_and_itself_is_nothing(loaded, kept_report):
    assert "nothing to compare with yet" in loaded.refused("/diff")
    loaded(f"/load {kept_report}")
    assert loaded("/diff") == loaded("/diff 1 2")


def test_steps_are_listed_and_returned_to(typed, kept_report):
    assert "nothing was said or done yet" in typed("/steps")
    typed(f"/image {QUERY}")
    typed(f"/load {kept_report}")
    typed("why?")
    lines = typed("/steps").splitlines()
    assert [line.split()[:2] for line in lines] == [["1", "/image"], ["2", "/load"], ["3", "why?"]]
    assert "back at step 2" in typed("/back 2")
    assert len(typed("/steps").splitlines()) == 2
    assert "back at step 1" in typed("/back 1")
    assert typed.chat.state.cases == ()


def test_nothing_is_gone_on_with_where_nothing_was_stopped(loaded):
    assert "nothing was stopped" in loaded.refused("/continue")


def test_help_names_every_command_and_one(typed):
    out = typed("/help")
    for command in COMMANDS.values():
        assert f"/{command.name} {command.usage}".strip() in out
    assert typed("/help zoom").strip().startswith("/zoom X0 Y0 X1 Y1")
    assert typed("/help /zoom") == typed("/help zoom")
    assert "there is no command /fly" in typed.refused("/help fly")


def test_commands_can_be_cut_short_where_there_is_one(typed):
    assert typed("/hel") == typed("/help")
    assert "there is no command /re" in typed.refused("/re")  # region, read, report


@pytest.mark.parametrize("line", ["", "   ", "\t"])
def test_an_empty_line_does_nothing(typed, line):
    assert typed.both(line) == ("", "")


@pytest.mark.parametrize(
    ("line", "why"), [("/fly", "no command /fly"), ("/''", "no command"), ("/zoom '1 2", "quotation mark")]
)
def test_what_is_no_command_is_said(typed, line, why):
    assert why in typed.refused(line)


def test_a_lone_slash_is_a_call_for_help(typed):
    assert typed("/") == typed("/help")


def test_quitting_leaves(typed):
    typed("/quit")
    assert typed.chat.over


WITHOUT_A_CASE = {
    "overlay": "no image yet",
    "region 1": "no image yet",
    "zoom 1 2 3 4": "no image yet",
    "compare 1 2 3 4": "no image yet",
    "read": "no image yet",
    "inspect": "no image yet",
    "measure pair": "no image yet",
    "templates": "no good image",
    "why": "nothing has been inspected yet",
    "prompt": "nothing has been inspected yet",
    "prompt chat": "no model was asked",
    "diff": "nothing to compare with",
    "report": "nothing has been inspected yet",
    "save": "nothing has been inspected yet",
    "back 1": "give the number of a step",
    "continue": "nothing was stopped",
}


@pytest.mark.parametrize("line", WITHOUT_A_CASE)
def test_before_anything_was_done_a_command_says_what_to_do_first(typed, line):
    assert WITHOUT_A_CASE[line] in typed.refused(f"/{line}")


TOO_MANY = {
    "image": "a b",
    "set": "a b c",
    "load": "a b",
    "overlay": "bbox bbox",
    "region": "1 2",
    "zoom": "1 2 3 4 5",
    "compare": "1 2 3 4 5",
    "measure": "pair pair",
    "read": "1 2 3 4 5",
    "templates": "a",
    "why": "1 2",
    "prompt": "1 2",
    "diff": "1 2 3",
    "state": "a",
    "report": "html html",
    "save": "a b",
    "steps": "a",
    "back": "1 2",
    "continue": "a",
    "quit": "now",
    "eval": "a 1 2",
    "answer": "a",
}
UNBOUNDED = {"inspect", "template", "product", "kb", "help", "feedback"}


def test_every_command_is_tried_with_too_many_arguments():
    assert TOO_MANY.keys() | UNBOUNDED == COMMANDS.keys()


@pytest.mark.parametrize("name", TOO_MANY)
def test_too_many_arguments_are_refused_with_the_usage(loaded, name):
    why = loaded.refused(f"/{name} {TOO_MANY[name]}")
    assert "/" in why or "give" in why
    assert not loaded.chat.over


NEEDS_ONE = ("image", "load", "region", "zoom", "compare", "measure", "kb", "back")


@pytest.mark.parametrize("name", NEEDS_ONE)
def test_a_missing_argument_is_asked_for(loaded, name):
    assert "give" in loaded.refused(f"/{name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_argument_can_break_a_command(loaded, name):
    for word in HOSTILE:
        for line in (
            f"/{name} '{word}'",
            f"/{name} '{word}' '{word}'",
            f"/{name} {' '.join([repr(word)] * 4)}",
        ):
            _, complaint = loaded.both(line)
            assert complaint.count("\n") <= 1
            assert "\x1b" not in complaint


words = st.sampled_from(HOSTILE) | st.text(max_size=12)
lines = st.text(max_size=40) | st.builds(
    lambda name, arguments: " ".join((f"/{name}", *arguments)),
    st.sampled_from(sorted(COMMANDS)) | st.text(max_size=5),
    st.lists(words, max_size=5),
)


@given(lines)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_line_can_break_the_chat(typed, line):
    _, complaint = typed.both(line)
    assert complaint.count("\n") <= 1


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_question_can_break_the_chat(loaded, text):
    loaded.both(f"? {text}")
