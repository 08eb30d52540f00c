"""Weights that a CLIP begins to learn from, of the sizes that its authors drew theirs."""

from __future__ import annotations

import torch

from tools.clip.model import Clip, ClipShape

_WORD_DEVIATION = 0.02


def drawn_clip(shape: ClipShape, seed: int) -> Clip:
    """A CLIP that knows nothing, the same for equal seeds."""
    clip = Clip(shape)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif ".ln_" in name or name.startswith("ln_"):
                parameter.fill_(1)
            else:
                parameter.normal_(0, _deviation(name, shape), generator=generator)
    return clip


def _deviation(name: str, shape: ClipShape) -> float:
    """Of the weights of a name; what is added to the stream of tokens is drawn the smaller, the more adds."""
    if name in ("token_embedding.weight", "positional_embedding"):
        return _WORD_DEVIATION
    vision = name.startswith("visual.")
    width = shape.vision_width if vision else shape.text_width
    layers = shape.vision_layers if vision else shape.text_layers
    if name.endswith("conv1.weight"):
        return float((3 * shape.patch_px**2) ** -0.5)
    if name.endswith(("out_proj.weight", "c_proj.weight")):
        return float((2 * layers * width) ** -0.5)
    if name.endswith("c_fc.weight"):
        return float((2 * width) ** -0.5)
    return float(width**-0.5)
