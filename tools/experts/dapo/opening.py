"""From the two files to a model on a device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tools.clip.device import on_device
from tools.clip.files import load_clip
from tools.errors import ExpertUnavailable, LearningError
from tools.experts.dapo.card import checked_types
from tools.experts.dapo.checkpoints import read_checkpoint
from tools.experts.dapo.model import DapoModel


def open_model(weights: Path, prompts: Path, *, device: str = "auto", types: Sequence[str] = ()) -> DapoModel:
    """The model of both files.

    Args:
        weights: of CLIP.
        prompts: what `agent train prompts --method dapo` kept.
        device: see `on_device`.
        types: names of types to tell apart instead of those learnt from; they may be of types never seen.

    Raises:
        ExpertUnavailable: a file is missing, damaged or of another model, there is no such device, or a name
            cannot be used.
    """
    clip = load_clip(weights)
    checkpoint = read_checkpoint(prompts, clip)
    try:
        named = checked_types(types or tuple(checkpoint.card.types))
    except LearningError as error:
        raise ExpertUnavailable(str(error)) from error
    clip = on_device(clip, device)
    return DapoModel(clip, checkpoint.prompts.to(clip.text_projection.device), named)
