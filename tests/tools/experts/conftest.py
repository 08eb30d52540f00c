"""One converted backbone for all tests of the experts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.experts.backbones import EmbeddedBackbone


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def backbone(model_cache: Path) -> EmbeddedBackbone:
    return EmbeddedBackbone(model_cache)
