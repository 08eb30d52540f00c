"""Products on record: add good images once, then `--product` alone is enough."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from agent.profiles import Profiles, slug
from tools.experts.calibration import perturbations
from tools.image import ImageStore


@pytest.fixture
def good_boards(examples, tmp_path):
    """A folder of one good board taken three times, and a file that is no picture."""
    folder = tmp_path / "good"
    folder.mkdir()
    board = cv2.imread(str(examples / "bare_pcb" / "good.jpg"))
    for number, copy in enumerate([board, *perturbations(board, count=2)]):
        cv2.imwrite(str(folder / f"{number}.png"), copy)
    (folder / "broken.png").write_text("no picture")
    return folder


@pytest.fixture
def own_data(tmp_path, data_dir):
    """A data folder without products, with the converted models of the whole run."""
    folder = tmp_path / "data"
    folder.mkdir()
    for part in ("models", "knowledge"):
        if (data_dir / part).is_dir():
            shutil.copytree(data_dir / part, folder / part)
    return folder


def test_a_product_on_record_needs_no_template(agent, examples, good_boards, own_data):
    added = agent("templates", "add", good_boards, "--product", "Bare PCB", "--data-dir", own_data)
    assert added.status == 0
    assert "bare_pcb: 3 good image(s) added, 3 on record" in added.out
    assert "broken.png" in added.err
    for expert in ("pair", "patchcore"):
        assert f"  {expert:<12} reliability" in added.out
    shutil.rmtree(good_boards)  # the record has its own copies
    verdicts = {}
    for name in ("short", "good_shifted"):
        image = examples / "bare_pcb" / f"{name}.jpg"
        ran = agent(
            "inspect", "-i", image, "--product", "bare_pcb", "--format", "json", "--data-dir", own_data
        )
        report = json.loads(ran.out)
        verdicts[name] = report["verdict"]
        assert report["readings"][0]["expert"] == "pair"
        assert str(own_data / "products" / "bare_pcb") in report["template"]["path"]
        steps = {step["step"]: step["reason"] for step in report["plan"]}
        assert "3 good image(s)" in steps["recall_templates"]
    assert verdicts == {"short": "anomalous", "good_shifted": "normal"}


def test_what_is_on_record_is_not_added_twice(agent, good_boards, own_data):
    once = agent("templates", "add", good_boards / "0.png", "--product", "board", "--data-dir", own_data)
    again = agent("templates", "add", good_boards, "--product", "board", "--data-dir", own_data)
    assert "1 good image(s) added, 1 on record" in once.out
    assert "2 good image(s) added, 1 there already, 3 on record" in again.out
    listed = agent("templates", "list", "--data-dir", own_data)
    assert listed.out.split() == ["board", "3", "good", "image(s)"]
    removed = agent("templates", "remove", "--product", "board", "--data-dir", own_data)
    assert "3 good image(s) forgotten" in removed.out
    assert "no product is on record" in agent("templates", "list", "--data-dir", own_data).err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add", "nowhere.png", "--product", "x"), "no good image of 'x' could be added: there is no file"),
        (("add", "{broken}", "--product", "x"), "not a picture"),
        (("add", "{good}", "--product", "!!"), "holds no letter"),
        (("remove", "--product", "x"), "no product 'x' on record; on record: none"),
    ],
)
def test_mistakes_are_one_line(agent, good_boards, own_data, arguments, complaint):
    places = {"broken": good_boards / "broken.png", "good": good_boards / "0.png"}
    ran = agent("templates", *(str(a).format(**places) for a in arguments), "--data-dir", own_data)
    assert ran.status == 2
    assert complaint in ran.complaint
    assert "no product is on record" in agent("templates", "list", "--data-dir", own_data).err


def test_a_damaged_record_is_named(agent, examples, good_boards, own_data):
    agent("templates", "add", good_boards / "0.png", "--product", "board", "--data-dir", own_data)
    (own_data / "products" / "board" / "profile.json").write_text("{")
    image = examples / "bare_pcb" / "good.jpg"
    ran = agent("inspect", "-i", image, "--product", "board", "--data-dir", own_data)
    assert ran.status == 2
    assert "profile.json is damaged" in ran.complaint


def test_names_that_mean_one_product_share_a_record():
    assert slug("Bare PCB") == slug("bare_pcb") == slug("  bare-pcb ") == "bare_pcb"
    assert slug("../../etc") == "etc"
    assert slug("法兰") == "法兰"


def test_the_order_of_the_record_is_the_order_of_arrival(tmp_path):
    images = ImageStore(1_000_000, spool=tmp_path / "spool")
    profiles = Profiles(tmp_path / "products", images)
    files = []
    for number in range(5):
        file = tmp_path / f"{9 - number}.png"
        cv2.imwrite(str(file), np.full((8, 8, 3), 40 * number, np.uint8))
        files.append(file)
    profiles.add("part", files[:3])
    addition = profiles.add("part", files[2:])
    assert [int(images.pixels(image)[0, 0, 0]) for image in profiles.images_of("part")] == [
        0,
        40,
        80,
        120,
        160,
    ]
    assert (len(addition.known), len(addition.added), addition.repeated) == (3, 2, 1)
