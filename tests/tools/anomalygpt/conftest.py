from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tools.anomalygpt.speaking import speaking
from tests.tools.anomalygpt.tiny import write_lm, write_marked
from tests.tools.clip.fixtures import clip, one_thread
from tools.image import ImageStore
from tools.types import Pixels

__all__ = ["clip", "lm", "one_thread", "plates", "speaking"]


@pytest.fixture(scope="session")
def lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random language model."""
    return write_lm(tmp_path_factory.mktemp("lm"))


@pytest.fixture(scope="session")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four good plates, and four with a blot in a corner."""
    return write_marked(tmp_path_factory.mktemp("plates"))


def pixels_of(path: Path) -> Pixels:
    images = ImageStore()
    return images.pixels(images.open(path))


def parameters_of(module: Any) -> dict[str, Any]:
    """Copies of all parameters."""
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
