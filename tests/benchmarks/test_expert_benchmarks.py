"""The benchmarks of experts run on a few pictures, and print what they measured; never how fast."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks import contest, expert_tables, record, retakes, sheets, textiles
from benchmarks.children import ROOT, Children
from benchmarks.conditions import STRESSES, Picture, taken
from benchmarks.expert_pictures import drawn_series
from benchmarks.neighbours import PlainNeighbours
from benchmarks.pictures import read
from benchmarks.stress_tables import Row, by_kind, by_stress
from examples.products import bare_pcb
from tools.errors import ViewMismatch
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.pair import PairExpert
from tools.types import Box, Calibration, ExpertReading, Measurement, Pixels, Region


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "INSPECTION_DATA"}
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_stress_set_prints_its_tables_and_saves_pictures(tmp_path: Path) -> None:
    small = ("--products", "machined_flange", "--stress", "none", "motion", "--count", "1", "--normals", "2")
    ended = run("stress.py", *small, "--save", tmp_path)
    assert ended.returncode == 0, ended.stderr
    for words in ("By stress", "By type of flaw", "Good pictures taken again", "= machined_flange", "motion"):
        assert words in ended.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        f"machined_flange_{stress}_{kind}.png"
        for stress in ("none", "motion")
        for kind in ("pictures", "flaws")
    }


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("stress.py", ("--count", "0"), "at least 1"),
        ("stress.py", ("--stress", "fog"), "invalid choice"),
        ("textiles.py", ("--seeds", "0"), "at least 1"),
        ("experts.py", ("--queries", "0"), "at least 1"),
        ("record.py", ("nothing",), "no benchmark named nothing"),
    ],
)
def test_bad_arguments_are_one_line(script: str, arguments: Sequence[str], said: str) -> None:
    ended = run(script, *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]


def reading(score: float, boxes: Sequence[Box] = ()) -> Measurement:
    calibration = Calibration(
        method="by hand", normals=1, centre=0, spread=1, uncertain_from=1, anomalous_from=2,
        reliability="low", reliability_reason="by hand",
    )  # fmt: skip
    regions = tuple(
        Region(
            box=box, contour=((box.x0, box.y0),), cell="center", area_px=1, area_fraction=0.1, peak=score,
            peak_xy=(box.x0, box.y0), elongation=1,
        )
        for box in boxes
    )  # fmt: skip
    told = ExpertReading(
        expert="by hand", score=score, threshold=2, position=score, zone=calibration.zone(score),
        calibration=calibration, regions=regions, seconds=0,
    )  # fmt: skip
    return Measurement(told, np.zeros((1, 1), np.float32))


def test_rows_count_boxes_zones_refusals_and_scores() -> None:
    mark = Box(x0=50, y0=50, x1=56, y1=56)
    blank = np.zeros((640, 640, 3), np.uint8)
    defective = Picture(blank, (("hole", mark, np.zeros((640, 640), bool)),))
    row = Row()
    row.count(defective, reading(4, [Box(x0=43, y0=43, x1=63, y1=63)]))
    row.count(defective, None)
    row.count(Picture(blank), reading(1.5))
    row.count(Picture(blank), reading(0.5))
    # The box is 7 px larger than the mark on every side: another custom, not another place.
    assert (row.tally.share(0.3).hits, row.loose.share(0.5).hits) == (0, 1)
    assert row.loose.share(0.5).marks == 2
    assert row.defective == {"anomalous": 1, "refused": 1}
    assert row.good == {"uncertain": 1, "normal": 1}
    rows = {("none", "a"): row, ("none", "b"): Row(), ("blur", "a"): row}
    none, blur, one, other, whole = by_stress(rows).splitlines()[3:]
    assert none.split() == [
        "none", "0.000", "0.000", "0.667", "0.667", "0.000", "0.000", "nan", "1/2", "0", "1",
        "0/2", "1", "0", "1.000", "2.00", "0.75",
    ]  # fmt: skip
    assert [line.split()[0] for line in (blur, one[2:], other[2:])] == ["blur", "a", "b"]
    assert "2/4" in whole
    assert by_kind(rows).splitlines()[3].split()[:1] == ["hole"]


class Refuses:
    def read(self, _image: Pixels) -> Measurement:
        raise ViewMismatch("another view")


def test_pictures_taken_again_are_counted_by_zone() -> None:
    anatomy = bare_pcb.PRODUCT.anatomy()
    good = taken(anatomy.good, (), STRESSES["none"], np.random.default_rng(0)).pixels
    counted = retakes.Retakes()
    counted.read(PairExpert().fit([good]), good, anatomy, 2, seed=0)
    counted.read(Refuses(), good, anatomy, 1, seed=0)  # type: ignore[arg-type]
    lines = counted.text().splitlines()[3:6]
    assert [line.split("  ")[0] for line in lines] == [
        "as calibration retakes",
        "photographed again",
        "harshly again",
    ]
    for line in lines:
        cells = line.split("  ")
        assert [cell.strip() for cell in cells if cell.strip()][1] == "2"
        assert [cell.strip() for cell in cells if cell.strip()][4] == "1"


def test_sheets_show_marks_and_claims(tmp_path: Path) -> None:
    blank = np.full((640, 640, 3), 90, np.uint8)
    picture = Picture(blank, (("hole", Box(x0=50, y0=50, x1=56, y1=56), np.zeros((640, 640), bool)),))
    album = sheets.Album(tmp_path / "new", "part", blank)
    album.add("none", Picture(blank), [])
    album.add("none", picture, [Box(x0=40, y0=40, x1=70, y1=70)])
    whole, close = album.write()
    shown = read(whole)
    assert shown.shape[0] == 640
    for colour in (sheets.MARKED, sheets.CLAIMED):
        assert (shown == colour).all(axis=2).any()
        assert (read(close) == colour).all(axis=2).any()


def test_textiles_are_scored_by_every_aspect_beside_plain_neighbours(tmp_path: Path) -> None:
    pytest.importorskip("conformal_clip_data")
    backbone = EmbeddedBackbone(tmp_path)
    kept = textiles.measure(
        PairLike(),  # type: ignore[arg-type]
        backbone,
        [1, 2],
        range(2),
        tested=3,
    )
    assert set(kept) == {1, 2}
    for one in kept.values():
        assert {way for way, _ in one.aurocs} == {textiles.POSITION, textiles.PLAIN}
        assert all(len(areas) == 2 and 0 <= min(areas) <= max(areas) <= 1 for areas in one.aurocs.values())
        assert all(zones.total() == 6 for zones in one.zones.values())
        # Brightness alone: held-out good textiles score no more than others of their kind.
        assert one.zones["good"]["normal"] == 6
    assert "0." in textiles.aurocs(kept)
    assert "good: uncertain" in textiles.zones(kept)


class PairLike:
    """Scores a picture by nothing, so that the test need not wait for an expert."""

    def fit(self, _normals: Sequence[Pixels]) -> PairLike:
        return self

    def read(self, image: Pixels) -> Measurement:
        return reading(float(image.mean()) / 1000)


def test_plain_neighbours_know_what_they_have_seen(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, two = (rng.integers(0, 255, (320, 320, 3), np.uint8) for _ in range(2))
    plain = PlainNeighbours(EmbeddedBackbone(tmp_path), [one])
    assert plain.score(one) == pytest.approx(0, abs=0.1)
    assert plain.score(two) > 1


class NoPeer:
    """Stands in for anomalib, whose import alone takes longer than all these tests."""

    def __init__(self, seen_px: int) -> None:
        self.seen_px = seen_px

    def fit(self, _normals: Sequence[Pixels]) -> NoPeer:
        return self

    def score(self, image: Pixels) -> float:
        return float(image.std())


def test_contenders_meet_on_the_same_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "BarePeer", NoPeer)
    series = drawn_series(tmp_path / "pictures", ["machined_flange"], 1, 1, "none")
    told = contest.measure(str(tmp_path), series, ["pair"], shots=1, side_px=320, repeats=2)
    assert told.pop("seen_px") >= 32
    assert list(told) == [expert_tables.FLOOR, expert_tables.PEER, "pair"]
    for one in told.values():
        assert 0 < one["read_s"][1] <= one["read_s"][0]
        assert one["refused"] == 0
    assert told["pair"]["auroc"] == 1
    assert told[expert_tables.FLOOR]["auroc"] is None

    printed = expert_tables.text({
        "machine": {"cores": 2, "memory_gib": 1, "processor": "a", "system": "b", "python": "3", "versions": {},
                    "load_1_min": 0.1},
        "stress": "none", "queries": 2, "repeats": 2, "obstacles": {"winclip": "no weights"},
        "imports": [{"name": "pair", "seconds": 0.5, "peak_mib": 1}],
        "contests": [{"shots": 1, "side_px": 320, "contenders": {**told, "seen_px": 320}}],
        "memory_mib": [{"expert": "pair", "shots": 1, "peak": 123.4}], "boards": told,
    })  # fmt: skip
    for words in ("winclip cannot run here: no weights", "123", "backbone alone", "Aims", "Boards"):
        assert words in printed


def test_memory_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    series = drawn_series(tmp_path / "pictures", ["machined_flange"], 1, 1, "none")[0]
    job = {"data_dir": str(tmp_path), "expert": "pair", "templates": series["templates"]}
    children = Children(tmp_path / "data", tmp_path / "settings")
    ballast = np.ones(1_500_000_000, np.uint8)  # what the parent holds is none of the child's
    peak = children.ask("benchmarks.footprint", {**job, "query": series["good"][0]})
    assert 50 < peak < 1200
    assert ballast.all()


def test_a_block_of_the_document_is_replaced_and_no_other() -> None:
    document = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\nkept\n<!-- /two -->\n"
    changed = record.with_block(document, "one", "benchmarks/one.py", "new \\1\n", "2026-01-02")
    assert "old" not in changed
    assert "kept" in changed
    assert "`python benchmarks/one.py`, 2026-01-02:" in changed
    assert "new \\1" in changed
    assert record.with_block(changed, "one", "benchmarks/one.py", "new \\1\n", "2026-01-02") == changed
    with pytest.raises(ValueError, match="exactly one block marked three"):
        record.with_block(document, "three", "c", "d", "e")


def test_the_document_has_a_block_for_every_benchmark() -> None:
    document = record.DOCUMENT.read_text(encoding="utf-8")
    for name, command in record.COMMANDS.items():
        record.with_block(document, name, command, "printed", "today")
