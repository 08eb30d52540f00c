"""One converted backbone for all tests of the experts, and a surface to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.experts.backbones import EmbeddedBackbone
from tools.types import Pixels


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def backbone(model_cache: Path) -> EmbeddedBackbone:
    return EmbeddedBackbone(model_cache)


def draw_surface(seed: int, height: int = 240, width: int = 240) -> Pixels:
    """Brushed metal: long soft streaks, another place of the same surface for each seed."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 6, sigmaY=1.2)
    grey = 120 + 25 * grain / grain.std() + rng.normal(0, 1.5, grain.shape)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def draw_scratch(image: Pixels) -> Pixels:
    """A bright scratch across the streaks, around (170, 70)."""
    return cv2.line(image.copy(), (160, 50), (180, 90), (250, 250, 250), 3, cv2.LINE_AA).astype(np.uint8)


@pytest.fixture(scope="session")
def surface() -> Callable[..., Pixels]:
    return draw_surface


@pytest.fixture(scope="session")
def scratched() -> Callable[[Pixels], Pixels]:
    return draw_scratch
