"""The methods that learn prompts, with their papers' settings, on a folder of rendered products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tools.clip.model import Clip, ClipShape
from tools.experts.anomalyclip.model import AnomalyClip
from tools.experts.anomalyclip.prompts import Prompts as AnomalyClipPrompts
from tools.experts.anomalyclip.settings import Recipe as AnomalyClipRecipe
from tools.experts.anomalyclip.training import PUBLISHED as ANOMALYCLIP_PUBLISHED
from tools.experts.anomalyclip.training import learn_anomalyclip
from tools.experts.dapo.lessons import lessons_of
from tools.experts.dapo.model import DapoModel
from tools.experts.dapo.prompts import Prompts as DapoPrompts
from tools.experts.dapo.settings import Recipe as DapoRecipe
from tools.experts.dapo.training import PUBLISHED as DAPO_PUBLISHED
from tools.experts.dapo.training import learn_dapo
from tools.experts.prompted.looking import Model
from tools.image import ImageStore
from tools.learning.loop import Examples
from tools.marked.layouts import find_examples


def plain_view(shape: ClipShape) -> AnomalyClipRecipe:
    """Places are looked at by texts through the patches as they come out of the last block.

    Published is V-V attention in the later blocks (`AnomalyClipRecipe.published`), which finds places in a
    CLIP that only ever learnt from whole pictures. The small one learnt from places too, as they come out.
    """
    return replace(AnomalyClipRecipe.published(shape), alike_blocks=0)


def anomalyclip(
    clip: Clip, folder: Path, seed: int, epochs: int | None = None, *, recipe: AnomalyClipRecipe
) -> Iterator[Model]:
    """AnomalyCLIP after each epoch, as many as published if none are given."""
    plan = replace(ANOMALYCLIP_PUBLISHED, seed=seed, device="cpu")
    plan = plan if epochs is None else replace(plan, epochs=epochs)
    examples = Examples(find_examples(folder).examples)
    for done in learn_anomalyclip(clip, examples, ImageStore(), plan, recipe=recipe):
        prompts = AnomalyClipPrompts.filled(done.memory.now)
        yield AnomalyClip(clip, prompts.texts(clip), recipe)


def dapo(clip: Clip, folder: Path, seed: int, epochs: int | None = None) -> Iterator[Model]:
    """DAPO after each epoch, as many as published if none are given."""
    plan = replace(DAPO_PUBLISHED, seed=seed, device="cpu")
    plan = plan if epochs is None else replace(plan, epochs=epochs)
    recipe = DapoRecipe.published(clip.shape)
    lessons = lessons_of(find_examples(folder).examples)
    for done in learn_dapo(clip, lessons, ImageStore(), plan, recipe=recipe):
        yield DapoModel(clip, DapoPrompts.filled(clip, recipe, done.memory.now), lessons.types)
