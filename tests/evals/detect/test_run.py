"""A run loses nothing, asks nothing twice, and notices what changed."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evals.detect.choosing import choose
from evals.detect.figures import summarise
from evals.detect.folder import DetectFolder, DetectSpec
from evals.detect.layouts import read_detection_set
from evals.detect.run import measure_trials
from evals.detect.tables import figures_table
from evals.errors import DatasetInvalid, RunDamaged, RunMismatch
from tools.atomic import write_atomically
from tools.errors import ExpertUnavailable, ImageUnreadable

SPEC = DetectSpec(
    layout="mvtec",
    expert="level",
    expert_version="1",
    shots="all",
    seed=0,
    nearest=None,
    chosen_by=None,
    side_px=16,
)


@pytest.fixture
def nuts(build, tmp_path):
    """Two categories in MVTec AD's layout: one is told apart by its levels, one is not."""
    build["mvtec"](tmp_path / "data" / "bolt", good=(10, 90), crack=(50, 130))
    build["mvtec"](tmp_path / "data" / "nut")
    return tmp_path / "data"


def measured(data, run, expert, spec=SPEC, ticks=None, jobs=2):
    found = read_detection_set(data)
    trials = [choose(category, "all", 0) for category in found.categories]
    with DetectFolder.opened(run, spec) as folder:
        unmeasured = measure_trials(
            folder,
            trials,
            expert.fit,
            expert.read,
            root=found.root,
            jobs=jobs,
            tick=lambda: ticks.append(1) if ticks is not None else None,
        )
        summary = summarise(folder, trials, unmeasured)
        folder.finish(summary)
    return summary


def test_a_whole_run(nuts, expert, tmp_path):
    ticks = []
    summary = measured(nuts, tmp_path / "run", expert, ticks=ticks)
    bolt, nut = summary.categories
    assert (bolt.image_auroc, nut.image_auroc) == (0.75, 1)
    assert (nut.image_ap, nut.image_f1_max, nut.pixel_auroc) == (1, 1, 1)
    assert nut.aupro == pytest.approx(1)
    assert bolt.pixel_auroc < 1
    assert (nut.learnt, nut.good, nut.damaged, nut.marked, nut.unmeasured) == (3, 2, 2, 2, 0)
    assert summary.mean.image_auroc == 0.875
    assert nut.seconds_p50 == 0.25
    assert len(ticks) == 8
    assert [category for category, _ in expert.fitted] == ["bolt", "nut"]
    kept = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert kept["categories"][1]["image_auroc_95"] == [1.0, 1.0]
    headings, rows = figures_table(summary)
    assert [row[0] for row in rows] == ["bolt", "nut", "mean"]
    assert rows[1] == (
        "nut", "3", "2", "2", "100.0 [100.0, 100.0]", "100.0", "100.0", "100.0", "100.0", "0",
    )  # fmt: skip
    assert all(len(row) == len(headings) for row in rows)
    assert rows[2][4].startswith("87.5 [")


def test_a_finished_run_measures_and_learns_nothing_again(nuts, expert, tmp_path):
    first = measured(nuts, tmp_path / "run", expert)
    asked, fits, ticks = len(expert.measured), len(expert.fitted), []
    assert measured(nuts, tmp_path / "run", expert, ticks=ticks) == first
    assert (len(expert.measured), len(expert.fitted), len(ticks)) == (asked, fits, 8)


def test_an_image_that_cannot_be_measured_is_told_and_tried_again(nuts, expert, tmp_path):
    expert.broken = {"001.png"}
    summary = measured(nuts, tmp_path / "run", expert)
    assert sorted(one.name for one in summary.unmeasured) == [
        f"{category}/test/{kind}/001.png" for category in ("bolt", "nut") for kind in ("crack", "good")
    ]
    assert {one.why for one in summary.unmeasured} == {"001.png is torn"}
    assert summary.categories[0].unmeasured == 2
    assert figures_table(summary)[1][0][-1] == "2"
    expert.broken, before = set(), len(expert.measured)
    whole = measured(nuts, tmp_path / "run", expert)
    assert not whole.unmeasured
    assert len(expert.measured) == before + 4


def test_a_category_that_cannot_be_learnt_is_told_for_each_image(nuts, expert, tmp_path):
    def fit(category, normals):
        if category == "bolt":
            raise ImageUnreadable("000.png is torn")
        return expert.measure

    expert.fit = fit
    ticks = []
    summary = measured(nuts, tmp_path / "run", expert, ticks=ticks)
    assert len(summary.unmeasured) == 4
    assert {one.why for one in summary.unmeasured} == {"category bolt cannot be learnt: 000.png is torn"}
    assert len(ticks) == 8
    bolt, nut = summary.categories
    assert bolt.image_auroc is None
    assert nut.image_auroc == summary.mean.image_auroc == 1
    assert figures_table(summary)[1][0][4:] == ("-", "-", "-", "-", "-", "4")
    assert figures_table(summary)[1][2][5] == "100.0 (1 of 2)"


def test_an_expert_that_is_not_there_ends_the_run(nuts, expert, tmp_path):
    def unavailable(path):
        raise ExpertUnavailable("no weights")

    expert.fit = lambda category, normals: unavailable
    with pytest.raises(ExpertUnavailable):
        measured(nuts, tmp_path / "run", expert)


def test_damage_without_a_mask_counts_for_images_alone(nuts, expert, build, tmp_path):
    (nuts / "nut" / "ground_truth" / "crack" / "000_mask.png").unlink()
    build["mask"](nuts / "nut" / "ground_truth" / "crack" / "001_mask.png", value=0)
    (nuts / "bolt" / "ground_truth" / "crack" / "000_mask.png").unlink()
    summary = measured(nuts, tmp_path / "run", expert)
    bolt, nut = summary.categories
    assert (nut.damaged, nut.marked, nut.image_auroc) == (2, 0, 1)
    assert nut.pixel_auroc is nut.aupro is None
    assert bolt.marked == 1
    rows = figures_table(summary)[1]
    assert rows[0][3] == "2 (1 marked)"
    assert rows[1][7:9] == ("-", "-")
    assert rows[2][8].endswith("(1 of 2)")


def test_a_mask_of_another_shape_is_a_fault_of_its_image(nuts, expert, tmp_path):
    import cv2
    import numpy as np

    cv2.imwrite(
        str(nuts / "nut" / "ground_truth" / "crack" / "000_mask.png"), np.full((32, 64), 255, np.uint8)
    )
    (fault,) = measured(nuts, tmp_path / "run", expert).unmeasured
    assert fault.name == "nut/test/crack/000.png"
    assert "mask of 64x32 px has not the shape" in fault.why


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"expert": "other"}, "begun with expert level, not other"),
        ({"shots": 4}, "begun with shots all, not 4"),
        ({"seed": 1}, "begun with seed 0, not 1"),
        ({"expert_version": "2"}, "begun with expert_version 1, not 2"),
        ({"side_px": 32}, "begun with side_px 16, not 32"),
    ],
)
def test_another_run_is_refused_and_the_difference_named(nuts, expert, tmp_path, change, complaint):
    measured(nuts, tmp_path / "run", expert)
    with pytest.raises(RunMismatch, match=complaint):
        measured(nuts, tmp_path / "run", expert, SPEC.model_copy(update=change))


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ("test/good/000.png", "image nut/test/good/000.png changed"),
        ("ground_truth/crack/001_mask.png", "the mask of nut/test/crack/001.png changed"),
        ("train/good/001.png", "the good images of nut changed"),
    ],
)
def test_changed_data_is_noticed(nuts, expert, tmp_path, changed, complaint):
    measured(nuts, tmp_path / "run", expert)
    with (nuts / "nut" / changed).open("ab") as file:
        file.write(b"more")
    with pytest.raises(RunMismatch, match=complaint):
        measured(nuts, tmp_path / "run", expert)


def test_a_folder_that_holds_something_else(nuts, expert, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.docx").write_text("precious")
    with pytest.raises(RunMismatch, match="holds something else"):
        measured(nuts, tmp_path / "run", expert)


def test_a_line_cut_short_is_measured_again(nuts, expert, tmp_path):
    first = measured(nuts, tmp_path / "run", expert)
    lines = tmp_path / "run" / "readings.jsonl"
    whole = lines.read_bytes()
    lines.write_bytes(whole[:-20])
    before = len(expert.measured)
    assert measured(nuts, tmp_path / "run", expert) == first
    assert len(expert.measured) == before + 1
    assert len(lines.read_bytes().splitlines()) == 8


def test_a_map_that_is_gone_is_measured_again(nuts, expert, tmp_path):
    first = measured(nuts, tmp_path / "run", expert)
    next((tmp_path / "run" / "maps").iterdir()).unlink()
    before = len(expert.measured)
    assert measured(nuts, tmp_path / "run", expert) == first
    assert len(expert.measured) == before + 1


@pytest.mark.parametrize("line", [b"{}", b"not json", b'{"name": 3}', b"\xff\xfe", b""])
def test_a_damaged_record_is_told(nuts, expert, tmp_path, line):
    measured(nuts, tmp_path / "run", expert)
    lines = tmp_path / "run" / "readings.jsonl"
    lines.write_bytes(line + b"\n" + lines.read_bytes())
    with pytest.raises(RunDamaged, match=r"readings\.jsonl is damaged"):
        measured(nuts, tmp_path / "run", expert)


def test_two_writers_are_kept_apart(tmp_path):
    with (
        DetectFolder.opened(tmp_path / "run", SPEC),
        pytest.raises(RunDamaged, match="another process"),
        DetectFolder.opened(tmp_path / "run", SPEC),
    ):
        pass


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunDamaged, match="cannot be written"),
        DetectFolder.opened(tmp_path / "file" / "run", SPEC),
    ):
        pass


def test_a_full_disk_loses_nothing_that_is_on_record(nuts, expert, tmp_path, monkeypatch):
    undisturbed = measured(nuts, tmp_path / "undisturbed", expert)
    room = [5]

    def fill(path, content):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_atomically(path, content)

    with monkeypatch.context() as full:
        full.setattr("evals.detect.folder.write_atomically", fill)
        with pytest.raises(RunDamaged, match=r"cannot be written .No space left.* make room"):
            measured(nuts, tmp_path / "run", expert, jobs=1)
    on_record = len((tmp_path / "run" / "readings.jsonl").read_text().splitlines())
    assert on_record == 4  # of five files, one was the run's own
    before = len(expert.measured)
    assert measured(nuts, tmp_path / "run", expert) == undisturbed
    assert len(expert.measured) == before + 4


def test_a_line_that_the_disk_cuts_short_is_taken_back(nuts, expert, tmp_path):
    measured(nuts, tmp_path / "run", expert)
    lines = tmp_path / "run" / "readings.jsonl"
    whole = lines.read_bytes()
    with DetectFolder.opened(tmp_path / "run", SPEC) as folder:
        reading = next(iter(folder.readings.values()))
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 30, limits[1]))
            with pytest.raises(RunDamaged, match="cannot be written"):
                folder.add(reading)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
    assert lines.read_bytes() == whole


def test_an_image_that_vanishes_while_it_runs(nuts, expert, tmp_path):
    found = read_detection_set(nuts)
    trials = [choose(category, "all", 0) for category in found.categories]
    (nuts / "nut" / "test" / "good" / "000.png").unlink()
    with (
        DetectFolder.opened(tmp_path / "run", SPEC) as folder,
        pytest.raises(DatasetInvalid, match=r"000\.png cannot be read"),
    ):
        measure_trials(folder, trials, expert.fit, expert.read, root=found.root)


def test_a_run_killed_over_and_over_ends_as_an_undisturbed_one(nuts, expert, tmp_path):
    undisturbed = measured(nuts, tmp_path / "undisturbed", expert)
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import conftest, test_run
from pathlib import Path
expert = conftest.LevelExpert()
measure, left = expert.measure, [4]
def dying(path):
    measurement = measure(path)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return measurement
expert.fit = lambda category, normals: dying
test_run.measured(Path({str(nuts)!r}), Path({str(tmp_path / "run")!r}), expert, jobs=1)
"""
    died = 0
    for _ in range(20):
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            break
        assert ran.returncode == -signal.SIGKILL, ran.stderr
        died += 1
    assert died >= 2
    names = [
        json.loads(line)["name"] for line in (tmp_path / "run" / "readings.jsonl").read_text().splitlines()
    ]
    assert len(names) == len(set(names)) == 8
    assert measured(nuts, tmp_path / "run", expert) == undisturbed
