"""`agent explain`, and dialogues in the place of an endpoint."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agent import Inspector
from agent.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
BOARD = EXAMPLES / "images" / "bare_pcb"


def played(dialogue: str, out: Path, data_dir: Path, **settings):
    url = f"script:{EXAMPLES / 'dialogues' / dialogue}.yaml"
    with Inspector.from_settings(data_dir=data_dir, vlm_url=url, **settings) as inspector:
        report = inspector.inspect(BOARD / "short.jpg", BOARD / "good.jpg", product="bare pcb", out=out)
    out.joinpath("report.json").write_text(report.model_dump_json())
    return report


def explained(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["explain", *map(str, arguments)])
    told = capsys.readouterr()
    return stop.value.code or 0, told.out, told.err


def test_a_dialogue_that_agrees(tmp_path, data_dir):
    report = played("short-confirmed", tmp_path, data_dir)
    assert (report.verdict, report.reasoner) == ("anomalous", "vlm:dialogue-agrees")
    assert [defect.support for defect in report.defects] == ["confirmed"]
    assert report.faults == ()
    assert report.versions["prompts"].startswith("en:")


def test_a_dialogue_that_is_put_right_by_the_verifier(tmp_path, data_dir):
    report = played("short-second-look", tmp_path, data_dir)
    assert [(look.how, look.tool) for look in report.looks] == [("asked", "compare"), ("blind", "zoom")]
    assert report.looks[1].agrees is False
    assert report.verdict == "anomalous"


def test_a_dialogue_of_rubbish(tmp_path, data_dir):
    report = played("short-rubbish", tmp_path, data_dir)
    assert {fault.kind for fault in report.faults} == {"vlm_invalid", "hallucinated_box"}
    assert report.verdict == "anomalous"


def test_what_the_model_saw_and_said_is_told_in_order(tmp_path, data_dir, capsys):
    played("short-second-look", tmp_path, data_dir)
    status, out, _ = explained(capsys, tmp_path)
    assert status == 0
    told = " ".join(out.split())
    order = [
        "1. intake",
        "Call 1",
        "You are an inspector",
        "picture query",
        "I see no difference",
        "Call 2",
        "calls compare with",
        "Call 3",
        "normal 0.620",
        ". look_closer",
        "Call 4",
        "defect 0.910",
        "Copper joins two tracks",
        ". advise",
    ]
    places = [told.index(part) for part in order]
    assert places == sorted(places)
    assert told.count("You are an inspector") == 2  # the verifier's conversation begins anew
    named = re.findall(r"seen-[0-9a-f]{12}\.png", out)
    assert len(set(named)) == len(list((tmp_path / "transcript").glob("seen-*.png")))


def test_the_page_holds_every_picture(tmp_path, data_dir, capsys):
    played("short-second-look", tmp_path, data_dir)
    _, page, _ = explained(capsys, tmp_path / "report.json", "--format", "html")
    assert page.count("data:image/png;base64,") == 5
    assert not re.findall(r"https?:|<script|url\(", page)


def test_a_record_plays_the_same_inspection_again(tmp_path, data_dir):
    first = played("short-second-look", tmp_path / "a", data_dir)
    url = f"script:{tmp_path / 'a' / 'transcript' / 'transcript.jsonl'}"
    with Inspector.from_settings(data_dir=data_dir, vlm_url=url) as inspector:
        again = inspector.inspect(BOARD / "short.jpg", BOARD / "good.jpg", product="bare pcb")
    assert (again.verdict, again.confidence, again.defects) == (
        first.verdict,
        first.confidence,
        first.defects,
    )


def test_without_a_model_the_steps_are_told(tmp_path, data_dir, capsys):
    with Inspector.from_settings(data_dir=data_dir, reasoner="evidence") as inspector:
        report = inspector.inspect(BOARD / "short.jpg", BOARD / "good.jpg", out=tmp_path)
    tmp_path.joinpath("report.json").write_text(report.model_dump_json())
    status, out, _ = explained(capsys, tmp_path)
    assert status == 0
    assert "No model was asked" in out
    assert "pair: score" in out


def test_a_report_whose_record_is_gone_says_so(tmp_path, data_dir, capsys):
    played("short-confirmed", tmp_path, data_dir)
    (tmp_path / "transcript" / "transcript.jsonl").unlink()
    status, _, err = explained(capsys, tmp_path)
    assert status == 2
    assert "transcript" in err


def test_a_report_that_never_kept_a_record_says_how_to_get_one(tmp_path, data_dir, capsys):
    report = played("short-confirmed", tmp_path, data_dir)
    bare = report.model_copy(update={"artifacts": {}})
    tmp_path.joinpath("report.json").write_text(bare.model_dump_json())
    status, _, err = explained(capsys, tmp_path)
    assert (status, "--out" in err) == (2, True)


def test_a_report_may_not_name_a_record_elsewhere(tmp_path, data_dir, capsys):
    played("short-confirmed", tmp_path / "in", data_dir)
    file = tmp_path / "in" / "report.json"
    content = json.loads(file.read_text())
    content["artifacts"]["transcript"] = "../../etc/passwd"
    file.write_text(json.dumps(content))
    status, _, err = explained(capsys, file)
    assert status == 2
    assert "outside" in err


def test_a_dialogue_that_cannot_be_read_stops_in_one_line(tmp_path, capsys, data_dir):
    with pytest.raises(SystemExit) as stop:
        main(
            [
                *("inspect", "--image", str(BOARD / "short.jpg"), "--data-dir", str(data_dir)),
                *("--vlm-url", f"script:{tmp_path / 'none.yaml'}"),
            ]
        )
    assert stop.value.code == 2
    assert "none.yaml" in capsys.readouterr().err
