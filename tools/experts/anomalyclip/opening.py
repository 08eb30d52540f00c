"""From the two files to a model on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from tools.clip.device import on_device
from tools.clip.files import load_clip
from tools.errors import ExpertUnavailable
from tools.experts.anomalyclip.model import AnomalyClip
from tools.experts.anomalyclip.prompt_files import read_checkpoint
from tools.experts.anomalyclip.settings import Recipe


def open_model(
    weights: Path, prompts: Path, *, device: str = "auto", layers: Sequence[int] = ()
) -> AnomalyClip:
    """The model of both files; prompts of ours bring their recipe, published ones have the paper's.

    Args:
        weights: of CLIP.
        prompts: ours or published.
        device: see `on_device`.
        layers: vision blocks to compare instead of those of the recipe.

    Raises:
        ExpertUnavailable: a file is missing, damaged or of another model, or there is no such device or
            block.
    """
    clip = load_clip(weights)
    checkpoint = read_checkpoint(prompts, clip)
    recipe = checkpoint.card.recipe if checkpoint.card else Recipe.published(clip.shape)
    if layers:
        recipe = replace(recipe, layers=tuple(sorted(set(layers))))
        try:
            recipe.check(clip.shape)
        except ValueError as error:
            raise ExpertUnavailable(str(error)) from error
    clip = on_device(clip, device)
    with torch.no_grad():
        texts = checkpoint.prompts.to(clip.text_projection.device).texts(clip)
    return AnomalyClip(clip, texts, recipe)
