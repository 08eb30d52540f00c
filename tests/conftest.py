"""What every test gets: a home of its own, no settings from outside, small drawn images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a developer's settings and stores out of the tests, and the tests out of theirs."""
    for name in list(os.environ):
        if name.startswith("AGENT_"):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("AGENT_DATA_DIR", str(home))


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
