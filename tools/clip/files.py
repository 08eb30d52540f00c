"""CLIP's weights from a file: safetensors, a torch state dict, or one of OpenAI's own archives.

No file can run code here. Torch's files are read with `weights_only`, which unpickles tensors and nothing
else. OpenAI published its models as TorchScript archives, which are programs: one is opened only if its
SHA-256 is that of a published one.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from tools.clip.model import Clip, ClipShape
from tools.errors import ExpertUnavailable
from tools.file_digest import file_sha256

if TYPE_CHECKING:
    from torch import Tensor

OPENAI_SHA256: Final = frozenset(
    {
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",  # ViT-B/32
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",  # ViT-B/16
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",  # ViT-L/14
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",  # ViT-L/14@336px
    }
)
"""Of OpenAI's archives of vision transformers, as their addresses name them."""

CONFIG_NAME: Final = "open_clip_config.json"

_OPENAI_MARKS: Final = frozenset({"input_resolution", "context_length", "vocab_size"})
_NOT_NEEDED: Final = _OPENAI_MARKS | {"logit_scale", "logit_bias", "attn_mask"}
_HEAD_WIDTH: Final = 64
_MOST_BYTES: Final = 20 * 2**30


def load_clip(path: Path, *, trusted_archives: Collection[str] = OPENAI_SHA256) -> Clip:
    """A CLIP with the weights of a file, as float32 on the CPU, frozen.

    Which activation it has the weights do not tell: OpenAI's own files have the quick one, any other file
    needs `open_clip_config.json` of its repository beside it.

    Args:
        path: the file.
        trusted_archives: SHA-256 of TorchScript archives that may be opened.

    Raises:
        ExpertUnavailable: the file is missing, damaged, not to be trusted, or not of such a CLIP.
    """
    tensors = read_tensors(path, trusted_archives=trusted_archives)
    shape = _shape(tensors, _activation_config(path, tensors), path)
    with torch.device("meta"):
        clip = Clip(shape)
    kept = {name: tensor.float() for name, tensor in tensors.items() if name not in _NOT_NEEDED}
    try:
        clip.load_state_dict(kept, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1 if "\n" in str(error) else 0].strip()
        raise ExpertUnavailable(f"{path} does not hold a CLIP with a vision transformer: {first}") from error
    return clip.eval().requires_grad_(requires_grad=False)


def read_tensors(
    path: Path, *, trusted_archives: Collection[str] = frozenset(), most_bytes: int = _MOST_BYTES
) -> dict[str, Tensor]:
    """All tensors of a file by name, on the CPU; a dict of one key around them, and "module.", are taken off.

    Raises:
        ExpertUnavailable: there is no such file, or it is damaged, too large, or not to be trusted.
    """
    try:
        held = _read(path, trusted_archives, most_bytes)
    except ExpertUnavailable:
        raise
    except FileNotFoundError as error:
        raise ExpertUnavailable(f"there is no file {path}; check the path") from error
    except Exception as error:  # damaged and hostile files make the readers raise what they like
        said = str(error).splitlines()[0][:120] if str(error) else "no message"
        raise ExpertUnavailable(
            f"{path} cannot be read as weights ({type(error).__name__}: {said}); download or save it again"
        ) from error
    while isinstance(held, Mapping) and len(held) >= 1 and not _is_flat(held):
        inner = [value for key, value in held.items() if key in ("state_dict", "prompt_learner")]
        if len(inner) != 1:
            break
        held = inner[0]
    if not isinstance(held, Mapping) or not held or not _is_flat(held):
        raise ExpertUnavailable(f"{path} holds no named tensors; give a file of weights")
    return {str(name).removeprefix("module."): tensor for name, tensor in held.items()}


def _is_flat(held: Mapping[Any, Any]) -> bool:
    return all(isinstance(value, torch.Tensor) for value in held.values())


def _read(path: Path, trusted_archives: Collection[str], most_bytes: int) -> Any:  # noqa: ANN401 - a stranger's
    size = path.stat().st_size
    if size > most_bytes:
        raise ExpertUnavailable(f"{path} has {size / 1e6:.0f} MB, more than {most_bytes / 1e6:.0f} MB")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > most_bytes:
        raise ExpertUnavailable(f"{path} unpacks to more than {most_bytes / 1e6:.0f} MB; it is no such file")
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        return _read_archive(path, trusted_archives)
    return torch.load(path, map_location="cpu", weights_only=True)


def _read_archive(path: Path, trusted: Collection[str]) -> Any:  # noqa: ANN401
    digest = file_sha256(path)
    if digest not in trusted:
        raise ExpertUnavailable(
            f"{path} is a TorchScript archive, which can run code, and none that OpenAI published "
            f"(sha256 {digest[:12]}…): give a safetensors file or a plain state dict"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.jit is deprecated, and the published format
        archive: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return archive.state_dict()


def _activation_config(path: Path, tensors: Mapping[str, Tensor]) -> Mapping[str, Any]:
    """`model_cfg` of open_clip's configuration, or what is true of every file by OpenAI."""
    if tensors.keys() >= _OPENAI_MARKS:
        return {"quick_gelu": True}
    config = path.with_name(CONFIG_NAME)
    try:
        found: Any = json.loads(config.read_bytes())["model_cfg"]
        parts = (found, found.get("vision_cfg", {}), found.get("text_cfg", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExpertUnavailable(
            f"{path} does not tell its activation: put the {CONFIG_NAME} of its repository beside it"
        ) from error
    if not all(isinstance(part, Mapping) for part in parts):
        raise ExpertUnavailable(f"{config} is not a configuration of open_clip: download it again")
    return dict(found)


def _shape(tensors: Mapping[str, Tensor], config: Mapping[str, Any], path: Path) -> ClipShape:
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    try:
        patch = tensors["visual.conv1.weight"]
        vision_width, text_width = patch.shape[0], tensors["token_embedding.weight"].shape[1]
        shape = ClipShape(
            embed_width=tensors["visual.proj"].shape[1],
            patch_px=patch.shape[-1],
            grid=round((tensors["visual.positional_embedding"].shape[0] - 1) ** 0.5),
            vision_width=vision_width,
            vision_layers=_blocks(tensors, "visual.transformer"),
            vision_heads=vision_width // int(vision.get("head_width", _HEAD_WIDTH)),
            vision_hidden=tensors["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
            text_width=text_width,
            text_layers=_blocks(tensors, "transformer"),
            text_heads=int(text.get("heads", text_width // _HEAD_WIDTH)),
            text_hidden=tensors["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
            vocabulary=tensors["token_embedding.weight"].shape[0],
            context=tensors["positional_embedding"].shape[0],
            quick_gelu=bool(config.get("quick_gelu", False)),
        )
    except (KeyError, IndexError, ValueError, TypeError, ZeroDivisionError) as error:
        raise ExpertUnavailable(
            f"{path} does not hold a CLIP with a vision transformer (it lacks {error}): {_expected()}"
        ) from error
    heads = ((shape.vision_width, shape.vision_heads), (shape.text_width, shape.text_heads))
    if any(count < 1 or width % count for width, count in heads):
        raise ExpertUnavailable(f"{path} has no whole attention heads for its widths: {_expected()}")
    return shape


def _blocks(tensors: Mapping[str, Tensor], tower: str) -> int:
    start = f"{tower}.resblocks."
    return len({name[len(start) :].split(".")[0] for name in tensors if name.startswith(start)})


def _expected() -> str:
    return "give OpenAI's ViT-L-14-336px.pt or an open_clip checkpoint of a ViT"
