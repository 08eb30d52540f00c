"""Measurements on disk: one comes back as it was, and nothing stale or damaged is ever taken for one."""

from __future__ import annotations

import errno
import hashlib
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tools.errors import ViewMismatch
from tools.experts import readings
from tools.experts.base import EVERYTHING, Scope
from tools.experts.bench import ExpertBench
from tools.experts.ground_truth import GroundTruthExpert
from tools.experts.pair import PairExpert
from tools.experts.readings import ReadingShelf, reading_key
from tools.image import ImageStore
from tools.masks import Mask
from tools.types import Measurement, UserLimits

BOARD = Path(__file__).parents[3] / "examples" / "images" / "bare_pcb"
KEY = "ab" * 32


@pytest.fixture(scope="module")
def images():
    return ImageStore()


@pytest.fixture(scope="module")
def measurement(images):
    good, query = (images.pixels(images.open(BOARD / name)) for name in ("good.jpg", "short.jpg"))
    return PairExpert().fit([good]).read(query)


class Counting(PairExpert):
    """The pair expert, and how often it was asked to learn."""

    fits = 0

    def fit(self, normals, scope=EVERYTHING):
        self.fits += 1
        return super().fit(normals, scope)


def same(a: Measurement, b: Measurement) -> bool:
    if a.aligned_reference is None or b.aligned_reference is None:
        alike = a.aligned_reference is b.aligned_reference
    else:
        alike = np.array_equal(a.aligned_reference, b.aligned_reference)
    return (
        alike
        and a.reading == b.reading
        and a.map_values.tobytes() == b.map_values.tobytes()
        and a.map_values.shape == b.map_values.shape
        and a.map_values.dtype == b.map_values.dtype
        and a.reference_index == b.reference_index
    )


def entries(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_measurement_comes_back_as_it_was_and_says_that_it_was_kept(tmp_path, measurement):
    assert measurement.reading.regions
    assert measurement.aligned_reference is not None
    ReadingShelf(tmp_path).keep(KEY, measurement)
    found = ReadingShelf(tmp_path).find(KEY)
    assert same(found, measurement)
    assert (found.kept, measurement.kept) == (True, False)
    (entry,) = entries(tmp_path)
    raw = measurement.map_values.nbytes + measurement.aligned_reference.nbytes
    assert entry.stat().st_size < 0.75 * raw


@given(
    values=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_every_map_is_kept_without_loss(values):
    packed = readings._packed_map(values)
    assert readings._unpacked_map(packed, *values.shape).tobytes() == values.tobytes()


def test_a_measurement_without_reference_comes_back_too(tmp_path, measurement):
    alone = Measurement(measurement.reading, np.asfortranarray(measurement.map_values), None, 3)
    ReadingShelf(tmp_path).keep(KEY, alone)
    found = ReadingShelf(tmp_path).find(KEY)
    assert found.aligned_reference is None
    assert found.reference_index == 3
    assert np.array_equal(found.map_values, measurement.map_values)


def test_a_damaged_entry_is_never_served(tmp_path, measurement):
    shelf = ReadingShelf(tmp_path)
    shelf.keep(KEY, measurement)
    (entry,) = entries(tmp_path)
    whole, chance = entry.read_bytes(), random.Random(5)
    places = [0, 63, 64, 65, 66, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(60))]
    for at in places:
        flipped = bytearray(whole)
        flipped[at] ^= 1 << chance.randrange(8)
        entry.write_bytes(bytes(flipped))
        assert shelf.find(KEY) is None, f"byte {at}"
        entry.write_bytes(whole[:at])
        assert shelf.find(KEY) is None, f"cut to {at} bytes"
    for content in (b"\n\n", b"{}", b"\0" * 4096, whole + b"x"):
        entry.write_bytes(content)
        assert shelf.find(KEY) is None
    entry.write_bytes(whole)
    assert same(shelf.find(KEY), measurement)


def test_an_entry_under_anothers_name_is_not_served(tmp_path, measurement):
    shelf, other = ReadingShelf(tmp_path), "cd" * 32
    shelf.keep(KEY, measurement)
    (entry,) = entries(tmp_path)
    (tmp_path / "cd").mkdir()
    entry.rename(tmp_path / "cd" / other)
    assert shelf.find(other) is None


@pytest.mark.parametrize("said", [b"[1, 2]", b"7", b'{"key": "%b", "map_hw": [2], "map_bytes": 1}', b"{"])
def test_an_entry_that_says_something_else_is_not_served(tmp_path, said):
    """Whole by its digest, but of another form."""
    body = said.replace(b"%b", KEY.encode()) + b"\n\0"
    entry = tmp_path / KEY[:2] / KEY
    entry.parent.mkdir()
    entry.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    assert ReadingShelf(tmp_path).find(KEY) is None


def test_each_thing_that_changes_a_measurement_changes_its_name(images):
    good, query = (images.open(BOARD / name) for name in ("good.jpg", "short.jpg"))
    half = Mask(np.tri(query.height_px, query.width_px, dtype=bool))
    plain = (PairExpert(), [good], query, EVERYTHING, None)
    others = [
        (PairExpert(box_margin_px=3), [good], query, EVERYTHING, None),
        (GroundTruthExpert(), [good], query, EVERYTHING, None),
        (PairExpert(), [good, query], query, EVERYTHING, None),
        (PairExpert(), [query, good], query, EVERYTHING, None),
        (PairExpert(), [query], query, EVERYTHING, None),
        (PairExpert(), [good], good, EVERYTHING, None),
        (PairExpert(), [good], query, Scope(product="board"), None),
        (PairExpert(), [good], query, Scope(roi=half), None),
        (PairExpert(), [good], query, Scope(truth=half), None),
        (PairExpert(), [good], query, EVERYTHING, UserLimits(sensitivity=2)),
        (PairExpert(), [good], query, EVERYTHING, UserLimits(threshold=2)),
    ]
    names = {reading_key(*made_from) for made_from in (plain, *others)}
    assert len(names) == 1 + len(others)
    assert reading_key(*plain) == reading_key(PairExpert(), [good], query, EVERYTHING, UserLimits())
    elsewhere = query.model_copy(update={"path": "elsewhere.png"})
    assert reading_key(*plain) == reading_key(PairExpert(), [good], elsewhere, EVERYTHING, None)


def test_another_code_finds_nothing_of_this_one(images, monkeypatch):
    good = images.open(BOARD / "good.jpg")
    made_from = (PairExpert(), [good], good, EVERYTHING, None)
    now = reading_key(*made_from)
    monkeypatch.setattr(readings, "_code_digest", lambda: "other")
    assert reading_key(*made_from) != now


def test_another_run_neither_fits_nor_reads_what_an_earlier_one_has(tmp_path, images, monkeypatch):
    good, query = (images.open(BOARD / name) for name in ("good.jpg", "short.jpg"))
    first, later = Counting(), Counting()
    made = ExpertBench([first], images, readings=ReadingShelf(tmp_path)).read("pair", [good], query)
    bench = ExpertBench([later], images, readings=ReadingShelf(tmp_path))
    monkeypatch.setattr(ImageStore, "pixels", lambda *_: pytest.fail("a picture was decoded"))
    found = bench.read("pair", [good], query)
    assert (first.fits, later.fits) == (1, 0)
    assert same(found, made)
    assert found.reading.seconds == made.reading.seconds


def test_limits_of_the_user_are_those_of_the_reading_served(tmp_path, images):
    good, query = (images.open(BOARD / name) for name in ("good.jpg", "short.jpg"))
    strict = UserLimits(sensitivity=2)
    bench = ExpertBench([PairExpert()], images, readings=ReadingShelf(tmp_path))
    plain, limited = bench.read("pair", [good], query), bench.read("pair", [good], query, limits=strict)
    assert limited.reading.threshold < plain.reading.threshold
    again = bench.read("pair", [good], query, limits=strict)
    assert again.kept
    assert again.reading == limited.reading


def test_without_a_shelf_every_image_is_measured(images):
    good, query = (images.open(BOARD / name) for name in ("good.jpg", "short.jpg"))
    bench = ExpertBench([PairExpert()], images)
    assert not bench.read("pair", [good], query).kept
    assert not bench.read("pair", [good], query).kept


def test_views_that_cannot_be_compared_are_known_not_to_be(tmp_path, images):
    board = images.open(BOARD / "good.jpg")
    flange = images.open(BOARD.parent / "machined_flange" / "good.jpg")
    first, later = Counting(), Counting()
    with pytest.raises(ViewMismatch) as told:
        ExpertBench([first], images, readings=ReadingShelf(tmp_path)).read("pair", [board], flange)
    with pytest.raises(ViewMismatch) as again:
        ExpertBench([later], images, readings=ReadingShelf(tmp_path)).read("pair", [board], flange)
    assert str(again.value) == str(told.value)
    assert later.fits == 0


def test_the_shelf_stays_within_its_size_and_stays_of_use(tmp_path, measurement):
    size = len(readings._packed(KEY, measurement))
    shelf = ReadingShelf(tmp_path, most_bytes=10 * size + size // 2)
    keys = [f"{number:02x}" * 32 for number in range(25)]
    for key in keys:
        shelf.keep(key, measurement)
        assert sum(entry.stat().st_size for entry in entries(tmp_path)) <= 10 * size + size // 2
    held = [key for key in keys if shelf.find(key)]
    assert 8 <= len(held) <= 10
    assert keys[-1] in held
    ReadingShelf(tmp_path / "tiny", most_bytes=size - 1).keep(KEY, measurement)
    assert not (tmp_path / "tiny").exists()


def test_what_other_processes_keep_counts_too(tmp_path, measurement):
    size = len(readings._packed(KEY, measurement))
    ours, theirs = (ReadingShelf(tmp_path, most_bytes=6 * size) for _ in range(2))
    for number in range(20):
        (ours if number % 2 else theirs).keep(f"{number:02x}" * 32, measurement)
        assert len(entries(tmp_path)) <= 6


def test_a_full_disk_costs_the_entry_and_nothing_else(tmp_path, images, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(readings, "write_atomically", full)
    good, query = (images.open(BOARD / name) for name in ("good.jpg", "short.jpg"))
    bench = ExpertBench([PairExpert()], images, readings=ReadingShelf(tmp_path))
    assert bench.read("pair", [good], query).reading.zone == "anomalous"
    assert entries(tmp_path) == []


CHILD = """
import sys
from pathlib import Path
import numpy as np
from tools.experts.readings import ReadingShelf
from tools.types import ExpertReading, Measurement
folder, reading = Path(sys.argv[1]), ExpertReading.model_validate_json(Path(sys.argv[2]).read_bytes())
shelf = ReadingShelf(folder, most_bytes=150_000)
for _ in range(15):
    for number in range(12):
        key, values = f"{number:02x}" * 32, np.random.default_rng(number).random((64, 64), np.float32)
        found = shelf.find(key)
        if found is None:
            shelf.keep(key, Measurement(reading, values))
        else:
            assert np.array_equal(found.map_values, values), number
"""
ONE_ENTRY = 20_000


def test_several_processes_share_a_shelf(tmp_path, measurement):
    (tmp_path / "reading.json").write_text(measurement.reading.model_dump_json())
    command = [sys.executable, "-c", CHILD, str(tmp_path / "shelf"), str(tmp_path / "reading.json")]
    children = [subprocess.Popen(command, cwd=Path(__file__).parents[3]) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    left = entries(tmp_path / "shelf")
    assert left
    assert not [path for path in left if path.suffix == ".tmp"]
    assert sum(path.stat().st_size for path in left) <= 150_000 + 2 * ONE_ENTRY  # two may write at once
    assert any(ReadingShelf(tmp_path / "shelf").find(path.name) for path in left)
