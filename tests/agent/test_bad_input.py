"""Whatever is wrong with the input: one clear line, the promised exit status, no traceback, no half a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _write(path: Path, kind: str, good: Path) -> Path:
    good_bytes = good.read_bytes()
    if kind == "folder":
        path.mkdir()
    elif kind == "zero bytes":
        path.touch()
    elif kind == "truncated":
        path.write_bytes(good_bytes[: len(good_bytes) // 2])
    elif kind == "text":
        path.write_text("this is no picture\n")
    elif kind == "huge":
        Image.new("1", (20_000, 20_000)).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no file"),
        ("zero bytes", "empty"),
        ("truncated", "truncated"),
        ("text", "not"),
        ("huge", "400000000 pixels"),
    ],
)
@pytest.mark.parametrize("role", ["image", "template"])
def test_an_image_that_cannot_be_read(agent, examples, tmp_path, kind, says, role):
    good = examples / "bare_pcb" / "good.jpg"
    bad = _write(tmp_path / "bad.png", kind, good)
    pictures = {"image": good, "template": good, role: bad}
    ran = agent(
        "inspect", "--image", pictures["image"], "--template", pictures["template"], "--out", tmp_path / "out"
    )
    assert ran.status == 2
    assert ran.out == ""
    assert len(ran.err.strip().splitlines()) == 1
    assert says in ran.err
    assert "bad.png" in ran.err
    assert not (tmp_path / "out").exists()


def test_an_empty_folder(agent, tmp_path):
    ran = agent("inspect", "--image", tmp_path)
    assert (ran.status, len(ran.err.strip().splitlines())) == (2, 1)
    assert "no images" in ran.err


def test_a_picture_of_one_pixel_must_be_looked_at(agent, examples, tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    ran = agent(
        "inspect",
        "--image",
        tmp_path / "dot.png",
        "--template",
        examples / "bare_pcb" / "good.jpg",
        "--format",
        "json",
        "--exit-code",
    )
    report = json.loads(ran.out)
    assert ran.status == 11
    assert report["verdict"] == "review"
    assert "too small" in report["summary"]


def test_a_blank_picture_must_be_looked_at(agent, examples, tmp_path):
    Image.new("RGB", (640, 640), (200, 200, 200)).save(tmp_path / "blank.png")
    ran = agent(
        "inspect",
        "--image",
        tmp_path / "blank.png",
        "--template",
        examples / "bare_pcb" / "good.jpg",
        "--format",
        "json",
    )
    assert json.loads(ran.out)["verdict"] == "review"


def _as_mode(picture: Image.Image, mode: str, path: Path) -> Path:
    if mode == "I;16":
        grey = np.asarray(picture.convert("L"), dtype=np.uint16) * 257
        Image.fromarray(grey).save(path.with_suffix(".png"))
        return path.with_suffix(".png")
    if mode == "many frames":
        other = Image.new("RGB", picture.size)
        picture.save(path.with_suffix(".tif"), save_all=True, append_images=[other])
        return path.with_suffix(".tif")
    if mode == "EXIF":
        exif = Image.Exif()
        exif[0x0112] = 6  # shown turned by 90 degrees, so stored turned back
        picture.rotate(90, expand=True).save(path.with_suffix(".jpg"), quality=95, exif=exif)
        return path.with_suffix(".jpg")
    suffix = ".jpg" if mode == "CMYK" else ".png"
    picture.convert(mode).save(path.with_suffix(suffix))
    return path.with_suffix(suffix)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "EXIF", "many frames"])
def test_every_mode_of_a_good_part_is_still_a_good_part(agent, examples, tmp_path, mode):
    with Image.open(examples / "machined_flange" / "good.jpg") as picture:
        query = _as_mode(picture.convert("RGB"), mode, tmp_path / "query")
    template = examples / "machined_flange" / "good.jpg"
    if mode in {"L", "I;16"}:  # a grey camera's good part is grey, too
        with Image.open(template) as picture:
            picture.convert("L").save(tmp_path / "grey.png")
        template = tmp_path / "grey.png"
    ran = agent("inspect", "--image", query, "--template", template, "--format", "json")
    report = json.loads(ran.out)
    assert ran.status == 0
    assert report["verdict"] == "normal", report["summary"]
    assert (report["image"]["width_px"], report["image"]["height_px"]) == (640, 640)
    if mode in {"many frames", "I;16"}:
        assert report["image"]["notes"]


def test_a_template_of_another_size_is_scaled(agent, examples, tmp_path):
    with Image.open(examples / "bare_pcb" / "good.jpg") as picture:
        picture.resize((800, 800), Image.Resampling.LANCZOS).save(tmp_path / "large.png")
    ran = agent(
        "inspect",
        "--image",
        examples / "bare_pcb" / "open_track.jpg",
        "--template",
        tmp_path / "large.png",
        "--format",
        "json",
    )
    assert json.loads(ran.out)["verdict"] == "anomalous"


def test_a_template_of_another_aspect_is_not_compared_place_by_place(agent, examples, tmp_path):
    with Image.open(examples / "bare_pcb" / "good.jpg") as picture:
        picture.crop((0, 0, 640, 300)).save(tmp_path / "wide.png")
    ran = agent(
        "inspect",
        "--image",
        examples / "bare_pcb" / "good.jpg",
        "--template",
        tmp_path / "wide.png",
        "--format",
        "json",
    )
    report = json.loads(ran.out)
    assert ran.status == 0
    assert [reading["expert"] for reading in report["readings"]] == ["patchcore"]
    assert "pair passed" in report["summary"]


def test_a_template_of_another_product_does_not_fail_a_good_part(agent, examples):
    ran = agent(
        "inspect",
        "--image",
        examples / "bare_pcb" / "good.jpg",
        "--template",
        examples / "machined_flange" / "good.jpg",
        "--format",
        "json",
    )
    assert json.loads(ran.out)["verdict"] == "review"


def test_a_template_identical_to_the_query_is_said_to_be(agent, examples):
    good = examples / "bare_pcb" / "good.jpg"
    report = json.loads(agent("inspect", "--image", good, "--template", good, "--format", "json").out)
    assert report["verdict"] == "normal"
    assert "same picture" in report["summary"]


def test_without_any_template_nothing_is_claimed(agent, examples):
    report = json.loads(
        agent("inspect", "--image", examples / "bare_pcb" / "short.jpg", "--format", "json").out
    )
    assert report["verdict"] == "review"
    assert report["readings"] == []
    assert "template" in report["summary"]


def test_an_output_folder_that_cannot_be_written(agent, examples, tmp_path):
    (tmp_path / "out").write_text("a file where a folder should be")
    good = examples / "bare_pcb" / "good.jpg"
    ran = agent("inspect", "--image", good, "--template", good, "--out", tmp_path / "out")
    assert (ran.status, ran.out) == (2, "")
    assert len(ran.err.strip().splitlines()) == 1
    assert (tmp_path / "out").read_text() == "a file where a folder should be"


def test_a_data_folder_that_cannot_be_written(agent, examples, tmp_path):
    (tmp_path / "data").write_text("a file")
    good = examples / "bare_pcb" / "good.jpg"
    ran = agent("inspect", "--image", good, "--template", good, "--data-dir", tmp_path / "data")
    assert ran.status == 2
    assert "AGENT_DATA_DIR" in ran.err


def test_an_unreadable_knowledge_store_is_a_fault_of_the_report(agent, examples, data_dir, tmp_path):
    (tmp_path / "models").symlink_to(data_dir / "models")
    (tmp_path / "knowledge").write_text("a file where the store should be")
    ran = agent(
        "inspect",
        "--image",
        examples / "bare_pcb" / "short.jpg",
        "--product",
        "bare_pcb",
        "--template",
        examples / "bare_pcb" / "good.jpg",
        "--format",
        "json",
        "--data-dir",
        tmp_path,
    )
    report = json.loads(ran.out)
    assert ran.status == 0
    assert report["verdict"] == "anomalous"
    assert {fault["step"] for fault in report["faults"]} >= {"recall_knowledge"}
    assert report["recommendations"] == []


def test_an_unknown_expert_names_those_there_are(agent, examples):
    ran = agent("inspect", "--image", examples / "bare_pcb" / "good.jpg", "--expert", "crystal-ball")
    assert ran.status == 2
    assert "patchcore" in ran.err


def test_a_batch_goes_on_past_a_bad_image(agent, examples, tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    (tmp_path / "b.jpg").write_bytes((examples / "bare_pcb" / "short.jpg").read_bytes())
    ran = agent("inspect", "--image", tmp_path, "--template", examples / "bare_pcb" / "good.jpg")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.status == 0
    assert [row["verdict"] for row in rows] == [None, "anomalous"]
    assert rows[0]["faults"][0]["kind"] == "image_unreadable"


def test_a_batch_in_which_nothing_can_be_inspected(agent, examples, tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    ran = agent("inspect", "--image", tmp_path, "--template", examples / "bare_pcb" / "good.jpg")
    assert ran.status == 2
    assert json.loads(ran.out)["verdict"] is None


def test_hostile_text_stays_data(agent, examples):
    ran = agent(
        "inspect",
        "--image",
        examples / "bare_pcb" / "short.jpg",
        "--template",
        examples / "bare_pcb" / "good.jpg",
        "--format",
        "html",
        "--product",
        "<script>alert(1)</script>\x1b[31m",
    )
    assert ran.status == 0
    assert "<script>alert" not in ran.out
    assert "\x1b" not in ran.out
