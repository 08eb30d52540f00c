"""anomalib's PatchCore as an expert, and as the measure of our own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models import AnomalibPatchCoreExpert
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.onnx_export import load_weights
from tools.experts.patchcore import PatchCoreExpert
from tools.experts.patches import Bank, patch_grid, pixel_map
from tools.types import Pixels

Surface = Callable[..., Pixels]


@pytest.fixture(scope="module")
def anomalib_patchcore() -> type[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    return PatchcoreModel


@pytest.fixture(scope="module")
def expert(anomalib_patchcore: type[Any]) -> AnomalibPatchCoreExpert:
    return AnomalibPatchCoreExpert()


def tensor(image: Pixels) -> Any:
    import torch

    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("size", [(224, 224), (160, 256)])
def test_our_numbers_are_anomalibs(
    anomalib_patchcore: type[Any],
    backbone: EmbeddedBackbone,
    surface: Surface,
    scratched: Callable[[Pixels], Pixels],
    size: tuple[int, int],
) -> None:
    """Same weights, same pictures, whole bank, one neighbour, nearest upsampling, sigma 4: features, patch
    distances' maximum (their score) and map agree to float32 rounding."""
    import torch

    theirs = anomalib_patchcore(
        layers=["blocks.2", "blocks.4"], backbone="tf_efficientnet_lite0", pre_trained=False, num_neighbors=1
    )
    network = theirs.feature_extractor.feature_extractor
    network.load_state_dict(dict(zip(network.state_dict(), load_weights().values(), strict=False)))
    good, query = [surface(0, *size), surface(1, *size)], scratched(surface(2, *size))
    theirs.train()
    embeddings = [theirs(tensor(image)).numpy() for image in good]
    theirs.memory_bank = torch.vstack(theirs.embedding_store)
    theirs.eval()
    expected = theirs(tensor(query))

    grids = [patch_grid(backbone, image) for image in good]
    for grid, embedding in zip(grids, embeddings, strict=True):
        np.testing.assert_allclose(grid.reshape(embedding.shape), embedding, atol=2e-4)
    bank = Bank(np.concatenate([grid.reshape(-1, grid.shape[2]) for grid in grids]))
    distances = bank.distances(patch_grid(backbone, query))
    assert distances.max() == pytest.approx(float(expected.pred_score), rel=1e-4)
    ours = pixel_map(distances, size, sigma_px=4, upsampling="nearest")
    np.testing.assert_allclose(ours, expected.anomaly_map[0, 0].numpy(), rtol=1e-3)


def test_a_scratch_is_found(
    expert: AnomalibPatchCoreExpert, surface: Surface, scratched: Callable[[Pixels], Pixels]
) -> None:
    fitted = expert.fit([surface(seed) for seed in range(3)])
    found, good = fitted.read(scratched(surface(50))), fitted.read(surface(51)).reading
    assert found.reading.expert == "anomalib-patchcore"
    assert found.reading.zone != "normal"
    assert found.map_values.shape == (240, 240)
    box = found.reading.regions[0].box
    assert box.x0 < 170 < box.x1
    assert box.y0 < 70 < box.y1
    assert good.zone == "normal"
    assert good.score < found.reading.score


def test_it_keeps_the_same_contract_as_ours(
    expert: AnomalibPatchCoreExpert, backbone: EmbeddedBackbone, surface: Surface
) -> None:
    theirs, ours = expert.fit([surface(0)]), PatchCoreExpert(backbone).fit([surface(0)])
    assert theirs.calibration.reliability == ours.calibration.reliability == "low"
    assert theirs.calibration.method == ours.calibration.method
    again = theirs.read(surface(0)).reading
    assert again.zone == "normal"
    assert again.score < 1
    first, second = (theirs.read(surface(1)) for _ in range(2))
    assert np.array_equal(first.map_values, second.map_values)


def test_a_local_folder_is_a_backbone(tmp_path: Path, surface: Surface) -> None:
    import timm
    from timm.models import save_for_hf

    model = timm.create_model("test_resnet", pretrained=False)
    save_for_hf(model, str(tmp_path / "weights"), safe_serialization=True)
    fitted = AnomalibPatchCoreExpert(f"local-dir:{tmp_path / 'weights'}").fit([surface(0, 64, 64)])
    assert fitted.read(surface(0, 64, 64)).reading.zone == "normal"
    weights = tmp_path / "weights" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ExpertUnavailable, match="needs whole weights"):
        AnomalibPatchCoreExpert(f"local-dir:{tmp_path / 'weights'}").fit([surface(0, 64, 64)])


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("wide_resnet50_2", "hf download timm/wide_resnet50_2"),
        ("no_such_net", "timm has no model"),
        ("vit_small_patch14_dinov2", "convolutional"),
        ("local-dir:/nowhere", "config.json"),
    ],
)
def test_missing_weights_fail_at_once_and_say_how_to_get_them(
    backbone: str, message: str, surface: Surface
) -> None:
    with pytest.raises(ExpertUnavailable, match=message):
        AnomalibPatchCoreExpert(backbone).fit([surface(0)])


def test_no_good_image_is_refused(expert: AnomalibPatchCoreExpert) -> None:
    with pytest.raises(ValueError, match="at least one good image"):
        expert.fit([])
