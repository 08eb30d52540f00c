"""The network, in torch: it learns here and nowhere else; `predict` runs it without torch.

Each modality becomes a token. In CMAF each token asks the tokens of the other modalities (multi-head
cross-attention), a gate weighs the answers (softmax over the modalities that are there), and a small MLP
names the type of their sum. Reconstructed from the paper's description; sizes are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.defect_types.features import MODALITIES, Modality
from tools.defect_types.recipe import Recipe

_NEVER = -1e4


class Network(nn.Module):
    """Tokens, alignment, fusion, classes.

    Args:
        widths: of the modalities' inputs.
        classes: how many types.
        recipe: sizes and switches.
    """

    def __init__(self, widths: Mapping[Modality, int], classes: int, recipe: Recipe) -> None:
        super().__init__()
        self.modalities = tuple(modality for modality in MODALITIES if modality in widths)
        self.recipe = recipe
        width = recipe.width
        self.entry = nn.ModuleDict({name: nn.Linear(widths[name], width) for name in self.modalities})
        self.entry_norm = nn.ModuleDict({name: nn.LayerNorm(width) for name in self.modalities})
        if recipe.pfa:
            self.aligned = nn.ModuleDict({name: nn.Linear(width, width // 2) for name in self.modalities})
        if recipe.cmaf:
            self.ask = nn.Linear(width, width)
            self.key = nn.Linear(width, width)
            self.value = nn.Linear(width, width)
            self.answer = nn.Linear(width, width)
            self.fused_norm = nn.LayerNorm(width)
            self.gate_hidden = nn.Linear(width, width)
            self.gate = nn.ModuleDict({name: nn.Linear(width, 1) for name in self.modalities})
        self.hidden = nn.Linear(width, width)
        self.classes = nn.Linear(width, classes)

    def tokens(self, values: Mapping[Modality, Tensor]) -> Tensor:
        """One token a modality: (batch, modalities, width)."""
        found = []
        for name in self.modalities:
            seen = functional.dropout(values[name], self.recipe.dropout, self.training)
            found.append(self.entry_norm[name](self.entry[name](seen)))
        return torch.stack(found, dim=1)

    def alignable(self, tokens: Tensor) -> dict[Modality, Tensor]:
        """What PFA compares: unit vectors (batch, width / 2) of each modality."""
        return {
            name: functional.normalize(self.aligned[name](tokens[:, at]), dim=1)
            for at, name in enumerate(self.modalities)
        }

    def logits(self, tokens: Tensor, known: Tensor) -> Tensor:
        """Logits (batch, classes); `known` (batch, modalities) says which tokens are there, one at least."""
        fused = self._fused(tokens, known) if self.recipe.cmaf else _mean(tokens, known)
        hidden = functional.relu(self.hidden(functional.dropout(fused, self.recipe.dropout, self.training)))
        found: Tensor = self.classes(hidden)
        return found

    def _fused(self, tokens: Tensor, known: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        heads = self.recipe.heads

        def split(x: Tensor) -> Tensor:
            return x.view(batch, count, heads, width // heads).transpose(1, 2)

        asked, keys, values = split(self.ask(tokens)), split(self.key(tokens)), split(self.value(tokens))
        scores = asked @ keys.transpose(2, 3) / (width // heads) ** 0.5
        # A token asks the others only; one that stands alone gets no answer.
        others = known[:, None, :] & ~torch.eye(count, dtype=torch.bool, device=tokens.device)[None]
        weights = scores.masked_fill(~others[:, None], _NEVER).softmax(dim=3) * others[:, None]
        mixed = (weights @ values).transpose(1, 2).reshape(batch, count, width)
        answered = others.any(dim=2, keepdim=True) * self.answer(mixed)
        heard = self.fused_norm(tokens + answered)
        hidden = torch.tanh(self.gate_hidden(heard))
        gates = torch.cat([self.gate[name](hidden[:, at]) for at, name in enumerate(self.modalities)], dim=1)
        share = gates.masked_fill(~known, _NEVER).softmax(dim=1)
        fused: Tensor = (share[:, :, None] * heard).sum(dim=1)
        return fused


def _mean(tokens: Tensor, known: Tensor) -> Tensor:
    there = known[:, :, None].to(tokens.dtype)
    return (tokens * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)
