"""The embedded backbone: equal to timm's, converted once, and safe against damage and races."""

from __future__ import annotations

import hashlib
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run

import numpy as np
import pytest

from tools.errors import ExpertUnavailable
from tools.experts import onnx_export
from tools.experts.backbones import EmbeddedBackbone
from tools.types import Pixels


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(320, 320), (96, 224), (97, 131)])
def test_features_equal_those_of_timm(backbone: EmbeddedBackbone, size: tuple[int, int]) -> None:
    import timm
    import torch

    model = timm.create_model(
        "tf_efficientnet_lite0", pretrained=False, features_only=True, out_indices=(2, 3)
    ).eval()
    weights = onnx_export.load_weights()
    model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=False)))
    images = np.stack([noise(*size), noise(*size, seed=1)])
    with torch.no_grad():
        expected = model(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1)
    for ours, theirs in zip(backbone.features(images), expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs.permute(0, 2, 3, 1).numpy(), atol=2e-4)


def test_an_image_does_not_depend_on_its_neighbours(backbone: EmbeddedBackbone) -> None:
    pair = np.stack([noise(64, 96), noise(64, 96, seed=1)])
    for together, alone in zip(backbone.features(pair), backbone.features(pair[1:]), strict=True):
        assert np.array_equal(together[1], alone[0])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((1, 32, 32, 4), np.uint8),
        np.zeros((1, 32, 32, 3), np.float32),
        np.zeros((0, 32, 32, 3), np.uint8),
    ],
)
def test_arrays_of_another_kind_are_refused(backbone: EmbeddedBackbone, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 images of shape"):
        backbone.features(images)


def test_more_sizes_than_sessions_are_kept(backbone: EmbeddedBackbone) -> None:
    first = backbone.features(noise(32, 32)[None])
    for width in range(40, 120, 8):
        backbone.features(noise(32, width)[None])
    assert np.array_equal(backbone.features(noise(32, 32)[None])[0], first[0])


def test_embedding_finds_the_same_surface_again(
    backbone: EmbeddedBackbone, surface: Callable[..., Pixels]
) -> None:
    brushed, other_place = backbone.embed(surface(0)), backbone.embed(surface(1, 300, 200))
    unlike = backbone.embed(noise(200, 200))
    assert brushed.dtype == np.float32
    assert float(np.linalg.norm(brushed)) == pytest.approx(1, abs=1e-5)
    assert brushed @ other_place > 0.9
    assert brushed @ other_place > brushed @ unlike + 0.1


def test_a_flat_or_tiny_image_has_a_finite_embedding(backbone: EmbeddedBackbone) -> None:
    for image in (np.zeros((50, 50, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)):
        assert np.isfinite(backbone.embed(image)).all()


def test_once_converted_torch_is_not_imported(model_cache: Path, backbone: EmbeddedBackbone) -> None:
    backbone.features(noise(32, 32)[None])
    program = (
        "import sys, numpy as np; from pathlib import Path; "
        "from tools.experts.backbones import EmbeddedBackbone; "
        f"EmbeddedBackbone(Path({str(model_cache)!r})).features(np.zeros((1, 32, 32, 3), np.uint8)); "
        "assert not {'torch', 'timm', 'onnx'} & set(sys.modules), 'heavy import'"
    )
    root = Path(__file__).parents[3]
    result = run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_damaged_file_is_converted_again(tmp_path: Path) -> None:
    whole = onnx_export.cached_model(tmp_path)
    (path,) = tmp_path.iterdir()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1  # still valid ONNX, but other weights
    for content in (bytes(changed), whole[:1000], b""):
        path.write_bytes(content)
        assert onnx_export.cached_model(tmp_path) == whole
        assert path.read_bytes() == whole
        assert list(tmp_path.iterdir()) == [path]


def test_a_whole_file_is_not_converted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = onnx_export.cached_model(tmp_path)

    def fail() -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(onnx_export, "load_weights", fail)
    assert onnx_export.cached_model(tmp_path) == whole


def _convert(folder: str) -> str:
    return hashlib.sha256(onnx_export.cached_model(Path(folder))).hexdigest()


def test_two_processes_convert_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(_convert, [str(tmp_path)] * 2, chunksize=1)
    assert first == second
    (path,) = tmp_path.iterdir()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == first


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = bytearray(onnx_export.weights_file().read_bytes())
    changed[-1] ^= 1
    path = tmp_path / "weights.pth"
    path.write_bytes(changed)
    monkeypatch.setattr(onnx_export, "weights_file", lambda: path)
    with pytest.raises(ExpertUnavailable, match=r"damaged.*pip install"):
        EmbeddedBackbone(tmp_path / "cache").features(noise(32, 32)[None])
    path.unlink()
    with pytest.raises(ExpertUnavailable, match=r"cannot read.*pip install"):
        EmbeddedBackbone(tmp_path / "cache").features(noise(32, 32)[None])


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "_PACKAGE", "no_such_package_at_all")
    with pytest.raises(ExpertUnavailable, match="pip install"):
        EmbeddedBackbone(tmp_path).features(noise(32, 32)[None])


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(ExpertUnavailable, match="cannot write"):
        EmbeddedBackbone(blocked).features(noise(32, 32)[None])
