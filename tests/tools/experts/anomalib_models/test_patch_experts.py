"""PatchCore and AnomalyDINO against anomalib's own numbers and against ours, and on backbones of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import ExpertError, ExpertUnavailable
from tools.experts.anomalib_models import (
    AnomalibPatchCoreExpert,
    AnomalibPatchCoreOptions,
    AnomalyDinoExpert,
    AnomalyDinoOptions,
)
from tools.experts.anomalib_models.opening import imported
from tools.experts.anomalib_models.patches import thinned
from tools.experts.backbones import EmbeddedBackbone
from tools.experts.base import Scope
from tools.experts.onnx_export import load_weights
from tools.experts.patches import Bank, patch_grid, pixel_map
from tools.masks import Mask
from tools.types import Box, Pixels

pytestmark = pytest.mark.xdist_group("anomalib")

Surface = Callable[..., Pixels]


def tensor(image: Pixels, mean: float = 0.5, std: float = 0.5) -> Any:
    import torch

    return (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - mean) / std


@pytest.fixture(scope="module")
def anomalib_patchcore() -> Any:
    theirs = imported("anomalib.models.image.patchcore.torch_model").PatchcoreModel(
        layers=["blocks.2", "blocks.4"], backbone="tf_efficientnet_lite0", pre_trained=False, num_neighbors=1
    )
    network = theirs.feature_extractor.feature_extractor
    network.load_state_dict(dict(zip(network.state_dict(), load_weights().values(), strict=False)))
    return theirs


def remember(theirs: Any, goods: list[Any]) -> list[Any]:
    import torch

    theirs.train()
    theirs.embedding_store.clear()
    for good in goods:
        theirs(good)
    embeddings = list(theirs.embedding_store)
    theirs.memory_bank = torch.vstack(embeddings)
    theirs.eval()
    return embeddings


@pytest.mark.parametrize("size", [(320, 320), (192, 320)])
def test_both_patchcores_and_anomalibs_own_model_agree(
    anomalib_patchcore: Any,
    backbone: EmbeddedBackbone,
    surface: Surface,
    scratched: Callable[[Pixels], Pixels],
    size: tuple[int, int],
) -> None:
    """Same weights, pictures, whole bank, one neighbour, nearest upsampling, sigma 4: features, patch
    distances and map agree to float32 rounding between anomalib, our expert on it, and our own runtime."""
    good, query = [surface(0, *size), surface(1, *size)], scratched(surface(2, *size))
    embeddings = remember(anomalib_patchcore, [tensor(image) for image in good])
    expected = anomalib_patchcore(tensor(query))
    their_map = expected.anomaly_map[0, 0].numpy()

    measured = AnomalibPatchCoreExpert().fit(good).read(query)
    assert measured.reading.score == pytest.approx(float(their_map.max()), rel=1e-4)
    np.testing.assert_allclose(measured.map_values, their_map, rtol=1e-3)

    grids = [patch_grid(backbone, image) for image in good]
    for grid, embedding in zip(grids, embeddings, strict=True):
        np.testing.assert_allclose(grid.reshape(embedding.shape), embedding.numpy(), atol=2e-4)
    bank = Bank(np.concatenate([grid.reshape(-1, grid.shape[2]) for grid in grids]))
    distances = bank.distances(patch_grid(backbone, query))
    assert distances.max() == pytest.approx(float(expected.pred_score), rel=1e-4)
    ours = pixel_map(distances, size, sigma_px=4, upsampling="nearest")
    np.testing.assert_allclose(ours, measured.map_values, rtol=1e-3)


def test_a_transformers_patchcore_is_anomalibs(transformer: Path, surface: Surface) -> None:
    good, query = surface(0, 448, 320), surface(1, 448, 320)
    expert = AnomalibPatchCoreExpert(f"local-dir:{transformer}")
    fitted = expert.fit([good])
    fitted._bank = fitted._detector.bank(fitted._known.sights[:1])  # without the copies
    theirs = fitted._detector._model
    assert theirs.layers == ["blocks.2", "blocks.3"]
    config = theirs.feature_extractor.feature_extractor.pretrained_cfg
    mean, std = config["mean"][0], config["std"][0]
    remember(theirs, [tensor(good, mean, std)])
    expected = theirs(tensor(query, mean, std)).anomaly_map[0, 0].numpy()
    np.testing.assert_allclose(fitted.read(query).map_values, expected, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_anomalydino_is_anomalibs(dino: Path, surface: Surface, neighbours: int) -> None:
    import torch

    options = AnomalyDinoOptions(neighbours=neighbours)
    fitted = AnomalyDinoExpert(f"local-dir:{dino}", options).fit([surface(0, 448, 336), surface(1, 448, 336)])
    theirs = fitted._detector._model
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    prepared = [
        tensor(surface(seed, 448, 336), mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)) for seed in range(3)
    ]
    theirs.num_neighbours = neighbours
    theirs.train()
    for picture in prepared[:2]:
        theirs(picture)
    theirs.fit()
    theirs.eval()
    expected = theirs(prepared[2])
    measured = fitted.read(surface(2, 448, 336))
    assert measured.reading.score == pytest.approx(float(expected.pred_score), rel=1e-3, abs=1e-5)
    np.testing.assert_allclose(measured.map_values, expected.anomaly_map[0, 0].numpy(), rtol=1e-3, atol=1e-5)


def test_a_backbone_is_what_it_is_and_not_what_its_folder_is_called(
    experts: dict[str, Any], surface: Surface
) -> None:
    """The folders' names say the contrary, and anomalib goes by names."""
    image = surface(0, 112, 160)
    strides = {
        name: experts[name].fit([image]).state().arrays["0.kept"].shape
        for name in ("convolutional", "transformer", "dino")
    }
    assert strides == {"convolutional": (28, 40), "transformer": (20, 28), "dino": (22, 32)}


def test_other_dinos_fit_too(timm_folder: Callable[..., Path], surface: Surface) -> None:
    third = timm_folder("vit_small_patch16_dinov3", embed_dim=32, num_heads=2)
    fitted = AnomalyDinoExpert(f"local-dir:{third}").fit([surface(0, 64, 64)])
    assert fitted.read(surface(0, 64, 64)).reading.zone == "normal"


def test_a_backbone_that_is_no_dino_is_refused(
    transformer: Path, timm_folder: Callable[..., Path], surface: Surface
) -> None:
    assert "needs a DINO backbone" in (AnomalyDinoExpert(f"local-dir:{transformer}").obstacle() or "")
    shallow = timm_folder("vit_small_patch14_dinov2", embed_dim=32, num_heads=2, img_size=56, depth=3)
    with pytest.raises(ExpertUnavailable, match="has 3 blocks"):
        AnomalyDinoExpert(f"local-dir:{shallow}").fit([surface(0, 64, 64)])


def test_a_network_without_the_strides_is_refused(timm_folder: Callable[..., Path], surface: Surface) -> None:
    folder = timm_folder("mixer_s32_224")
    with pytest.raises(ExpertUnavailable, match="cannot be used"):
        AnomalibPatchCoreExpert(f"local-dir:{folder}").fit([surface(0, 64, 64)])


@pytest.mark.parametrize("spoil", ["missing", "other", "unknown"])
def test_weights_of_another_model_are_refused(
    timm_folder: Callable[..., Path], surface: Surface, spoil: str
) -> None:
    from safetensors.torch import load_file, save_file

    folder = timm_folder("test_resnet")
    tensors = load_file(folder / "model.safetensors")
    if spoil == "missing":
        tensors.pop("layer2.0.conv1.weight")
        save_file(tensors, folder / "model.safetensors")
    elif spoil == "other":
        save_file(load_file(timm_folder("test_vit") / "model.safetensors"), folder / "model.safetensors")
    else:
        config = (folder / "config.json").read_text().replace('"test_resnet"', '"no_such_net"')
        (folder / "config.json").write_text(config)
    with pytest.raises(ExpertUnavailable, match="cannot be used"):
        AnomalibPatchCoreExpert(f"local-dir:{folder}").fit([surface(0, 64, 64)])


def test_weights_that_are_no_numbers_are_an_error_and_no_measurement(
    timm_folder: Callable[..., Path], surface: Surface
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = timm_folder("test_resnet")
    tensors = load_file(folder / "model.safetensors")
    name = "layer2.0.conv1.weight"
    tensors[name] = torch.full_like(tensors[name], float("nan"))
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ExpertError, match="no numbers"):
        AnomalibPatchCoreExpert(f"local-dir:{folder}").fit([surface(0, 64, 64)])


def test_a_name_is_opened_from_the_hub_cache_without_asking_the_hub(
    convolutional: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, surface: Surface
) -> None:
    import shutil

    shutil.copytree(convolutional, tmp_path / "models--timm--test_resnet.r160_in1k" / "snapshots" / "abc")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    fitted = AnomalibPatchCoreExpert("test_resnet").fit([surface(0, 64, 64)])
    assert fitted.read(surface(0, 64, 64)).reading.zone == "normal"


def test_a_large_bank_is_thinned_and_small_ones_are_not(convolutional: Path, surface: Surface) -> None:
    goods = [surface(seed, 96, 96) for seed in range(3)]
    whole = AnomalibPatchCoreExpert(f"local-dir:{convolutional}").fit(goods)
    query = whole.read(surface(9, 96, 96)).reading.score
    for thinning in ("random", "coreset"):
        options = AnomalibPatchCoreOptions(bank_rows=1000, thinning=thinning)
        fitted = AnomalibPatchCoreExpert(f"local-dir:{convolutional}", options).fit(goods)
        assert len(fitted._bank.parts["rows"]) == 1000 < len(whole._bank.parts["rows"]) == 4800
        assert fitted.read(surface(9, 96, 96)).reading.score == pytest.approx(query, rel=0.5)
        assert fitted.calibration.normals == 3


@given(rows=st.integers(3, 60), count=st.integers(1, 20), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_coreset_covers_what_it_stands_for(rows: int, count: int, seed: int) -> None:
    """Distinct rows, and where nothing was drawn off first, none farther from its nearest chosen row than
    twice the best possible (Gonzalez); here: than the chosen ones are from each other."""
    count = min(count, rows - 1)
    drawn = np.random.default_rng(seed).normal(size=(rows, 5)).astype(np.float32)
    chosen = thinned(drawn, count, "coreset")
    assert len(set(chosen.tolist())) == count
    if count > 1 and 2 * count >= rows:
        apart = np.linalg.norm(drawn[:, None] - drawn[chosen][None], axis=2)
        among = apart[chosen] + np.where(np.eye(count, dtype=bool), np.inf, 0)
        assert apart.min(axis=1).max() <= among.min() * (1 + 1e-3)


def test_turned_references_know_a_turned_part(dino: Path, surface: Surface) -> None:
    good = surface(0, 224, 224)
    options = {turns: AnomalyDinoOptions(rotations=turns, long_side_px=224) for turns in (1, 4)}
    scores = {
        turns: AnomalyDinoExpert(f"local-dir:{dino}", option)
        .fit([good])
        .read(np.rot90(good).copy())
        .reading.score
        for turns, option in options.items()
    }
    assert scores[4] < scores[1]


def test_a_corner_that_turns_out_of_the_picture_is_no_error(dino: Path, surface: Surface) -> None:
    roi = Mask.of_box(Box(x0=0, y0=0, x1=20, y1=20), 224, 64)
    expert = AnomalyDinoExpert(f"local-dir:{dino}", AnomalyDinoOptions(rotations=4, long_side_px=224))
    fitted = expert.fit([surface(0, 64, 224)], Scope(roi=roi))
    assert fitted.read(surface(0, 64, 224)).reading.zone == "normal"


def test_masking_comes_out_the_same_and_leaves_numpys_numbers_alone(
    experts: dict[str, Any], surface: Surface
) -> None:
    fitted = experts["masked dino"].fit([surface(0, 112, 112)])
    np.random.seed(5)  # noqa: NPY002
    first = fitted.read(surface(1, 112, 112))
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert np.random.random() == drawn  # noqa: NPY002
    assert np.array_equal(first.map_values, fitted.read(surface(1, 112, 112)).map_values)


@pytest.mark.parametrize(
    "options",
    [
        lambda: AnomalibPatchCoreOptions(long_side_px=8),
        lambda: AnomalibPatchCoreOptions(bank_rows=0),
        lambda: AnomalibPatchCoreOptions(thinning="clever"),  # type: ignore[arg-type]
        lambda: AnomalyDinoOptions(neighbours=0),
        lambda: AnomalyDinoOptions(rotations=0),
    ],
)
def test_options_out_of_range_are_refused(options: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        options()
