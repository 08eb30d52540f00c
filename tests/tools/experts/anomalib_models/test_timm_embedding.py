"""Whole images as vectors by a timm backbone: of one size, repeatable, and named by their weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ExpertUnavailable
from tools.experts.timm_embedding import TimmEmbedding


@pytest.fixture(params=["test_resnet", "test_vit"])
def folder(timm_folder: Callable[..., Path], request: pytest.FixtureRequest) -> Path:
    return timm_folder(request.param)


def test_an_image_becomes_one_vector_whatever_its_size(folder: Path) -> None:
    embedding = TimmEmbedding(f"local-dir:{folder}")
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (90, 140, 3)).astype(np.uint8)
    vector = embedding.embed(image)
    assert vector.dtype == np.float32
    assert vector.ndim == 1
    assert np.isfinite(vector).all()
    assert np.array_equal(embedding.embed(image), vector)
    other = embedding.embed(rng.integers(0, 255, (300, 20, 3)).astype(np.uint8))
    assert other.shape == vector.shape
    assert not np.allclose(other, vector)


def test_the_name_follows_the_weights(timm_folder: Callable[..., Path]) -> None:
    one, other = (TimmEmbedding(f"local-dir:{timm_folder('test_resnet', seed=seed)}") for seed in (0, 1))
    assert one.name != other.name
    assert one.name.startswith("test_resnet ")


def test_a_large_transformer_sees_a_smaller_picture(timm_folder: Callable[..., Path]) -> None:
    embedding = TimmEmbedding(f"local-dir:{timm_folder('test_vit', img_size=448)}")
    vector = embedding.embed(np.full((50, 60, 3), 90, np.uint8))
    assert np.isfinite(vector).all()


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ExpertUnavailable, match="holds no timm model"):
        TimmEmbedding(f"local-dir:{tmp_path}")
