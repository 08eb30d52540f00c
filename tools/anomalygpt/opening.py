"""From the files to a model on a device."""

from __future__ import annotations

from pathlib import Path

from tools.anomalygpt.checkpoints import read_model
from tools.anomalygpt.language import Language
from tools.anomalygpt.learnt import Learnt
from tools.anomalygpt.model import AnomalyGpt
from tools.clip.device import on_device
from tools.clip.files import load_clip
from tools.clip.tokenizer import VOCABULARY
from tools.clip.weights import weights_file
from tools.errors import ExpertUnavailable, LearningError


def open_model(
    folder: Path, *, weights: Path | None = None, lm: str | None = None, device: str = "auto"
) -> AnomalyGpt:
    """The model that a folder keeps, with the CLIP and the language model that it was learnt with.

    Args:
        folder: what `agent train anomalygpt` wrote, or the file in it.
        weights: of CLIP, where they do not lie where they lay at learning.
        lm: the language model, likewise: its folder, or its name in the hub's cache.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.

    Raises:
        ExpertUnavailable: something is missing, damaged, or other than what was learnt with.
    """
    tensors, card = read_model(folder)
    clip = on_device(load_clip(weights_file(weights or Path(card.clip.source))), device)
    if clip.shape.vocabulary != VOCABULARY or clip.fingerprint != card.clip.fingerprint:
        raise ExpertUnavailable(
            f"{folder} was learnt with another CLIP ({card.clip.source}); give that one's weights"
        )
    place = clip.text_projection.device
    language = Language.open(lm or card.lm.source, str(place))
    if language.width != card.lm_width or language.fingerprint != card.lm.fingerprint:
        raise ExpertUnavailable(
            f"{folder} was learnt with another language model ({card.lm.source}); give that one"
        )
    try:
        card.recipe.check(clip.shape)
        learnt = Learnt.filled(card.recipe, clip.shape, card.lm_width, tensors)
    except (ValueError, LearningError) as error:
        raise ExpertUnavailable(f"{folder} cannot be used: {error}") from error
    return AnomalyGpt(clip, learnt.to(place), language)
