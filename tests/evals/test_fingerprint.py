"""Files are known by their content, and unchanged ones are not read again."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from evals import fingerprint as room
from evals.errors import DatasetInvalid
from evals.fingerprint import MISSING, data_files, fingerprint, questions_digest
from evals.mmad.dataset import read_mmad
from evals.types import Benchmark
from tests.evals.mmad_folder import write_mmad


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for index in range(5):
        path = root / f"part {index % 2}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content %d" % index)
        age(path)
    return root


def age(path: Path, seconds: float = 100) -> None:
    """Make a file look as if it had been left alone for a while."""
    stamp = time.time() - seconds
    os.utime(path, (stamp, stamp))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_FRESH_NS", 0)  # times of change cannot be set: files are fresh in a test


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content was read."""
    names: list[str] = []
    lock, digest = threading.Lock(), room._digest

    def noted(file: tuple[Path, room._State]) -> str:
        with lock:
            names.append(file[0].name)
        return digest(file)

    monkeypatch.setattr(room, "_digest", noted)
    return names


def files(root: Path) -> list[Path]:
    return sorted(root.rglob("*.png"))


def test_digests_are_sha256_by_relative_path(folder: Path, tmp_path: Path) -> None:
    found = fingerprint(files(folder), folder, cache=tmp_path / "kept" / "digests.sqlite")
    assert found == {
        f"part {index % 2}/{index}.png": hashlib.sha256(b"content %d" % index).hexdigest()
        for index in range(5)
    }


def test_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path, read: list[str]) -> None:
    cache = tmp_path / "digests.sqlite"
    first = fingerprint(files(folder), folder, cache=cache)
    assert len(read) == 5
    read.clear()
    assert fingerprint(files(folder), folder, cache=cache) == first
    assert read == []


def test_a_changed_file_is_noticed_even_with_its_old_size_and_time(
    folder: Path, tmp_path: Path, read: list[str]
) -> None:
    cache, path = tmp_path / "digests.sqlite", folder / "part 0" / "2.png"
    first = fingerprint(files(folder), folder, cache=cache)
    told = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"CONTENT 2")
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    read.clear()
    second = fingerprint(files(folder), folder, cache=cache)
    assert read == ["2.png"]
    assert {name for name in first if first[name] != second[name]} == {"part 0/2.png"}


def test_a_file_that_was_just_written_is_read_again(
    folder: Path, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_FRESH_NS", 3_600_000_000_000)
    for _ in range(2):
        fingerprint(files(folder), folder, cache=tmp_path / "digests.sqlite")
    assert len(read) == 10


def test_a_file_that_is_not_there_is_told_apart(folder: Path, tmp_path: Path) -> None:
    wanted = [*files(folder), folder / "gone.png"]
    assert fingerprint(wanted, folder, cache=tmp_path / "c.sqlite")["gone.png"] == MISSING
    (folder / "gone.png").write_bytes(b"here")
    assert (
        fingerprint(wanted, folder, cache=tmp_path / "c.sqlite")["gone.png"]
        == hashlib.sha256(b"here").hexdigest()
    )


def test_two_folders_do_not_share_digests(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "data0"  # sorts right after data/
    (other / "part 0").mkdir(parents=True)
    (other / "part 0" / "0.png").write_bytes(b"another")
    cache = tmp_path / "c.sqlite"
    assert fingerprint(files(other), other, cache=cache) != fingerprint(files(folder), folder, cache=cache)
    assert fingerprint(files(other), other, cache=cache) == {
        "part 0/0.png": hashlib.sha256(b"another").hexdigest()
    }


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_a_damaged_record_is_made_anew(folder: Path, tmp_path: Path, content: bytes, read: list[str]) -> None:
    cache = tmp_path / "c.sqlite"
    cache.write_bytes(content)
    first = fingerprint(files(folder), folder, cache=cache)
    assert fingerprint(files(folder), folder, cache=cache) == first
    assert len(read) == 5


def test_a_record_of_another_make_costs_time_only(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "c.sqlite"
    with sqlite3.connect(cache) as connection:
        connection.execute("CREATE TABLE digests (other TEXT)")
    connection.close()
    assert len(fingerprint(files(folder), folder, cache=cache)) == 5


def test_a_record_that_cannot_be_written_costs_time_only(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert len(fingerprint(files(folder), folder, cache=tmp_path / "file" / "c.sqlite")) == 5


def test_a_folder_in_place_of_a_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"part 0 cannot be read"):
        fingerprint([folder / "part 0"], folder, cache=tmp_path / "c.sqlite")


def test_a_file_elsewhere_is_a_mistake_of_the_caller(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="subpath"):
        fingerprint([tmp_path / "x.png"], folder, cache=tmp_path / "c.sqlite")


def test_progress_reaches_the_end(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fingerprint(files(folder), folder, cache=tmp_path / "c.sqlite", progress=lambda *at: seen.append(at))
    assert seen == [(done, 5) for done in range(6)]


def test_what_was_read_is_kept_when_reading_stops(folder: Path, tmp_path: Path, read: list[str]) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fingerprint(files(folder), folder, cache=tmp_path / "c.sqlite", progress=stop)
    read.clear()
    fingerprint(files(folder), folder, cache=tmp_path / "c.sqlite")
    assert len(read) <= 2


def test_thousands_of_unchanged_files_take_no_time(tmp_path: Path, read: list[str]) -> None:
    root = tmp_path / "many"
    root.mkdir()
    wanted = [root / f"{index:05d}" for index in range(3000)]
    for path in wanted:
        path.touch()
    first = fingerprint(wanted, root, cache=tmp_path / "c.sqlite")
    read.clear()
    begin = time.process_time()
    assert fingerprint(wanted, root, cache=tmp_path / "c.sqlite") == first
    assert time.process_time() - begin < 1
    assert read == []


def test_every_file_of_a_benchmark_is_named(tmp_path: Path) -> None:
    root = write_mmad(tmp_path / "data", size_px=32)
    named = data_files(read_mmad(root))
    assert set(named) == set(root.rglob("*.png"))
    assert len(named) == len(set(named)) == 6 + 3 + 4


def test_the_questions_digest_follows_what_is_asked(tmp_path: Path) -> None:
    benchmark = read_mmad(write_mmad(tmp_path / "a", size_px=32))
    digest = questions_digest(benchmark)
    assert questions_digest(read_mmad(write_mmad(tmp_path / "b", size_px=32))) == digest
    assert questions_digest(read_mmad(write_mmad(tmp_path / "c", size_px=32, seed=1))) != digest
    key = (benchmark.cases[0].image, 1)
    turned = {**benchmark.answers, key: "B" if benchmark.answers[key] == "A" else "A"}
    assert questions_digest(Benchmark(benchmark.root, benchmark.cases, turned)) != digest
    swapped = benchmark.cases[0].model_copy(
        update={
            "random_templates": benchmark.cases[0].similar_templates,
            "similar_templates": benchmark.cases[0].random_templates,
        }
    )
    changed = Benchmark(benchmark.root, (swapped, *benchmark.cases[1:]), benchmark.answers)
    assert questions_digest(changed) != digest
