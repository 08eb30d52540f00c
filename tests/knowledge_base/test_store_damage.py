"""Damaged, missing, full and forbidden files: what can be built anew is, the rest is said in one line."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge_base.errors import StoreCorrupt, StoreError, StoreUnusable
from knowledge_base.store import KnowledgeStore
from tests.knowledge_base.store_kit import FACTS, Words, nearest, output, process, source, texts


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KnowledgeStore]:
    store = KnowledgeStore(tmp_path / "index", wait_s=10)
    store.add([source("files/a", *FACTS[:4]), source("files/b", "To go.")], Words())
    store.remove(["files/b"])
    store.add([source("files/c", FACTS[4])], Words())
    store.close()
    yield store
    store.close()


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.unlink()
    if how == "half":
        path.write_bytes(content[: len(content) // 2])
    if how == "junk":
        path.write_bytes(b"\x07junk" * (len(content) // 5))


@pytest.mark.parametrize(
    ("file", "how"),
    [(file, how) for file in ("rows.npy", "products.json") for how in ("gone", "half", "junk")]
    + [("vectors.f32", "gone"), ("vectors.f32", "half")],
)
def test_lost_or_damaged_vectors_are_taken_from_chroma(store: KnowledgeStore, file: str, how: str) -> None:
    for path in (store.folder / "vectors").glob(f"*/{file}"):
        spoil(path, how)
    model = Words()
    assert texts(store) == set(FACTS)
    assert nearest(store, "rust on a bore") == FACTS[2]
    assert store.add([source("files/d", "New.")], model).added == 1
    assert model.texts == ["Thing. New."]


@pytest.mark.parametrize("how", ["gone", "half", "junk"])
@pytest.mark.parametrize("file", ["meta.json", ".managed.json", "*.term", "*.idx", "*.store", "*.fieldnorm"])
def test_lost_or_damaged_full_text_is_taken_from_chroma(store: KnowledgeStore, file: str, how: str) -> None:
    for path in (store.folder / "lexical").glob(file):
        spoil(path, how)
    assert texts(store) == set(FACTS)
    assert store.lexical("go", limit=3) == []  # what was removed does not come back
    assert store.add([source("files/d", "New.")], Words()).added == 1


def test_all_that_is_derived_is_built_anew(store: KnowledgeStore) -> None:
    shutil.rmtree(store.folder / "lexical")
    shutil.rmtree(store.folder / "vectors")
    assert [h.passage.text for h in store.lexical("rust", limit=3)] == [FACTS[2]]
    assert texts(store) == set(FACTS)


def test_chroma_and_what_is_derived_lost_together_is_said(store: KnowledgeStore) -> None:
    shutil.rmtree(store.folder / "chroma")
    assert texts(store) == set(FACTS)  # reading needs only what is derived
    store.close()
    shutil.rmtree(store.folder / "vectors")
    with pytest.raises(StoreCorrupt, match="lost passages; delete that folder") as caught:
        texts(store)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["half", "junk"])
@pytest.mark.parametrize("file", ["catalogue.sqlite3", "chroma/chroma.sqlite3"])
def test_a_damaged_database_is_said(store: KnowledgeStore, file: str, how: str) -> None:
    spoil(store.folder / file, how)
    with pytest.raises(StoreCorrupt, match="delete that folder") as caught:
        store.add([source("files/d", "New.")], Words())
    assert "\n" not in str(caught.value)
    assert str(store.folder) in str(caught.value)
    store.close()
    shutil.rmtree(store.folder)
    assert store.add([source("files/d", "New.")], Words()).added == 1


def test_a_folder_that_another_process_builds_anew_is_read_anew(store: KnowledgeStore) -> None:
    assert texts(store) == set(FACTS)
    shutil.rmtree(store.folder)
    with pytest.raises(StoreError, match="holds nothing yet"):
        texts(store)
    assert (
        output(process("print(store.add([source('files/x', 'Other.')], Words()).added)", store.folder)) == "1"
    )
    assert texts(store) == {"Other."}


def test_a_store_of_another_version_is_refused(store: KnowledgeStore) -> None:
    database = sqlite3.connect(store.folder / "catalogue.sqlite3")
    database.execute("UPDATE facts SET value = '99' WHERE name = 'version'")
    database.commit()
    database.close()
    with pytest.raises(StoreCorrupt, match="version 99"):
        store.documents()


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/index"])
def test_a_folder_that_cannot_be_used(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = KnowledgeStore(tmp_path / place)
    with pytest.raises(StoreUnusable, match="choose another data folder") as caught:
        store.add([source("files/a", *FACTS)], Words())
    assert "\n" not in str(caught.value)


def test_a_disk_that_fills_up_leaves_the_old_state_and_the_next_add_goes_through(
    store: KnowledgeStore,
) -> None:
    """Files may not grow beyond a limit: that fails where a full disk does, in each library in turn."""
    code = """
        import resource
        from knowledge_base.errors import StoreUnusable
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        big = source("files/big", *(f"Text {i} of this." for i in range(1500)))
        for limit in (0, 1_000, 30_000, 150_000, 400_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                store.add([big], Words())
            except StoreUnusable as exc:
                assert "disk space" in str(exc) and "\\n" not in str(exc), exc
            else:
                raise AssertionError(limit)
            assert texts(store) == set(FACTS)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(store.add([source("files/d", "New.")], Words()).added)
    """
    assert output(process(code, store.folder)) == "1"
    assert texts(store) == {*FACTS, "New."}


def test_an_interrupted_add_leaves_the_old_state(store: KnowledgeStore) -> None:
    class Interrupted(Words):
        def encode(self, texts: object) -> object:  # type: ignore[override]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.add([source("files/d", "New.")], Interrupted())
    assert texts(store) == set(FACTS)
    assert store.add([source("files/d", "New.")], Words()).added == 1


def test_what_a_model_or_a_callback_raises_is_not_taken_for_trouble_with_the_store(
    store: KnowledgeStore,
) -> None:
    class Failing(Words):
        def encode(self, texts: object) -> object:  # type: ignore[override]
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        store.add([source("files/d", "New.")], Failing())
    with pytest.raises(StoreError):
        KnowledgeStore(store.folder / "empty").dense(Words().encode(["x"])[0], limit=1)
