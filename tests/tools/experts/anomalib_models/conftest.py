"""Small models in the forms in which real weights come, made once, with random weights that never change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.experts.anomalib_models import (
    AnomalibPatchCoreExpert,
    AnomalyDinoExpert,
    AnomalyDinoOptions,
    WinClipExpert,
)
from tools.experts.anomalib_models.opening import imported

SMALL_CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Small models gain nothing from threads, and lose much where other tests take the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def timm_folder(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Callable[..., Path]:
    """Makes a folder as `timm.models.save_for_hf` writes it."""
    timm = imported("timm")

    def make(architecture: str, *, name: str = "weights", seed: int = 0, **options: Any) -> Path:
        import torch

        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp("timm") / name
        model = timm.create_model(architecture, pretrained=False, **options)
        timm.models.save_for_hf(model, str(folder), safe_serialization=True, model_args=options)
        return folder

    return make


@pytest.fixture(scope="session")
def convolutional(timm_folder: Callable[..., Path]) -> Path:
    """A small residual network; its folder's name has "vit" in it, by which anomalib would be misled."""
    return timm_folder("test_resnet", name="activity")


@pytest.fixture(scope="session")
def transformer(timm_folder: Callable[..., Path]) -> Path:
    """A small vision transformer on patches of 16 px; its folder's name has no "vit" in it."""
    return timm_folder("test_vit", name="plain")


@pytest.fixture(scope="session")
def dino(timm_folder: Callable[..., Path]) -> Path:
    """DINOv2's small architecture, made thin; "base" and no "dino" in its folder's name."""
    return timm_folder("vit_small_patch14_dinov2", name="database", embed_dim=32, num_heads=2, img_size=56)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A small CLIP in the form of open_clip's repositories on the hub."""
    open_clip = imported("open_clip")
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    model = open_clip.model.CLIP(**SMALL_CLIP)
    config = {"model_cfg": SMALL_CLIP, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def experts(convolutional: Path, transformer: Path, dino: Path, clip: Path) -> dict[str, Any]:
    """Every expert of this room, on small models."""
    turned = AnomalyDinoOptions(neighbours=2, masking=True, rotations=3, long_side_px=224)
    return {
        "embedded": AnomalibPatchCoreExpert(),
        "convolutional": AnomalibPatchCoreExpert(f"local-dir:{convolutional}"),
        "transformer": AnomalibPatchCoreExpert(f"local-dir:{transformer}"),
        "dino": AnomalyDinoExpert(f"local-dir:{dino}"),
        "masked dino": AnomalyDinoExpert(f"local-dir:{dino}", turned),
        "winclip": WinClipExpert(str(clip)),
    }
