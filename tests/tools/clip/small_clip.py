"""A CLIP of four blocks with random weights, prompts for it, and drawn pictures with marked defects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tools.types import Pixels

SIDE_PX = 64


@dataclass(frozen=True)
class Files:
    """What an expert is opened with."""

    weights: Path
    prompts: Path


def small_shape(**changes: Any) -> Any:
    from tools.clip.model import ClipShape

    sizes: dict[str, Any] = {
        "embed_width": 32,
        "patch_px": 8,
        "grid": SIDE_PX // 8,
        "vision_width": 128,
        "vision_layers": 4,
        "vision_heads": 2,
        "vision_hidden": 256,
        "text_width": 64,
        "text_layers": 4,
        "text_heads": 1,
        "text_hidden": 128,
        "vocabulary": 49408,
        "context": 77,
        "quick_gelu": True,
    }
    return ClipShape(**{**sizes, **changes})


def draw_clip(shape: Any, seed: int = 0) -> Any:
    """Random weights of about the sizes that trained ones have, so that attention looks at something."""
    import torch

    from tools.clip.model import Clip

    clip = Clip(shape)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            if name.endswith(
                ("ln_1.weight", "ln_2.weight", "ln_pre.weight", "ln_post.weight", "ln_final.weight")
            ):
                parameter.copy_(1 + 0.1 * values)
            elif parameter.ndim > 1:
                parameter.copy_(values * (0.3 if "embedding" in name else 1.5 * parameter.shape[-1] ** -0.5))
            else:
                parameter.copy_(0.1 * values)
    return clip.eval().requires_grad_(False)


def write_weights(clip: Any, folder: Path) -> Path:
    """The weights as open_clip publishes them: safetensors beside a configuration."""
    from safetensors.torch import save_file

    path = folder / "open_clip_model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in clip.state_dict().items()}, path)
    config = {"model_cfg": {"quick_gelu": True, "vision_cfg": {}, "text_cfg": {"heads": 1}}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return path


def published_layout(clip: Any) -> dict[str, Any]:
    """A checkpoint as the authors lay theirs out, at the width of a small CLIP."""
    import torch

    generator = torch.Generator().manual_seed(5)
    width = clip.shape.text_width
    good = torch.zeros(77, dtype=torch.int32)
    good[: 1 + 12 + 3] = torch.tensor([49406, *[343] * 12, 14115, 269, 49407])
    damaged = torch.zeros(77, dtype=torch.int32)
    damaged[: 1 + 12 + 4] = torch.tensor([49406, *[343] * 12, 13568, 14115, 269, 49407])
    embedded = {"pos": clip.token_embedding(good), "neg": clip.token_embedding(damaged)}
    state: dict[str, Any] = {
        "ctx_pos": 0.3 * torch.randn(1, 1, 12, width, generator=generator),
        "ctx_neg": 0.3 * torch.randn(1, 1, 12, width, generator=generator),
        "tokenized_prompts_pos": good[None, None],
        "tokenized_prompts_neg": damaged[None, None],
    }
    for kind, words in embedded.items():
        state[f"token_prefix_{kind}"] = words[None, None, :1].clone()
        state[f"token_suffix_{kind}"] = words[None, None, 13:].clone()
    for number in range(3):
        state[f"compound_prompts_text.{number}"] = 0.3 * torch.randn(4, width, generator=generator)
        state[f"compound_prompt_projections.{number}.weight"] = torch.zeros(896, width)
        state[f"compound_prompt_projections.{number}.bias"] = torch.zeros(896)
    return {"prompt_learner": state}


def draw_part(seed: int, side_px: int = 96) -> Pixels:
    """A grey plate with soft grain."""
    rng = np.random.default_rng(seed)
    grey = 120 + rng.normal(0, 4, (side_px, side_px))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def damage(part: Pixels, seed: int) -> tuple[Pixels, np.ndarray]:
    """A bright red blot on a part, and where it lies."""
    rng = np.random.default_rng(seed)
    x0, y0 = (int(value) for value in rng.integers(8, part.shape[0] - 32, 2))
    marked = np.zeros(part.shape[:2], bool)
    marked[y0 : y0 + 24, x0 : x0 + 24] = True
    blotted = part.copy()
    blotted[marked] = (250, 30, 20)
    return blotted, marked


def write_parts(folder: Path) -> Path:
    """good/, bad/ and masks/ with six pictures each."""
    for name in ("good", "bad", "masks"):
        (folder / name).mkdir(parents=True)
    for seed in range(6):
        Image.fromarray(draw_part(seed)).save(folder / "good" / f"{seed}.png")
        picture, marked = damage(draw_part(100 + seed), seed)
        Image.fromarray(picture).save(folder / "bad" / f"{seed}.png")
        Image.fromarray(marked.astype(np.uint8) * 255).save(folder / "masks" / f"{seed}_mask.png")
    return folder
