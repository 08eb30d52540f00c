"""The small CLIP of `small_clip`, drawn once, and its files: fixtures for whoever learns with a CLIP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools.clip.small_clip import (
    Files,
    draw_clip,
    published_layout,
    small_shape,
    write_parts,
    write_weights,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine cost small tensors a hundredfold."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def clip() -> Any:
    return draw_clip(small_shape())


@pytest.fixture(scope="session")
def files(clip: Any, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Weights as open_clip publishes them, prompts as the authors of AnomalyCLIP do."""
    import torch

    folder = tmp_path_factory.mktemp("clip")
    prompts = folder / "epoch_15.pth"
    torch.save(published_layout(clip), prompts)
    return Files(write_weights(clip, folder), prompts)


@pytest.fixture
def marked_folder(tmp_path: Path) -> Path:
    """good/, bad/ and masks/ with six pictures each."""
    return write_parts(tmp_path / "parts")
