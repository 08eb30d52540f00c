"""A data set is brought from a hub on this machine: whole, resumed, checked, and never out of its folder."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from filelock import FileLock

from evals.errors import DownloadFailed
from evals.mmad import transfer
from evals.mmad.checking import check_mmad
from evals.mmad.download import ARCHIVE, RECORD, REVISION, SOURCE, download_mmad
from tests.evals.mmad_folder import write_mmad

COMMIT = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """A hub with one data set, and what should go wrong at it."""

    files: dict[str, bytes] = field(default_factory=dict)
    source: str = SOURCE
    revision: str = REVISION
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    told: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    url: str = ""

    def listing(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.files.items():
            said = self.told.get(name, content)
            entry: dict[str, Any] = {"rfilename": name, "size": len(said)}
            entry["blobId"] = hashlib.sha1(b"blob %d\0" % len(said) + said).hexdigest()
            if name.endswith((".zip", ".png")):
                entry["lfs"] = {
                    "size": len(said),
                    "sha256": hashlib.sha256(said).hexdigest(),
                    "pointerSize": 130,
                }
            siblings.append(entry)
        return {"id": self.source, "sha": COMMIT, "siblings": siblings}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            served.authorizations.add(self.headers.get("authorization"))
            if path == f"/api/datasets/{served.source}/revision/{served.revision}":
                return self.reply(200, json.dumps(served.listing()).encode())
            name = path.removeprefix(f"/datasets/{served.source}/resolve/{COMMIT}/")
            if name not in served.files:
                return self.reply(404, b"")
            served.asked.append((name, self.headers.get("range")))
            if served.statuses:
                return self.reply(served.statuses.pop(0), b"")
            content, start = served.files[name], 0
            if served.ranges and (told := self.headers.get("range")):
                start = int(told.removeprefix("bytes=").removesuffix("-"))
            cut = served.cuts.pop(0) if served.cuts else None
            extra = {"content-range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            return self.reply(206 if start else 200, content[start:], cut, **extra)

        def reply(self, status: int, body: bytes, cut: int | None = None, **headers: str) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if cut is None else body[:cut])
            self.close_connection = cut is not None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.001)
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def published(tmp_path: Path) -> dict[str, bytes]:
    """The files of a data set."""
    folder = write_mmad(tmp_path / "published", size_px=32)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, held in files.items():
            archive.writestr(name, held)
    return content.getvalue()


def as_archive(published: dict[str, bytes]) -> dict[str, bytes]:
    pictures = {name: held for name, held in published.items() if name != "mmad.json"}
    return {
        ARCHIVE: zipped({**pictures, "__MACOSX/x.png": b"litter", "Parts/.DS_Store": b"litter"}),
        "mmad.json": published["mmad.json"],
        ".gitattributes": b"x",
        "README.md": b"# read me",
    }


def there(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_an_archive_is_brought_and_unpacked(hub: Hub, published: dict[str, bytes], tmp_path: Path) -> None:
    hub.files = as_archive(published)
    seen: list[tuple[str, int, int]] = []
    target = download_mmad(tmp_path / "mmad", endpoint=hub.url, progress=lambda *at: seen.append(at))
    assert target == tmp_path / "mmad"
    assert there(target) == published
    assert check_mmad(target).findings == ()
    assert {stage for stage, _, _ in seen} == {"downloading", "unpacking"}
    assert all(done <= total for _, done, total in seen)
    assert seen[-1][1] == seen[-1][2]


def test_files_without_an_archive_are_brought_one_by_one(
    hub: Hub, published: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files = published
    assert there(download_mmad(tmp_path / "mmad", endpoint=hub.url)) == published


@pytest.mark.parametrize(("asked", "revision"), [(None, "main"), ("v2", "v2")])
def test_another_data_set_is_taken_from_its_main_branch(
    hub: Hub, published: dict[str, bytes], tmp_path: Path, asked: str | None, revision: str
) -> None:
    hub.files, hub.source, hub.revision = published, "us/parts", revision
    target = download_mmad(tmp_path / "parts", endpoint=hub.url, source="us/parts", revision=asked)
    assert there(target) == published


def test_what_is_here_is_not_brought_again(hub: Hub, published: dict[str, bytes], tmp_path: Path) -> None:
    hub.files = as_archive(published)
    target = download_mmad(tmp_path / "mmad", endpoint=hub.url)
    hub.asked.clear()
    download_mmad(target, endpoint=hub.url)
    assert hub.asked == []
    next(target.rglob("*.png")).unlink()
    assert there(download_mmad(target, endpoint=hub.url)) == published
    assert [name for name, _ in hub.asked] == [ARCHIVE]


def test_a_broken_connection_is_taken_up_where_it_broke(
    hub: Hub, published: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files = as_archive(published)
    hub.cuts = [1000, 500]
    assert there(download_mmad(tmp_path / "mmad", endpoint=hub.url)) == published
    assert [told for name, told in hub.asked if name == ARCHIVE] == [None, "bytes=1000-", "bytes=1500-"]


def test_the_next_call_goes_on_where_the_last_gave_up(
    hub: Hub, published: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files = as_archive(published)
    hub.cuts = [3000, *[0] * 20]
    with pytest.raises(
        DownloadFailed, match=r"ALL_DATA\.zip: .* 3000 of \d+ bytes are here and the same command"
    ):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)
    assert not (tmp_path / "mmad" / RECORD).exists()
    hub.cuts.clear()
    hub.asked.clear()
    assert there(download_mmad(tmp_path / "mmad", endpoint=hub.url)) == published
    assert hub.asked[0] == (ARCHIVE, "bytes=3000-")


def test_a_hub_that_knows_no_ranges_starts_over(
    hub: Hub, published: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files, hub.cuts, hub.ranges = as_archive(published), [1000], False
    seen: list[int] = []
    target = download_mmad(
        tmp_path / "mmad", endpoint=hub.url, progress=lambda _s, done, total: seen.append(total - done)
    )
    assert there(target) == published
    assert min(seen) == 0


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_hub_is_asked_again(
    hub: Hub, published: dict[str, bytes], tmp_path: Path, status: int
) -> None:
    hub.files, hub.statuses = as_archive(published), [status, status]
    assert there(download_mmad(tmp_path / "mmad", endpoint=hub.url)) == published


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_repeated(
    hub: Hub, published: dict[str, bytes], tmp_path: Path, status: int
) -> None:
    hub.files, hub.statuses = as_archive(published), [status]
    with pytest.raises(DownloadFailed, match=f"the hub answers {status}"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)
    assert len(hub.asked) == 1


@pytest.mark.parametrize("name", [ARCHIVE, "mmad.json"])
def test_a_file_that_is_not_what_its_checksum_says_is_refused(
    hub: Hub, published: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    hub.files = as_archive(published)
    held = hub.files[name]
    hub.told = {name: held[:-1] + bytes([held[-1] ^ 1])}
    with pytest.raises(DownloadFailed, match="not what its checksum says"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)
    assert not (tmp_path / "mmad" / name).exists()
    assert not (tmp_path / "mmad" / RECORD).exists()


def test_a_file_longer_than_said_is_refused(hub: Hub, published: dict[str, bytes], tmp_path: Path) -> None:
    hub.files = as_archive(published)
    hub.told = {ARCHIVE: hub.files[ARCHIVE][:-10]}
    with pytest.raises(DownloadFailed, match="longer than the hub says"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "a\\b.png", "C:/x.png", "a/../../x.png"])
def test_no_name_from_the_hub_leaves_the_folder(
    hub: Hub, published: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    hub.files = {**published, name: b"x"}
    with pytest.raises(DownloadFailed, match="not downloaded: the path"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)
    assert hub.asked == []


def test_a_data_set_without_questions_is_said(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"README.md": b"nothing"}
    with pytest.raises(DownloadFailed, match=r"holds no mmad\.json; give another --revision"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)


def test_a_revision_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="the hub answers 404 for jiang-cc/MMAD at nowhere; check"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url, revision="nowhere")


def test_a_name_that_is_no_name(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="no possible name"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url, source="a/b/c/\x1b[2J")


def test_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(DownloadFailed, match=r"cannot be reached .*; check network") as raised:
        download_mmad(tmp_path / "mmad", endpoint="http://127.0.0.1:9")
    assert "\n" not in str(raised.value)


def test_a_user_who_is_offline_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadFailed, match="HF_HUB_OFFLINE is set"):
        download_mmad(tmp_path / "mmad")


def test_the_users_token_is_sent(
    hub: Hub, published: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_secret")
    hub.files = as_archive(published)
    download_mmad(tmp_path / "mmad", endpoint=hub.url)
    assert "Bearer hf_secret" in hub.authorizations


def test_two_downloads_do_not_meet(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "mmad").mkdir()
    with (
        FileLock(tmp_path / "mmad" / ".download.lock"),
        pytest.raises(DownloadFailed, match="another process"),
    ):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)


def test_a_file_in_place_of_the_folder(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "mmad").write_bytes(b"")
    with pytest.raises(DownloadFailed, match="cannot be written"):
        download_mmad(tmp_path / "mmad", endpoint=hub.url)


def test_who_gives_up_leaves_what_came(hub: Hub, published: dict[str, bytes], tmp_path: Path) -> None:
    hub.files = {**published, "big.png": b"x" * 5_000_000}

    def stop(stage: str, done: int, total: int) -> None:
        if done > 2_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_mmad(tmp_path / "mmad", endpoint=hub.url, progress=stop)
    hub.asked.clear()
    assert there(download_mmad(tmp_path / "mmad", endpoint=hub.url)) == hub.files
    assert [told is not None for name, told in hub.asked if name == "big.png"] == [True]


def test_the_hubs_own_question_file_wins_over_the_archives(
    hub: Hub, published: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files = {ARCHIVE: zipped({**published, "mmad.json": b"{}"}), "mmad.json": published["mmad.json"]}
    target = download_mmad(tmp_path / "mmad", endpoint=hub.url)
    assert there(target) == published
    hub.asked.clear()
    download_mmad(target, endpoint=hub.url)
    assert hub.asked == []
