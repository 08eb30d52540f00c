"""Pictures and arrays are kept whole or not at all, and only under honest names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tools.artifacts import ArtifactStore
from tools.atomic import write_atomically
from tools.errors import ArtifactError, ToolError

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
SCORES = np.linspace(-1, 7, 24, dtype=np.float32).reshape(4, 6)


@pytest.fixture
def store(tmp_path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "inspection" / "artifacts")


def test_what_was_put_comes_back_to_anyone(store, tmp_path):
    assert store.put_image("overlay", PICTURE) == "overlay.png"
    assert store.put_map("map-pair", SCORES) == "map-pair.npy"
    for reader in (store, ArtifactStore(tmp_path / "inspection" / "artifacts")):
        np.testing.assert_array_equal(reader.image("overlay"), PICTURE)
        np.testing.assert_array_equal(reader.map("map-pair"), SCORES)
        assert reader.map("map-pair").dtype == np.float32
        assert not reader.image("overlay").flags.writeable
        assert reader.names() == ["map-pair", "overlay"]
    assert store.path("overlay").name == "overlay.png"
    assert (store.has("overlay"), store.has("heatmap")) == (True, False)


def test_what_the_caller_does_later_does_not_reach_the_store(store):
    mine = PICTURE.copy()
    store.put_image("overlay", mine)
    mine[:] = 0
    np.testing.assert_array_equal(store.image("overlay"), PICTURE)


def test_a_name_is_one_thing_and_the_last_one_put(store):
    store.put_image("a", PICTURE)
    store.put_image("a", 255 - PICTURE)
    np.testing.assert_array_equal(store.image("a"), 255 - PICTURE)
    store.put_map("a", SCORES)
    assert store.names() == ["a"]
    with pytest.raises(ArtifactError, match=r"no artifact 'a\.png'"):
        store.image("a")


@pytest.mark.parametrize("name", ["", "../a", "a/b", "A", "a.png", ".a", "a b", "a\n", "ä", "x" * 65])
def test_a_name_cannot_leave_the_folder(store, name):
    for use in (store.has, store.path, store.image, lambda n: store.put_image(n, PICTURE)):
        with pytest.raises(ValueError, match="artifact's name"):
            use(name)
    assert store.names() == []


def test_only_pictures_and_maps_are_taken(store):
    with pytest.raises(ValueError, match="expected RGB uint8"):
        store.put_image("a", PICTURE[..., 0])
    with pytest.raises(ValueError, match=r"must be float32 \(height, width\), got float64"):
        store.put_map("a", SCORES.astype(np.float64))
    assert store.names() == []


def test_what_is_not_there(store):
    for use in (store.image, store.map, store.path):
        with pytest.raises(ArtifactError, match="inspect the image again"):
            use("overlay")
    assert store.names() == []


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY rubbish", b"\x89PNG\r\n\x1a\n rubbish"])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path, content):
    store = ArtifactStore(tmp_path)
    (tmp_path / "a.png").write_bytes(content)
    (tmp_path / "b.npy").write_bytes(content)
    with pytest.raises(ArtifactError, match="damaged"):
        store.image("a")
    with pytest.raises(ArtifactError, match="damaged"):
        store.map("b")


def test_a_pickle_is_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"run": "me"}], dtype=object), allow_pickle=True)
    with pytest.raises(ArtifactError, match="damaged"):
        ArtifactStore(tmp_path).map("a")


def test_a_map_file_of_another_kind_is_not_taken_for_a_map(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(ArtifactError, match="damaged"):
        ArtifactStore(tmp_path).map("a")


def test_publishing_copies_what_is_named(store, tmp_path):
    store.put_image("overlay", PICTURE)
    store.put_map("scores", SCORES)
    out = tmp_path / "out" / "report"
    assert store.publish(["overlay"], out) == {"overlay": "overlay.png"}
    assert [f.name for f in out.iterdir()] == ["overlay.png"]
    assert (out / "overlay.png").read_bytes() == store.path("overlay").read_bytes()
    with pytest.raises(ArtifactError, match="no artifact 'heatmap'"):
        store.publish(["heatmap"], out)


def test_a_folder_that_cannot_be_written_is_one_clear_error(store, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="choose a folder that can be written") as caught:
        ArtifactStore(tmp_path / "file").put_image("a", PICTURE)
    assert isinstance(caught.value, ToolError)
    assert caught.value.kind == "artifact"
    store.put_image("a", PICTURE)
    with pytest.raises(ArtifactError, match="choose a folder"):
        store.publish(["a"], tmp_path / "file")


def test_discarding_leaves_what_is_not_ours(tmp_path):
    store = ArtifactStore(tmp_path / "a")
    store.put_image("overlay", PICTURE)
    (tmp_path / "a" / "Notes.txt").write_text("mine")
    store.discard()
    assert [f.name for f in (tmp_path / "a").iterdir()] == ["Notes.txt"]
    with pytest.raises(ArtifactError):
        store.image("overlay")
    (tmp_path / "a" / "Notes.txt").unlink()
    store.discard()
    store.discard()
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_cut_short_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failure):
    target = tmp_path / "report.json"
    write_atomically(target, b"old")

    def half(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:2])
        raise failure

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(type(failure)):
        write_atomically(target, b"new and longer")
    assert target.read_bytes() == b"old"
    assert [f.name for f in tmp_path.iterdir()] == ["report.json"]
