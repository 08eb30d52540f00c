"""All that is learnt; CLIP and the language model stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from tools.anomalygpt.decoder import Decoder
from tools.anomalygpt.prompt_learner import PromptLearner
from tools.anomalygpt.settings import Recipe
from tools.clip.model import ClipShape
from tools.errors import LearningError


class Learnt(nn.Module):
    """Decoder, prompt learner, and the way of the picture itself into the language model.

    That way is frozen in the paper, as PandaGPT had learnt it; here it is learnt along with the others, for
    nobody has learnt it for any pair of a CLIP and a language model.

    Args:
        recipe: sizes.
        shape: of the CLIP.
        lm_width: of the language model.
    """

    def __init__(self, recipe: Recipe, shape: ClipShape, lm_width: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.decoder = Decoder(recipe, shape.vision_width, shape.embed_width)
        self.prompt_learner = PromptLearner(recipe, lm_width)
        self.picture = nn.Linear(shape.embed_width, lm_width)

    @classmethod
    def drawn(cls, recipe: Recipe, shape: ClipShape, lm_width: int, seed: int) -> Self:
        """To begin with, the same for equal seeds."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(recipe, shape, lm_width)

    @classmethod
    def filled(cls, recipe: Recipe, shape: ClipShape, lm_width: int, tensors: Mapping[str, Tensor]) -> Self:
        """From what was kept, on the CPU, frozen.

        Raises:
            LearningError: the tensors are others than these.
        """
        try:
            with torch.device("meta"):
                learnt = cls(recipe, shape, lm_width)
            learnt.load_state_dict(dict(tensors), assign=True)
        except RuntimeError as error:
            raise LearningError(
                f"the tensors do not go with their card ({' '.join(str(error).split())[:200]})"
            ) from error
        for name, tensor in tensors.items():
            if tensor.dtype != torch.float32 or not bool(tensor.isfinite().all()):
                raise LearningError(f"{name[:60]} does not hold numbers that can be learnt")
        return learnt.requires_grad_(requires_grad=False).eval()
