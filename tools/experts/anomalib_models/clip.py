"""open_clip weights from this machine, opened as anomalib's `WinClipModel`."""

from __future__ import annotations

import json
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models.opening import checked_normalisation, imported, unusable
from tools.experts.anomalib_models.weights import cached_snapshot, check_whole, digest_of, read_config

HUB_REPOSITORY: Final = "timm/vit_base_patch16_plus_clip_240.laion400m_e31"
"""The CLIP of the WinCLIP paper, ViT-B/16+ at 240 px."""

DOWNLOAD: Final = f"hf download {HUB_REPOSITORY} --include 'open_clip*'"
"""The command that brings it."""

ARCHITECTURE: Final = "ViT-B-16-plus-240"
"""open_clip's name for it."""

_CONFIG: Final = "open_clip_config.json"
_WEIGHTS: Final = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)

_naming = threading.Lock()


@dataclass(frozen=True)
class ClipWeights:
    """Where a CLIP lies: its weights, and its description, or open_clip's name for it where there is none."""

    weights: Path
    config: Path | None
    architecture: str

    @property
    def digest(self) -> str:
        """Changes with the content of the files."""
        files = (self.weights, self.config) if self.config else (self.weights,)
        return f"{self.architecture} {digest_of(*files)}"


def find_clip(place: str | None, architecture: str) -> ClipWeights:
    """The weights of a CLIP.

    Args:
        place: a folder in the form of open_clip's repositories on the hub (open_clip_config.json beside
            open_clip_model.safetensors or open_clip_pytorch_model.bin), a file of weights, or None for the
            Hugging Face cache.
        architecture: open_clip's name for a file of weights, which does not tell.

    Raises:
        ExpertUnavailable: there are none, or they are damaged.
    """
    if place is None:
        folder = cached_snapshot(HUB_REPOSITORY, _is_clip_folder)
        if folder is None:
            raise ExpertUnavailable(f"no CLIP weights on this machine: {DOWNLOAD}")
    else:
        folder = Path(place).expanduser()
    if folder.is_file():
        found = ClipWeights(folder, None, architecture)
    elif _is_clip_folder(folder):
        weights = next(folder / name for name in _WEIGHTS if (folder / name).is_file())
        found = ClipWeights(weights, folder / _CONFIG, "")
        _model_config(folder / _CONFIG)
    else:
        raise ExpertUnavailable(
            f"{folder} holds no CLIP: it needs {_CONFIG} and {' or '.join(_WEIGHTS)}, as brought by "
            f"{DOWNLOAD}"
        )
    if found.weights.suffix == ".safetensors":
        check_whole(found.weights)
    return found


def _is_clip_folder(folder: Path) -> bool:
    return (folder / _CONFIG).is_file() and any((folder / name).is_file() for name in _WEIGHTS)


def _model_config(path: Path) -> dict[str, Any]:
    """open_clip's description of a model, of towers that it holds itself.

    Raises:
        ExpertUnavailable: it is no such description, or names a tower or a tokenizer of the hub.
    """
    model = read_config(path).get("model_cfg")
    model = model if isinstance(model, dict) else {}
    towers = [part for name in ("vision_cfg", "text_cfg") if isinstance(part := model.get(name), dict)]
    if "embed_dim" not in model or len(towers) < 2:
        raise ExpertUnavailable(f"{path} describes no model of open_clip: get it again")
    foreign = [key for part in (model, *towers) for key in part if key.startswith(("hf_", "timm_"))]
    if foreign:
        raise ExpertUnavailable(
            f"{path} wants parts from elsewhere ({', '.join(sorted(foreign))}); WinCLIP needs a CLIP whose "
            f"towers are open_clip's own: {DOWNLOAD}"
        )
    return model


@dataclass(frozen=True)
class OpenedClip:
    """anomalib's model over a CLIP, the side of the square that it takes, the channels of its embeddings."""

    model: Any
    side_px: int
    channels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def open_clip_model(found: ClipWeights) -> OpenedClip:
    """Make anomalib's `WinClipModel` on these weights.

    anomalib has open_clip fetch weights by name. Made without any, and given them afterwards, it asks nobody.

    Raises:
        ExpertUnavailable: the weights are not of a CLIP that WinCLIP can use.
    """
    # The tokenizer and towers; imported first, so that anomalib's own import of it finds it.
    imported("open_clip")
    theirs = imported("anomalib.models.image.winclip.torch_model")
    mean, std = _CLIP_MEAN, _CLIP_STD
    if found.config is not None:
        preparation = read_config(found.config).get("preprocess_cfg")
        preparation = preparation if isinstance(preparation, dict) else {}
        mean, std = checked_normalisation(preparation.get("mean", mean), preparation.get("std", std))
    try:
        model = _without_weights(theirs, found)
        model.clip.load_state_dict(_tensors(found.weights))
        visual = model.clip.visual
        side_px, channels = int(visual.image_size[0]), int(visual.output_dim)
    except Exception as error:  # a user's files can break open_clip in any way
        raise unusable(str(found.weights), error) from error
    return OpenedClip(model.eval(), side_px, channels, mean, std)


def _without_weights(theirs: Any, found: ClipWeights) -> Any:  # noqa: ANN401
    """The model untrained: anomalib takes both from names in its module, not from arguments."""
    architecture = found.architecture if found.config is None else _registered(found)
    with _naming:
        before = theirs.BACKBONE, theirs.PRETRAINED
        theirs.BACKBONE, theirs.PRETRAINED = architecture, None
        try:
            return theirs.WinClipModel()
        finally:
            theirs.BACKBONE, theirs.PRETRAINED = before


def _registered(found: ClipWeights) -> str:
    """Tell open_clip of a description, under a name that follows from its content."""
    if found.config is None:
        return found.architecture
    name = f"local-{digest_of(found.config)}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.json"
        path.write_text(json.dumps(_model_config(found.config)))
        imported("open_clip").add_model_config(path)
    return name


def _tensors(path: Path) -> dict[str, Any]:
    """Tensors of a file of weights; a pickle that holds anything else is refused."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    content = torch.load(path, map_location="cpu", weights_only=True)
    tensors = content.get("state_dict", content)
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
