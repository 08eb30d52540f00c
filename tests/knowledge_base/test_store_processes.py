"""A killed writer leaves the state before it, readers are never in a writer's way, and two writers take turns."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from knowledge_base.chroma import collection_names, open_client
from knowledge_base.errors import StoreBusy
from knowledge_base.store import KnowledgeStore
from tests.knowledge_base.store_kit import FACTS, FILLERS, Words, nearest, output, process, source, texts

ADD_FILLERS = 'store.add([source("files/a", "The lens is fogged."), *FILLERS], Words())'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KnowledgeStore]:
    store = KnowledgeStore(tmp_path / "index", wait_s=10)
    yield store
    store.close()


def leftovers(store: KnowledgeStore) -> set[str]:
    """Names of segments of which there is something on disk, and which are not part of the store."""
    client = open_client(store.folder / "chroma")
    there = {*collection_names(client), *(each.name for each in (store.folder / "vectors").iterdir())}
    return there - {document.segment for document in store.documents()}


KILLED_AT = {
    "while it embeds": "(Words, 'encode', 1)",
    "while it writes vectors": "(vectors.VectorWriter, 'add', 1)",
    "between Chroma and vectors": "(segments, 'write_rows', 1)",
    "before its segment is finished": "(segments.SegmentWriter, 'finish', 0)",
    "before its full text is committed": "(lexical.LexicalWriter, 'commit', 1)",
    "just before the catalogue": "(catalogue.Catalogue, 'commit', 0)",
}
KILLED_AFTER = {
    "before what is dead was taken out": "(writing.Writing, '_take_out', 0)",
    "before what was replaced was deleted": "(writing.Writing, 'sweep', 1)",
    "while it merges": "(writing.Writing, 'move', 0)",
    "before a merge counts": "(catalogue.Catalogue, 'commit', 1)",
}


def kill(store: KnowledgeStore, where: str, code: str) -> None:
    """Run code in a process that kills itself at the start of a call: (owner, name, how many calls pass before)."""
    running = process(
        f"""
        owner, name, passes = {where}
        called = getattr(owner, name)
        def dying(*args, **kwargs):
            global passes
            if not passes:
                os.kill(os.getpid(), signal.SIGKILL)
            passes -= 1
            return called(*args, **kwargs)
        setattr(owner, name, dying)
        {code}
        """,
        store.folder,
    )
    _, err = running.communicate(timeout=120)
    assert running.returncode == -signal.SIGKILL, err


@pytest.mark.parametrize("where", KILLED_AT.values(), ids=KILLED_AT.keys())
def test_an_add_killed_before_it_counts_leaves_the_old_state(store: KnowledgeStore, where: str) -> None:
    store.add([source("files/a", *FACTS)], Words())
    assert nearest(store, "rust on a bore") == FACTS[2]
    kill(store, where, ADD_FILLERS)
    assert texts(store) == set(FACTS)  # to a process that was reading
    store.close()
    assert texts(store) == set(FACTS)  # and to one that starts
    model = Words()
    report = store.add([source("files/a", "The lens is fogged."), *FILLERS], model)
    assert (report.changed, report.added) == (1, 10)
    assert texts(store) == {"The lens is fogged."} | {p.text for each in FILLERS for p in each.passages()}
    assert leftovers(store) == set()


@pytest.mark.parametrize("where", KILLED_AFTER.values(), ids=KILLED_AFTER.keys())
def test_an_add_killed_once_it_counts_is_whole(store: KnowledgeStore, where: str) -> None:
    store.add([source("files/0", FACTS[0]), source("files/kept", "Kept.")], Words())
    for i in (1, 2):
        store.add([source(f"files/{i}", FACTS[i])], Words())
    kill(store, where, f"store.add([source('files/0', 'New.'), source('files/3', {FACTS[3]!r})], Words())")
    assert texts(store) == {"New.", "Kept.", *FACTS[1:4]}
    assert len(store.lexical("solder", limit=9)) == 0
    store.close()
    assert texts(store) == {"New.", "Kept.", *FACTS[1:4]}
    model = Words()
    assert store.add([source("files/4", FACTS[4])], model).added == 1
    assert model.texts == [f"Thing. {FACTS[4]}"]
    assert texts(store) == {"New.", "Kept.", *FACTS[1:]}
    assert leftovers(store) == set()


def test_a_long_add_that_is_killed_keeps_what_it_committed(store: KnowledgeStore) -> None:
    kill(
        store,
        "(Words, 'encode', 3)",
        "KnowledgeStore(store.folder, commit_every=60).add("
        "(source(f'files/{i}', *(f'Filler {i} {j}.' for j in range(30))) for i in range(10)), Words())",
    )
    assert len(store.documents()) == 6
    model = Words()
    sources = [source(f"files/{i}", *(f"Filler {i} {j}." for j in range(30))) for i in range(10)]
    report = store.add(sources, model)
    assert (report.unchanged, report.added) == (6, 4)
    assert len(model.texts) == 120
    assert len(texts(store)) == 300


def test_a_reader_rolls_back_what_a_killed_writer_left_half_committed(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    store.add([source("files/a", *FACTS)], Words())
    file, copy = store.folder / "catalogue.sqlite3", tmp_path / "killed" / "index"
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")  # so that pages reach the file, and their old state the journal
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM documents")
    writer.executemany("INSERT INTO facts VALUES (?, ?)", ((f"fact {i}", "x" * 500) for i in range(100)))
    shutil.copytree(store.folder, copy)  # what is on disk if it is killed now
    writer.close()
    assert (copy / "catalogue.sqlite3-journal").stat().st_size > 512
    assert (copy / "catalogue.sqlite3").stat().st_size > file.stat().st_size
    killed = KnowledgeStore(copy)
    assert texts(killed) == set(FACTS)
    killed.close()


def test_an_add_killed_at_any_time_leaves_only_whole_documents(store: KnowledgeStore) -> None:
    store.add([source("files/a", *FACTS)], Words())
    code = """
        print("ready", flush=True)
        many = (source(f"files/{i}", *(f"Filler {i} {j}." for j in range(30))) for i in range(2000))
        KnowledgeStore(store.folder, commit_every=300).add(many, Words())
    """
    for delay_s in (0.9, 1.3, 1.9, 2.6):
        running = process(code, store.folder)
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(delay_s)
        running.kill()
        running.communicate()
        assert running.returncode == -signal.SIGKILL
        counts = Counter(hit.passage.document for hit in store.lexical("filler", limit=10**6))
        assert set(counts.values()) <= {30}
        assert {document.key for document in store.documents()} == {"files/a", *counts}
        assert len(store.dense(Words().encode(["filler"])[0], limit=10**6)) == 5 + sum(counts.values())
        assert nearest(store, "rust on a bore") == FACTS[2]
    assert store.add([source("files/b", "Last.")], Words()).added == 1
    assert leftovers(store) == set()


def test_a_rebuild_that_is_killed_changes_nothing(store: KnowledgeStore) -> None:
    store.add([source("files/a", *FACTS)], Words())
    kill(store, "(catalogue.Catalogue, 'commit', 0)", "store.rebuild(Words('other@1', 32))")
    assert store.model == "words@1"
    assert texts(store) == set(FACTS)


def test_two_readers_see_whole_documents_while_one_writes(store: KnowledgeStore) -> None:
    """Every document always says one thing in all its passages, by vectors and by words."""
    store.add([source(f"files/{i}", *(f"Fact {j} of state 0." for j in range(6))) for i in range(5)], Words())
    reader = """
        print("ready", flush=True)
        searches, states, model = 0, set(), Words()
        vector, before = model.encode(["fact of state"])[0], [0] * 5
        while not Path("STOP").exists():
            for hits in (store.dense(vector, limit=100), store.lexical("fact", limit=100)):
                found = {}
                for hit in hits:
                    found.setdefault(hit.passage.document, []).append(hit.passage.text.rpartition(" ")[2])
                assert len(found) == 5 and all(len(each) == 6 for each in found.values()), found
                assert all(len(set(each)) == 1 for each in found.values()), found
                now = [int(found[f"files/{i}"][0].strip(".")) for i in range(5)]
                assert all(a <= b for a, b in zip(before, now)), (before, now)
                before = now
                states.add(tuple(now))
                searches += 1
        print(searches, len(states), max(before))
    """.replace("STOP", str(store.folder / "stop"))
    readers = [process(reader, store.folder) for _ in range(2)]
    for each in readers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    time.sleep(0.2)
    for state in range(1, 16):
        keys = [f"files/{i}" for i in range(5)] if state % 3 else [f"files/{state % 5}"]
        store.add([source(key, *(f"Fact {j} of state {state}." for j in range(6))) for key in keys], Words())
    time.sleep(0.2)
    (store.folder / "stop").touch()
    for each in readers:
        searches, states, last = map(int, output(each).split())
        assert searches > 20
        assert states > 3
        assert last == 15


def test_two_writers_at_once_take_turns_and_lose_nothing(tmp_path: Path) -> None:
    def code(name: str) -> str:
        return f"""
        for i in range(4):
            store.add([source(f"files/{name}-{{i}}", f"Fact {{i}} of {name}."), source("files/both", "Same.")], Words())
        print("done", texts(store) >= {{f"Fact {{i}} of {name}." for i in range(4)}})
        """

    both = [process(code(name), tmp_path / "index") for name in ("one", "two")]
    assert [output(each) for each in both] == ["done True", "done True"]
    store = KnowledgeStore(tmp_path / "index")
    assert texts(store) == {"Same.", *(f"Fact {i} of {name}." for i in range(4) for name in ("one", "two"))}
    store.close()


def test_waiting_for_another_writer_ends_with_a_retryable_error(store: KnowledgeStore) -> None:
    store.add([source("files/a", *FACTS)], Words())
    impatient = KnowledgeStore(store.folder, wait_s=0.05)
    with FileLock(store.folder / "write.lock"):
        with pytest.raises(StoreBusy, match="another process") as caught:
            impatient.add([source("files/b", "New.")], Words())
        assert impatient.add([source("files/a", *FACTS)], Words()).unchanged == 1  # nothing to wait for
        assert texts(impatient) == set(FACTS)
    assert caught.value.retryable
    assert impatient.add([source("files/b", "New.")], Words()).added == 1
    impatient.close()


def test_a_process_that_reads_a_small_store_does_not_import_chroma(store: KnowledgeStore) -> None:
    store.add([source("files/a", *FACTS)], Words())
    code = """
        store.add([source("files/a", *FACTS)], Words())
        nearest(store, "x"), store.lexical("thing", limit=3), store.documents(), store.stats()
        print({"chromadb", "torch", "langchain_core"} & sys.modules.keys() or "light")
    """
    assert output(process(code, store.folder)) == "light"
