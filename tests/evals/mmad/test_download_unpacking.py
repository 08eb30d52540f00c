"""An archive is unpacked whole or refused, and writes nothing outside its folder."""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.errors import DownloadFailed
from evals.mmad import unpacking
from evals.mmad.unpacking import unpack

FILES = {"a/b/x.png": b"x" * 100, "a/b/y.png": b"y" * 2000, "mmad.json": b"{}"}


def archive(folder: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "ALL_DATA.zip"
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, held in files.items():
            opened.writestr(name, held)
    return path


def quiet(done: int, total: int) -> None:
    pass


def there(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_everything_is_unpacked(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    names = unpack(archive(tmp_path, FILES), tmp_path / "t", progress=lambda *at: seen.append(at))
    assert set(names) == set(FILES)
    assert there(tmp_path / "t") == FILES
    assert seen == [(100, 2102), (2100, 2102), (2102, 2102)]


def test_what_is_the_same_is_left_and_what_differs_replaced(tmp_path: Path) -> None:
    packed = archive(tmp_path, FILES)
    unpack(packed, tmp_path / "t", progress=quiet)
    same, other = tmp_path / "t/a/b/x.png", tmp_path / "t/a/b/y.png"
    os.utime(same, (1, 1))
    other.write_bytes(b"z" * 2000)  # of the same size
    unpack(packed, tmp_path / "t", progress=quiet)
    assert same.stat().st_mtime == 1
    assert there(tmp_path / "t") == FILES


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\x", "C:/x", "a//x", "./x"])
def test_no_path_leaves_the_folder(tmp_path: Path, name: str) -> None:
    packed = archive(tmp_path, {"fine.png": b"1", name: b"2"})
    with pytest.raises(DownloadFailed, match="not unpacked: the path"):
        unpack(packed, tmp_path / "t", progress=quiet)
    assert there(tmp_path / "t") == {}


def test_no_link_is_made(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a/b/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = tmp_path / "ALL_DATA.zip"
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr(link, "/etc")
    with pytest.raises(DownloadFailed, match="is a link"):
        unpack(packed, tmp_path / "t", progress=quiet)


def test_a_link_that_is_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "t/a/b").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "t/a/b/c").symlink_to(tmp_path / "outside")
    with pytest.raises(DownloadFailed, match="leads out"):
        unpack(archive(tmp_path, {"a/b/c/x.png": b"1"}), tmp_path / "t", progress=quiet)
    assert there(tmp_path / "outside") == {}


def test_a_bomb_is_refused_unopened(tmp_path: Path) -> None:
    packed = archive(tmp_path, {"a.png": bytes(80 << 20)})
    assert packed.stat().st_size < 200_000
    with pytest.raises(DownloadFailed, match="would become 83886080"):
        unpack(packed, tmp_path / "t", progress=quiet)
    assert there(tmp_path / "t") == {}


def test_too_many_files_or_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = archive(tmp_path, FILES)
    monkeypatch.setattr(unpacking, "MOST_BYTES", 2000)
    with pytest.raises(DownloadFailed, match="would become 2102"):
        unpack(packed, tmp_path / "t", progress=quiet)
    monkeypatch.setattr(unpacking, "MOST_FILES", 2)
    with pytest.raises(DownloadFailed, match="holds 3 files, over the limit of 2"):
        unpack(packed, tmp_path / "t", progress=quiet)


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 50))
    with pytest.raises(DownloadFailed, match="make room"):
        unpack(archive(tmp_path, FILES), tmp_path / "t", progress=quiet)
    assert there(tmp_path / "t") == {}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_stands_twice(tmp_path: Path) -> None:
    packed = tmp_path / "ALL_DATA.zip"
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("a", "1")
        opened.writestr("a", "2")
    with pytest.raises(DownloadFailed, match="stands in it twice"):
        unpack(packed, tmp_path / "t", progress=quiet)


def test_a_damaged_member_never_appears(tmp_path: Path) -> None:
    packed = archive(tmp_path, {"a/b/x.png": b"x" * 5000}, zipfile.ZIP_STORED)
    content = bytearray(packed.read_bytes())
    content[2000] ^= 1
    packed.write_bytes(content)
    with pytest.raises(DownloadFailed, match="is damaged"):
        unpack(packed, tmp_path / "t", progress=quiet)
    assert not (tmp_path / "t/a/b/x.png").exists()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), turned=st.integers(0, 399), by=st.integers(0, 255), junk=st.booleans())
def test_any_bytes_are_unpacked_or_refused(
    tmp_path: Path, cut: int, turned: int, by: int, junk: bool
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, held in FILES.items():
            opened.writestr(name, held)
    content = bytearray(packed.getvalue())
    content[turned % len(content)] ^= by
    (tmp_path / "x.zip").write_bytes(bytes(content[cut:]) if junk else bytes(content[: len(content) - cut]))
    refused = ""
    try:
        unpack(tmp_path / "x.zip", tmp_path / "t", progress=quiet)
    except DownloadFailed as error:
        refused = str(error)
    assert "\n" not in refused
    assert {path.name for path in tmp_path.iterdir()} <= {"x.zip", "t"}
    shutil.rmtree(tmp_path / "t", ignore_errors=True)
