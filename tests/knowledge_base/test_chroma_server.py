"""Machines that share a real Chroma server see one store, and say so when they cannot."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from chromadb.api import ClientAPI

from knowledge_base.catalogue import Snapshot
from knowledge_base.chroma import close_client, connect
from knowledge_base.errors import StoreBusy, StoreError, StoreMismatch, StoreUnreachable
from knowledge_base.home import Home
from knowledge_base.restoring import restore
from knowledge_base.store import KnowledgeStore
from tests.knowledge_base.store_kit import FACTS, Words, nearest, source, texts


@dataclass
class Server:
    """A `chroma run` of its own."""

    folder: Path
    port: int
    running: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def start(folder: Path, port: int | None = None) -> Server:
    if port is None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    chroma = Path(sys.executable).with_name("chroma")
    command = [str(chroma), "run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return Server(folder, port, running)
    raise AssertionError("chroma run did not start")


def stop(server: Server) -> None:
    server.running.kill()
    server.running.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start(tmp_path_factory.mktemp("server"))
    yield server
    stop(server)


@pytest.fixture
def client(server: Server) -> Iterator[ClientAPI]:
    """The server as its administrator sees it; empty at first."""
    client = connect(server.url, None)
    for name in names(client):
        client.delete_collection(name)
    yield client
    close_client(client)


def names(client: ClientAPI) -> list[str]:
    return [collection.name for collection in client.list_collections()]


@pytest.fixture
def machines(
    client: ClientAPI, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[KnowledgeStore]]:
    """Two machines on an empty server, which look for changes before each search."""
    monkeypatch.setattr("knowledge_base.home._FOLLOW_EVERY_S", 0)
    both = [KnowledgeStore(tmp_path / name, server=server.url, wait_s=10) for name in ("one", "two")]
    yield both
    for each in both:
        each.close()


def test_what_one_machine_adds_and_removes_the_other_finds(machines: list[KnowledgeStore]) -> None:
    one, two = machines
    one.add([source(f"files/{i}", fact) for i, fact in enumerate(FACTS)], Words())
    assert texts(two) == set(FACTS)
    assert nearest(two, "rust on a bore") == FACTS[2]
    model = Words()
    assert (
        two.add([source("files/2", FACTS[2]), source("files/3", "The cloth is whole.")], model).changed == 1
    )
    assert model.texts == ["Thing. The cloth is whole."]
    assert texts(one) == {*FACTS[:3], "The cloth is whole.", FACTS[4]}
    one.remove(["files/0"])
    assert texts(two) == texts(one) == {*FACTS[1:3], "The cloth is whole.", FACTS[4]}
    assert [d.key for d in two.documents()] == ["files/1", "files/2", "files/3", "files/4"]


def test_segments_stay_few_on_the_server_and_on_every_machine(
    machines: list[KnowledgeStore], client: ClientAPI
) -> None:
    for i in range(9):
        machines[i % 2].add([source(f"files/{i}", f"Fact {i}.")], Words())
    assert texts(machines[0]) == texts(machines[1]) == {f"Fact {i}." for i in range(9)}
    assert machines[0].stats().segments <= 3
    assert len(names(client)) == machines[0].stats().segments + 1


def test_a_new_machine_gets_all_of_it(machines: list[KnowledgeStore], server: Server, tmp_path: Path) -> None:
    machines[0].add([source("files/a", *FACTS), source("files/b", "Gone.")], Words())
    machines[0].remove(["files/b"])
    new = KnowledgeStore(tmp_path / "new", server=server.url + "/")
    assert texts(new) == set(FACTS)
    assert new.model == "words@1"
    assert new.lexical("gone", limit=3) == []
    with pytest.raises(StoreMismatch, match="words@1"):
        new.add([source("files/c", "New.")], Words("other@1"))
    new.close()


def test_of_two_machines_that_write_at_once_one_is_refused_and_nothing_is_lost(
    machines: list[KnowledgeStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    one.add([source("files/0", FACTS[0])], Words())
    commit = Home.commit
    raced = False

    def slow(home: Home, *args: object) -> None:
        nonlocal raced
        if not raced:
            raced = True
            two.add([source("files/2", FACTS[2])], Words())
        commit(home, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Home, "commit", slow)
    with pytest.raises(StoreBusy, match="try again") as caught:
        one.add([source("files/1", FACTS[1])], Words())
    assert caught.value.retryable
    assert texts(one) == {FACTS[0], FACTS[2]}
    assert one.add([source("files/1", FACTS[1])], Words()).added == 1
    assert texts(two) == set(FACTS[:3])


def test_what_is_merged_while_a_machine_copies_it_is_copied_merged(
    machines: list[KnowledgeStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines
    for i in range(3):
        one.add([source(f"files/{i}", FACTS[i])], Words())
    raced = False

    def slow(home: Home, snapshot: Snapshot) -> int:
        nonlocal raced
        if not raced:
            raced = True
            one.add([source("files/3", FACTS[3])], Words())
        return restore(home, snapshot)

    monkeypatch.setattr("knowledge_base.store.restore", slow)
    assert texts(two) == set(FACTS[:4])
    assert raced


def test_an_unfinished_add_of_another_machine_is_left_alone_for_a_day(
    machines: list[KnowledgeStore], client: ClientAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_collection(
        "passages-0123456789abcdef", metadata={"made": int(time.time())}, embedding_function=None
    )
    machines[0].add([source("files/a", *FACTS)], Words())
    assert "passages-0123456789abcdef" in names(client)
    monkeypatch.setattr("knowledge_base.home._UNFINISHED_S", -1)
    machines[0].add([source("files/b", "More.")], Words())
    assert "passages-0123456789abcdef" not in names(client)


def test_other_collections_on_the_server_are_not_touched(
    machines: list[KnowledgeStore], client: ClientAPI
) -> None:
    client.create_collection("somebody-elses", embedding_function=None)
    machines[0].add([source("files/a", *FACTS)], Words())
    machines[0].add([source("files/a", "New.")], Words())
    assert "somebody-elses" in names(client)


def test_a_server_that_was_set_up_anew_is_not_mixed_with_the_old_copy(
    machines: list[KnowledgeStore], client: ClientAPI
) -> None:
    one, two = machines
    one.add([source("files/a", *FACTS)], Words())
    assert texts(two) == set(FACTS)
    one.close()
    two.close()
    for name in names(client):
        client.delete_collection(name)
    one.add([source("files/new", "New.")], Words("another@1"))
    assert texts(two, Words("another@1")) == {"New."}


def test_a_server_that_stops_is_said_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge_base.home._FOLLOW_EVERY_S", 0)
    server = start(tmp_path / "server")
    store = KnowledgeStore(tmp_path / "machine", server=server.url)
    try:
        store.add([source("files/a", *FACTS)], Words())
        stop(server)
        for use in (lambda: texts(store), lambda: store.add([source("files/b", "New.")], Words())):
            with pytest.raises(StoreUnreachable, match="chroma run") as caught:
                use()
            assert caught.value.retryable
            assert server.url in str(caught.value)
            assert "\n" not in str(caught.value)
        server = start(server.folder, server.port)
        assert texts(store) == set(FACTS)
    finally:
        store.close()
        stop(server)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9",
        "127.0.0.1:8000",
        "ftp://127.0.0.1",
        "http://",
        "",
        "http://127.0.0.1:99999",
        "http://a@b/x",
    ],
)
def test_an_address_where_no_server_is(tmp_path: Path, url: str) -> None:
    store = KnowledgeStore(tmp_path, server=url)
    with pytest.raises(StoreUnreachable, match="check that it runs") as caught:
        store.add([source("files/a", *FACTS)], Words())
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_answer_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge_base.chroma._CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = KnowledgeStore(tmp_path, server=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(StoreUnreachable, match="timed out"):
            store.documents()


@pytest.mark.parametrize(
    "answer", [(401, b'{"error": "x"}'), (500, b"<html>"), (200, b"hello"), (200, b"{}")]
)
def test_something_else_that_answers(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    seen: list[str | None] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *args: object) -> None:
            pass

    serving = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        store = KnowledgeStore(
            tmp_path, server=f"http://127.0.0.1:{serving.server_port}", token="secret-token"
        )
        with pytest.raises(StoreError) as caught:
            store.add([source("files/a", *FACTS)], Words())
        assert "\n" not in str(caught.value)
        assert "secret-token" not in str(caught.value)
        assert seen[0] == "Bearer secret-token"
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
