"""All that is learnt: words of the prompts, tokens before every block of both towers, adapters of patches.

Layout of the texts: start, learnt words, the fixed words of the anchor, end. The learnt words of damage are
the same for all types (paper, equations 1 to 3), so that a type that was never seen is one more anchor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.clip.model import Clip
from tools.clip.tokenizer import END, START, VOCABULARY, tokens_of
from tools.errors import ExpertUnavailable
from tools.experts.dapo.settings import DAMAGED_ANCHOR, GOOD_ANCHOR, Recipe
from tools.experts.dapo.towers import read


class Prompts(nn.Module):
    """What is learnt; empty until drawn or loaded.

    Attributes:
        good, damaged: learnt words, shape (sets, words, text width).
        text_deep: shape (text blocks, tokens, text width).
        vision_deep: shape (vision blocks, tokens, vision width).
        adapters: from vision width to embed width, one for each compared block.
        recipe: what they are learnt, and read, with.
    """

    def __init__(self, clip: Clip, recipe: Recipe) -> None:
        super().__init__()
        shape = clip.shape
        if shape.vocabulary != VOCABULARY:
            raise ExpertUnavailable(
                f"these prompts need CLIP's vocabulary of {VOCABULARY} tokens, {shape} has {shape.vocabulary}"
            )
        self.recipe = recipe
        words = (recipe.sets, recipe.words, shape.text_width)
        self.good = nn.Parameter(torch.empty(words))
        self.damaged = nn.Parameter(torch.empty(words))
        self.text_deep = nn.Parameter(torch.empty(shape.text_layers, recipe.text_deep, shape.text_width))
        self.vision_deep = nn.Parameter(
            torch.empty(shape.vision_layers, recipe.vision_deep, shape.vision_width)
        )
        self.adapters = nn.ModuleList(
            nn.utils.skip_init(nn.Linear, shape.vision_width, shape.embed_width)  # type: ignore[no-untyped-call]
            for _ in recipe.layers
        )

    @classmethod
    def drawn(cls, clip: Clip, recipe: Recipe, seed: int) -> Prompts:
        """Prompts to begin learning with, the same for equal seeds.

        Words and deep tokens of text are drawn from a normal distribution with mean and deviation of CLIP's
        own token embeddings; deep tokens of vision uniformly within sqrt(6 / (3 patch area + width)); the
        adapters within 1 / sqrt(vision width).

        Raises:
            ExpertUnavailable: the CLIP has not the vocabulary that the fixed words are of.
        """
        prompts = cls(clip, recipe)
        generator = torch.Generator().manual_seed(seed)
        shape, known = clip.shape, clip.token_embedding.weight.detach().float().cpu()
        mean, deviation = float(known.mean()), float(known.std())
        for tokens in (prompts.good, prompts.damaged, prompts.text_deep):
            nn.init.normal_(tokens, mean, deviation, generator=generator)
        limit = (6 / (3 * shape.patch_px**2 + shape.vision_width)) ** 0.5
        nn.init.uniform_(prompts.vision_deep, -limit, limit, generator=generator)
        limit = shape.vision_width**-0.5
        for adapter in prompts.adapters:
            for parameter in adapter.parameters():
                nn.init.uniform_(parameter, -limit, limit, generator=generator)
        return prompts

    @classmethod
    def filled(cls, clip: Clip, recipe: Recipe, tensors: Mapping[str, Tensor]) -> Prompts:
        """Prompts from what was kept of them, on the CPU.

        Raises:
            ExpertUnavailable: the CLIP has not the vocabulary that the fixed words are of.
            ValueError: a tensor is missing, of another shape, too many, or holds what is no number.
        """
        prompts = cls(clip, recipe)
        try:
            prompts.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except RuntimeError as error:
            raise ValueError(" ".join(str(error).split())[:200]) from error
        if not all(bool(torch.isfinite(tensor).all()) for tensor in prompts.parameters()):
            raise ValueError("it holds NaN or infinity")
        return prompts

    def texts(self, clip: Clip, types: Sequence[str]) -> Tensor:
        """Embeddings of the good text and of each type's, shape (1 + types, embed width), of length 1.

        Each is the mean over the sets, taken after the text projection. The gradient reaches the prompts,
        through the frozen text tower.

        Args:
            clip: frozen, on the device of the prompts.
            types: names, such as "scratch"; those learnt from, or others.

        Raises:
            ExpertUnavailable: a name is too long for the text tower.
        """
        anchors = [tokens_of(GOOD_ANCHOR), *(tokens_of(DAMAGED_ANCHOR.format(type=name)) for name in types)]
        learnt, device = self.recipe.words, self.good.device
        ends = [1 + learnt + len(anchor) for anchor in anchors]
        length = max(ends) + 1
        if length > clip.shape.context:
            name = types[ends.index(length - 1) - 1]
            raise ExpertUnavailable(f"the type {name[:60]!r} is too long for CLIP; give it a shorter name")
        padded = [[START, *anchor, *([END] * (length - 1 - learnt - len(anchor)))] for anchor in anchors]
        # Shapes: (sets, 1 + types, tokens, width), then all texts one after the other.
        fixed = clip.token_embedding(torch.tensor(padded, device=device)).expand(self.recipe.sets, -1, -1, -1)
        damaged = self.damaged[:, None].expand(-1, len(types), -1, -1)
        words = torch.cat([self.good[:, None], damaged], dim=1)
        together = torch.cat([fixed[:, :, :1], words, fixed[:, :, 1:]], dim=2).flatten(0, 1)
        every_end = torch.tensor(ends, device=device).repeat(self.recipe.sets)
        embedded = read(clip, together, every_end, self.text_deep)
        mean = embedded.reshape(self.recipe.sets, len(anchors), -1).mean(dim=0)
        return functional.normalize(mean, dim=-1)

    def adapted(self, patches: Sequence[Tensor]) -> Tensor:
        """Patch tokens of each compared block in the space of the texts, of length 1.

        Args:
            patches: shape (batch, patches, vision width) each.

        Returns:
            Shape (layers, batch, patches, embed width).
        """
        pairs = zip(self.adapters, patches, strict=True)
        return functional.normalize(
            torch.stack([cast("Tensor", adapter(tokens)) for adapter, tokens in pairs]), dim=-1
        )
