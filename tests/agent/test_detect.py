"""`agent eval detect`: from a folder of good and damaged parts to figures."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest


def part(seed: int, *, holed: bool = False) -> np.ndarray:
    """A plate with three screws, re-imaged a little differently each time."""
    random = np.random.default_rng(seed)
    picture = np.full((160, 160, 3), 90, np.uint8)
    cv2.rectangle(picture, (20, 30), (140, 130), (170, 170, 160), -1)
    for x in (45, 80, 115):
        cv2.circle(picture, (x, 80), 9, (60, 50, 70), -1)
    if holed:
        cv2.circle(picture, (95, 110), 7, (10, 10, 10), -1)
    return np.clip(picture + random.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def plates(tmp_path):
    """Good and holed plates in plain folders, with masks of the holes."""
    home = tmp_path / "plates"
    for folder in ("good", "bad", "masks"):
        (home / folder).mkdir(parents=True)
    for number in range(6):
        cv2.imwrite(str(home / "good" / f"{number}.png"), part(number))
    mask = cv2.circle(np.zeros((160, 160), np.uint8), (95, 110), 7, 255, -1)
    for number in range(2):
        cv2.imwrite(str(home / "bad" / f"{number}.png"), part(100 + number, holed=True))
        cv2.imwrite(str(home / "masks" / f"{number}.png"), mask)
    return home


def test_figures_of_a_plain_folder(agent, plates, tmp_path):
    run = tmp_path / "run"
    asked = (
        "eval",
        "detect",
        "--data",
        plates,
        "--run",
        run,
        "--expert",
        "pair",
        "--seed",
        "-7",
        "--shots",
        "2",
    )
    ran = agent(*asked)
    assert ran.status == 0, ran.err
    assert "layout plain, category plates: 6 images to test, 2 of them damaged; 2 good images" in ran.err
    assert "AUROC [95 %]" in ran.out
    assert "plates" in ran.out
    again = agent(*asked, "--json", "--quiet")
    assert not again.err
    summary = json.loads(again.out)
    assert summary == json.loads((run / "summary.json").read_text())
    (figures,) = summary["categories"]
    assert (figures["learnt"], figures["good"], figures["damaged"], figures["marked"]) == (2, 4, 2, 2)
    assert figures["image_auroc"] == 1
    assert figures["pixel_auroc"] > 0.95
    assert figures["aupro"] > 0.8
    assert summary["spec"]["expert"] == "pair"
    assert agent(*asked[:-1], "3").complaint.startswith(
        f"agent: {run} was begun with shots 2, not 3: give that, or choose another --run"
    )


def test_each_image_beside_the_good_one_most_like_it(agent, plates, tmp_path):
    for number in (0, 1, 2):  # half of the good plates, and one that is damaged, lie upside down
        for kind in ("good", "bad", "masks"):
            file = plates / kind / f"{number}.png"
            if file.is_file() and (kind == "good" or number == 0):
                cv2.imwrite(str(file), cv2.imread(str(file))[::-1])
    ran = agent(
        "eval", "detect", "--data", plates, "--run", tmp_path / "run", "--expert", "pair", "--nearest", "1",
        "--json",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    summary = json.loads(ran.out)
    assert summary["categories"][0]["image_auroc"] == 1
    assert summary["spec"]["nearest"] == 1
    assert summary["spec"]["chosen_by"] == "efficientnet-lite0"


def test_images_that_cannot_be_measured_are_told_and_end_with_their_own_status(agent, plates, tmp_path):
    (plates / "bad" / "1.png").write_bytes((plates / "bad" / "1.png").read_bytes()[:200])
    ran = agent(
        "eval", "detect", "--data", plates, "--run", tmp_path / "run", "--expert", "pair", "--shots", "1"
    )
    assert ran.status == 3
    assert "1 of 7 images could not be measured, and no figure counts them" in ran.complaint
    assert "warning: bad/1.png:" in ran.err
    assert ran.out.splitlines()[-1].split()[-1] == "1"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--expert", "auto"), "no expert 'auto' to measure with; choose one of: pair, patchcore"),
        (("--expert", "ground-truth"), "no expert 'ground-truth' to measure with"),
        (("--expert", "winclip"), "expert winclip cannot run here"),
        (("--expert", "pair", "--shots", "0"), "expert pair needs good images to learn from"),
        (("--shots", "6"), "6 cannot be learnt from and leave one to test"),
        (("--shots", "-1"), "neither a number nor all"),
        (("--shots", "½"), "neither a number nor all"),
        (("--category", "nut"), "has no category 'nut'; there are: plates"),
        (("--layout", "realiad"), "is not laid out as realiad"),
        (("--limit", "0"), "--limit"),
    ],
)
def test_bad_input_is_one_line(agent, plates, tmp_path, arguments, complaint):
    ran = agent("eval", "detect", "--data", plates, "--run", tmp_path / "run", *arguments)
    assert ran.status == 2
    assert complaint in ran.complaint
    assert not (tmp_path / "run").exists()


def test_its_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom agent.cli import main\n"
        "try: main(['eval', 'detect', '--help'])\nexcept SystemExit: pass\n"
        "print(*sorted({'cv2', 'numpy', 'sklearn', 'torch', 'langgraph'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "--shots K|all" in ran.stdout
    assert not ran.stdout.splitlines()[-1]
