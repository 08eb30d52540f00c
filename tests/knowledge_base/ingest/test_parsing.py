"""Files are parsed in a process of their own: what hangs, swells or dies there harms only its own file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Paragraph
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.parsing import Parser

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks at processes as POSIX shows them")


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text("One.\n\nTwo.\n")
    return path


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text("A paragraph of words.\n\n" * 60_000)
    return path


def pid_of(parser: Parser) -> int:
    (worker,) = parser._idle
    return worker._process.pid


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_process_serves_file_after_file_and_ends_with_its_owner(text_file):
    parser = Parser(Limits())
    assert Paragraph("One.\n") in list(parser.blocks(text_file, ".txt"))
    pid = pid_of(parser)
    list(parser.blocks(text_file, ".txt"))
    assert pid_of(parser) == pid
    del parser
    assert not lives(pid)


def test_a_file_that_is_left_in_the_middle_leaves_no_process(text_file, long_file):
    parser = Parser(Limits())
    list(parser.blocks(text_file, ".txt"))
    pid = pid_of(parser)
    reading = parser.blocks(long_file, ".txt")
    next(reading)
    reading.close()
    assert not lives(pid)
    assert Paragraph("One.\n") in list(parser.blocks(text_file, ".txt"))


def test_a_bad_file_does_not_cost_the_next_one(text_file, tmp_path):
    parser = Parser(Limits())
    (tmp_path / "bad.pdf").write_bytes(b"no pdf")
    for _ in range(2):
        with pytest.raises(DocumentInvalid, match="is no PDF"):
            list(parser.blocks(tmp_path / "bad.pdf", ".pdf"))
        assert len(list(parser.blocks(text_file, ".txt"))) > 1


def test_a_parser_that_is_killed_is_an_error_of_the_file(text_file, long_file):
    parser = Parser(Limits())
    list(parser.blocks(text_file, ".txt"))
    pid = pid_of(parser)
    reading = parser.blocks(long_file, ".txt")
    next(reading)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(DocumentInvalid, match=r"its parser died \(exit status -9\)"):
        list(reading)
    assert len(list(parser.blocks(text_file, ".txt"))) > 1


@pytest.mark.timeout(60)
def test_a_file_that_takes_too_long_is_given_up(tmp_path):
    path = tmp_path / "slow.html"
    path.write_text("<a " * 300_000)  # Python's parser needs quadratic time for tags that never end
    began = time.monotonic()
    with pytest.raises(DocumentInvalid, match="takes too long"):
        list(Parser(Limits(stall_s=3)).blocks(path, ".html"))
    assert time.monotonic() - began < 30


@pytest.mark.timeout(60)
def test_the_time_of_a_file_is_bounded_in_all(long_file):
    with pytest.raises(DocumentInvalid, match="takes too long"):
        list(Parser(Limits(file_s=0.0)).blocks(long_file, ".txt"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds address space reliably")
def test_a_file_that_swells_is_given_up(tmp_path):
    path = tmp_path / "many.html"
    path.write_text("<p>a" * 400_000)
    with pytest.raises(DocumentInvalid, match=r"too much memory|its parser died"):
        list(Parser(Limits(memory_bytes=250_000_000)).blocks(path, ".html"))


def test_the_parser_gets_no_keys_of_ours(text_file, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    parser = Parser(Limits())
    list(parser.blocks(text_file, ".txt"))
    environment = Path(f"/proc/{pid_of(parser)}/environ")
    if not environment.exists():
        pytest.skip("no /proc here")
    assert b"secret" not in environment.read_bytes()


def test_a_slow_consumer_is_waited_for(long_file):
    reading = Parser(Limits(file_s=30)).blocks(long_file, ".txt")
    next(reading)
    time.sleep(0.5)
    assert sum(1 for _ in reading) == 60_000


def test_the_parsing_process_starts_fast():
    code = "import sys, knowledge_base.ingest.worker; print('pydantic' in sys.modules, 'yaml' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.split() == ["False", "False"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_a_long_pdf_is_not_held_in_memory(pdf, tmp_path):
    page = b"%%%s\nBT /F1 10 Tf (Text.) Tj ET" % (b"x" * 400_000)
    path = tmp_path / "long.pdf"
    path.write_bytes(pdf(*[[]] * 120, contents=dict.fromkeys(range(1, 121), page)))
    parser = Parser(Limits())
    (tmp_path / "short.pdf").write_bytes(pdf([(10, "Text.")]))
    list(parser.blocks(tmp_path / "short.pdf", ".pdf"))
    status = Path(f"/proc/{pid_of(parser)}/status")
    before = peak_kb(status)
    pages = {block.page: peak_kb(status) for block in parser.blocks(path, ".pdf")}
    assert len(pages) == 120
    assert pages[120] - before < 30_000  # of a file of 48 MB


def peak_kb(status: Path) -> int:
    return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
