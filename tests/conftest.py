"""What every test gets: a home of its own, no settings from outside, and the drawn example parts."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no deadline", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("no deadline")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job, and children would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

if sys.dont_write_bytecode:  # as in many containers: every process of a test would compile all packages anew
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_WORKER = "PYTEST_XDIST_WORKER"
"""Set in the workers of a run of several."""

EXAMPLES = Path(__file__).parent.parent / "examples" / "images"


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A data folder for the whole run, so that models are converted and documents indexed once.

    Several workers begin with the index that they share; a lone test indexes what it needs.
    """
    folder = tmp_path_factory.mktemp("data")
    if _WORKER in os.environ:
        shutil.copytree(request.getfixturevalue("knowledge_index"), folder / "knowledge")
    return folder


@pytest.fixture(autouse=True)
def _isolated(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's settings and stores out of the tests, and the tests out of theirs."""
    for name in list(os.environ):
        if name.startswith("AGENT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENT_DATA_DIR", str(data_dir))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(data_dir / "no-config"))


@pytest.fixture(scope="session")
def knowledge_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the index of all shipped documents, made once for all workers of a run; not to be written.

    Embedding them is what takes long.
    """
    from knowledge_base.embeddings import MiniLmEmbeddings
    from knowledge_base.load import load_documents
    from knowledge_base.search import KnowledgeBase
    from knowledge_base.store import KnowledgeStore

    folder = tmp_path_factory.getbasetemp()
    if _WORKER in os.environ:
        folder = folder.parent
    store = KnowledgeStore(folder / "knowledge-index", wait_s=280)
    KnowledgeBase(load_documents(), store, MiniLmEmbeddings()).index()
    store.close()
    return folder / "knowledge-index"


@pytest.fixture
def examples() -> Path:
    """Folder of the drawn example parts."""
    return EXAMPLES


@pytest.fixture(scope="session")
def boards_dir() -> Path:
    """Folder of real boards, for tests marked `data`."""
    folder = os.environ.get("INSPECTION_DATA")
    if not folder:
        pytest.skip("set INSPECTION_DATA to the folder with the real boards (deeppcb/, mmad_deeppcb/)")
    return Path(folder)


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"
