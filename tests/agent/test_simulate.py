"""`agent simulate`: from a folder of good pictures to one of good and damaged ones that everything else reads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from agent.cli.simulate import KINDS as OFFERED
from tests.tools.simulation.parts import blank, plate
from tools.image import ImageStore
from tools.simulation.part import GoodPart
from tools.simulation.simulate import MIXTURE, simulate
from tools.simulation.types import KINDS


def write(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


@pytest.fixture
def goods(tmp_path):
    home = tmp_path / "plates"
    for number in range(4):
        write(home / f"{number}.png", plate(number))
    return home


def rows(out):
    """The manifest by number."""
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    return {line["number"]: line for line in lines}


def contents(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for folder in ("bad", "masks")
        for path in (out / folder).rglob("*.png")
    }


def test_kinds_that_are_offered_are_those_that_there_are():
    assert (*KINDS, "mix") == OFFERED


def test_a_folder_of_good_pictures_becomes_a_data_set(agent, goods, tmp_path):
    out = tmp_path / "out"
    ran = agent("simulate", goods, "--out", out, "--count", 30, "--seed", 3)
    assert ran.status == 0, ran.err
    assert ran.out.splitlines()[0] == f"30 defects in {out}"
    assert sum(int(line.split()[0]) for line in ran.out.splitlines()[1:]) == 30
    assert sorted(path.name for path in (out / "good").iterdir()) == ["0.png", "1.png", "2.png", "3.png"]
    assert (out / "good" / "2.png").read_bytes() == (goods / "2.png").read_bytes()
    told = rows(out)
    assert sorted(told) == list(range(30))
    for row in told.values():
        picture, mask = (
            cv2.imread(str(out / row["image"])),
            cv2.imread(str(out / row["mask"]), cv2.IMREAD_UNCHANGED),
        )
        good = cv2.imread(str(out / "good" / row["source"]["name"]))
        assert picture.shape == good.shape
        assert mask.shape == good.shape[:2]
        assert set(np.unique(mask)) == {0, 255}
        assert (mask > 0).mean() == pytest.approx(row["area_fraction"], abs=1e-6)
        assert (picture != good).any(axis=2)[mask > 0].mean() > 0.95
        x0, y0, x1, y1 = row["boxes_xyxy"][0]
        assert (mask[y0:y1, x0:x1] > 0).any()
        assert row["source"] != row["other"]
    preview = cv2.imread(str(out / "preview.jpg"))
    assert preview is not None
    assert preview.std() > 10


def test_a_row_is_enough_to_draw_its_defect_again(agent, goods, tmp_path):
    out = tmp_path / "out"
    agent("simulate", goods, "--out", out, "--count", 6)
    images = ImageStore()

    def part(source):
        ref = images.open(out / "good" / source["name"])
        assert ref.sha256 == source["sha256"]
        return GoodPart(images.pixels(ref))

    for row in rows(out).values():
        again = simulate(part(row["source"]), [part(row["other"])], MIXTURE, row["seed"])
        assert np.array_equal(again.pixels, images.pixels(images.open(out / row["image"])))


def test_jobs_change_nothing_and_more_may_be_added(agent, goods, tmp_path):
    one, many = tmp_path / "one", tmp_path / "many"
    agent("simulate", goods, "--out", one, "--count", 12, "--jobs", 1)
    agent("simulate", goods, "--out", many, "--count", 5, "--jobs", 4)
    first = {
        name: (many / name).stat().st_mtime_ns for name in contents(many) if not name.endswith("_mask.png")
    }
    ran = agent("simulate", goods, "--out", many, "--count", 12, "--jobs", 3)
    assert ran.status == 0, ran.err
    assert contents(one) == contents(many)
    assert {name: (many / name).stat().st_mtime_ns for name in first} == first


def test_another_setting_is_refused_by_its_name(agent, goods, tmp_path):
    out = tmp_path / "out"
    agent("simulate", goods, "--out", out, "--count", 2, "--kind", "nsa")
    again = ("simulate", goods, "--out", out, "--count", 2, "--kind", "nsa")
    assert agent(*again, "--seed", 1).complaint == (
        f"agent: {out} was begun with seed 0, not 1: give that, or choose another --out"
    )
    assert "was begun with blend normal, not mixed" in agent(*again, "--blend", "mixed").complaint
    assert "was begun with kinds" in agent("simulate", goods, "--out", out).complaint
    write(goods / "new.png", plate(9))
    assert "was begun with goods" in agent(*again).complaint


def test_killed_in_the_middle_it_goes_on_to_the_same_end(agent, goods, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    agent("simulate", goods, "--out", whole, "--count", 150)
    code = f"from agent.cli.main import main; main(['simulate', {str(goods)!r}, '--out', {str(broken)!r}, '--count', '150', '--jobs', '2'])"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    manifest = broken / "manifest.jsonl"
    deadline = time.monotonic() + 60
    while (
        not (manifest.is_file() and manifest.read_bytes().count(b"\n") >= 5) and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    made = manifest.read_bytes().count(b"\n")
    assert 5 <= made < 150
    with manifest.open("ab") as file:
        file.write(b'{"number": 149, "se')  # as a line that was under way
    ran = agent("simulate", goods, "--out", broken, "--count", 150)
    assert ran.status == 0, ran.err
    assert contents(whole) == contents(broken)
    assert rows(whole) == rows(broken)


def test_ctrl_c_keeps_what_is_whole_and_says_how_to_go_on(goods, tmp_path):
    out = tmp_path / "out"
    code = f"from agent.cli.main import main; main(['simulate', {str(goods)!r}, '--out', {str(out)!r}, '--count', '5000'])"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (out / "manifest.jsonl").is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "the same command goes on from there" in err
    told = rows(out)
    assert told
    assert all((out / row["image"]).is_file() and (out / row["mask"]).is_file() for row in told.values())


def test_what_was_deleted_is_made_again(agent, goods, tmp_path):
    out = tmp_path / "out"
    agent("simulate", goods, "--out", out, "--count", 4)
    before = contents(out)
    (out / rows(out)[2]["mask"]).unlink()
    agent("simulate", goods, "--out", out, "--count", 4)
    assert contents(out) == before


def test_eval_detect_reads_what_is_written(agent, goods, tmp_path):
    out = tmp_path / "out"
    agent("simulate", goods, "--out", out, "--count", 4)
    ran = agent(
        "eval",
        "detect",
        "--data",
        out,
        "--run",
        tmp_path / "run",
        "--expert",
        "patchcore",
        "--shots",
        2,
        "--json",
    )
    assert ran.status == 0, ran.err
    (figures,) = json.loads(ran.out)["categories"]
    assert (figures["learnt"], figures["good"], figures["damaged"], figures["marked"]) == (2, 2, 4, 4)
    assert figures["pixel_auroc"] > 0.8


def test_trainers_read_what_is_written(agent, goods, tmp_path):
    from tools.marked.layouts import check_examples, find_examples

    agent("simulate", goods, "--out", tmp_path / "out", "--count", 5)
    found = find_examples(tmp_path / "out")
    facts = check_examples(found, ImageStore())
    assert (facts.pictures, facts.damaged) == (9, 5)
    told = {row["image"]: (row["mask"], row["variety"]) for row in rows(tmp_path / "out").values()}
    assert told == {
        one.picture.relative_to(tmp_path / "out").as_posix(): (
            one.mask.relative_to(tmp_path / "out").as_posix(),
            one.kind,
        )
        for one in found.examples
        if one.mask is not None
    }
    assert found.kinds == tuple(sorted({variety for _, variety in told.values()}))


@pytest.mark.parametrize(
    "layout", ["{}/train/good", "{}/good", "{}/Data/Images/Normal", "product/{}/train/good"]
)
def test_good_pictures_are_found_in_known_layouts(agent, tmp_path, layout):
    home = tmp_path / "data"
    place = home / layout.format("x")
    for number in range(2):
        write(place / f"{number}.png", plate(number))
    ran = agent(
        "simulate",
        home / "x" if layout.startswith("{}") and "Data" not in layout else home,
        "--out",
        tmp_path / "out",
    )
    if layout.startswith("product"):
        assert "holds no good pictures" in ran.complaint
        return
    assert ran.status == 0, ran.err
    assert len(rows(tmp_path / "out")) == 2


def test_several_products_are_not_mixed(agent, tmp_path):
    for product in ("bolt", "nut"):
        for kind in ("train/good", "test/good"):
            write(tmp_path / "data" / product / kind / "0.png", plate(0))
    ran = agent("simulate", tmp_path / "data", "--out", tmp_path / "out")
    assert ran.status == 2
    assert "holds several products (bolt, nut); give the folder of one" in ran.complaint
    assert agent("simulate", tmp_path / "data" / "nut", "--out", tmp_path / "out").status == 0


def test_pictures_of_every_mode_and_size_do(agent, tmp_path):
    home = tmp_path / "data"
    home.mkdir()
    grey = plate(0)[..., 1]
    Image.fromarray(grey).save(home / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(home / "deep.png")
    Image.fromarray(np.dstack((plate(1), np.full(grey.shape, 128, np.uint8)))).save(home / "clear.png")
    write(home / "other.png", plate(2, width=500, height=301))
    Image.fromarray(plate(3)).save(home / "scan.tif")
    ran = agent("simulate", home, "--out", tmp_path / "out", "--per-image", 4)
    assert ran.status == 0, ran.err
    told = rows(tmp_path / "out")
    assert len(told) == 20
    notes = {row["source"]["name"]: row.get("notes", []) for row in told.values()}
    assert "16-bit grey read as 16-bit" in notes["deep.png"][0]
    assert "laid over white" in notes["clear.png"][0]
    for row in told.values():
        if row["source"]["name"] == "grey.png":
            assert np.ptp(cv2.imread(str(tmp_path / "out" / row["image"])), axis=2).max() == 0


def test_a_single_picture_is_enough_and_this_is_said(agent, tmp_path):
    write(tmp_path / "data" / "only.png", plate(0))
    ran = agent("simulate", tmp_path / "data", "--out", tmp_path / "out", "--kind", "nsa", "--count", 3)
    assert ran.status == 0, ran.err
    assert "note on 3 of them: no other good picture: patches are of this one" in ran.err
    assert all(row["other"] is None for row in rows(tmp_path / "out").values())


def test_what_cannot_be_used_is_left_out_and_told(agent, goods, tmp_path):
    (goods / "a_cut.png").write_bytes((goods / "0.png").read_bytes()[:500])
    (goods / "b_empty.jpg").touch()
    write(goods / "c_tiny.png", plate(0)[:20, :20])
    Image.new("1", (20_000, 20_000)).save(goods / "d_huge.png")
    (goods / "e_text.png").write_text("this is no picture")
    (goods / "notes.txt").write_text("neither is this, and it does not say so")
    ran = agent("simulate", goods, "--out", tmp_path / "out", "--count", 3)
    assert ran.status == 0
    assert ran.err.count("agent: warning: left out") == 5
    assert "d_huge.png" in ran.err
    assert "400000000 pixels" in ran.err
    assert "c_tiny.png: a picture of 20x20 px is too small" in ran.err
    assert len(list((tmp_path / "out" / "good").iterdir())) == 4


def test_nothing_to_be_seen_is_told_and_not_written(agent, tmp_path):
    for number in range(2):
        write(tmp_path / "data" / f"{number}.png", blank())
    ran = agent("simulate", tmp_path / "data", "--out", tmp_path / "out", "--kind", "nsa")
    assert ran.status == 2
    assert "nothing was written: of 20 tries at nsa none gave a defect that can be seen" in ran.complaint
    assert not list((tmp_path / "out" / "bad").iterdir())
    assert all("why_not" in row for row in rows(tmp_path / "out").values())


def test_textures_of_ones_own(agent, goods, tmp_path):
    write(tmp_path / "textures" / "wood" / "a.png", plate(7)[::-1])
    ran = agent(
        "simulate", goods, "--out", tmp_path / "out", "--kind", "perlin", "--textures", tmp_path / "textures"
    )
    assert ran.status == 0, ran.err
    assert {row["facts"]["texture"] for row in rows(tmp_path / "out").values()} == {"given"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("{data}/none", "--out", "{out}"), "there is no folder"),
        (("{empty}", "--out", "{out}"), "holds no good pictures"),
        (("{data}", "--out", "{data}/more"), "lies in"),
        (("{data}", "--out", "{data}"), "lies in"),
        (("{data}", "--out", "{empty}/.."), "holds something else"),
        (("{data}", "--out", "{data}/0.png"), "is a file"),
        (("{data}", "--out", "/proc/simulated"), "cannot be written"),
        (("{data}", "--out", "{out}", "--textures", "{empty}"), "holds no pictures of textures"),
        (("{data}", "--out", "{out}", "--count", "3", "--per-image", "2"), "give one of them"),
        (("{data}", "--out", "{out}", "--count", "0"), "--count"),
        (("{data}", "--out", "{out}", "--seed", "-1"), "--seed"),
        (("{data}", "--out", "{out}", "--kind", "rust"), "--kind"),
    ],
)
def test_bad_input_is_one_line(agent, goods, tmp_path, arguments, complaint):
    (tmp_path / "empty").mkdir()
    names = {"data": goods, "empty": tmp_path / "empty", "out": tmp_path / "out"}
    ran = agent("simulate", *(argument.format(**names) for argument in arguments))
    assert ran.status == 2
    assert complaint in ran.complaint
    assert not (goods / "more").exists()


def test_a_damaged_record_is_told(agent, goods, tmp_path):
    out = tmp_path / "out"
    agent("simulate", goods, "--out", out, "--count", 2)
    manifest = (out / "manifest.jsonl").read_text()
    (out / "manifest.jsonl").write_text("{}\n" + manifest)
    assert "line 1 of" in agent("simulate", goods, "--out", out, "--count", 2).complaint
    (out / "card.json").write_text("{")
    assert (
        "card.json cannot be read; choose another --out" in agent("simulate", goods, "--out", out).complaint
    )


def test_no_torch_is_needed():
    code = "import sys, agent.simulation.run; assert not {'torch', 'anomalib', 'transformers', 'langgraph'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom agent.cli import main\ntry: main(['simulate', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'cv2', 'numpy', 'torch', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
