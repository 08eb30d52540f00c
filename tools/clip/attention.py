"""Multi-head attention on CLIP's weights, and the block of a transformer around it."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Self-attention whose parameters are named as in CLIP's checkpoints."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, *, causal: bool = False) -> Tensor:
        """Tokens that look at each other, or with `causal` at themselves and what precedes them.

        Args:
            tokens: shape (batch, tokens, width).
            causal: whether a token sees none that come after it.

        Returns:
            Shape (batch, tokens, width).
        """
        query, key, value = self._heads(tokens)
        return self._joined(functional.scaled_dot_product_attention(query, key, value, is_causal=causal))

    def both(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Plain attention, and V-V attention of the same tokens: softmax(V Vᵀ / √d) V.

        Values in the place of queries and keys keep a patch with patches that look like it, where CLIP's own
        attention draws all of them to the few that speak for the picture (paper, section 3.3, "DPAM").

        Args:
            tokens: shape (batch, tokens, width).

        Returns:
            Two tensors of shape (batch, tokens, width).
        """
        query, key, value = self._heads(tokens)
        plain = functional.scaled_dot_product_attention(query, key, value)
        alike = functional.scaled_dot_product_attention(value, value, value)
        return self._joined(plain), self._joined(alike)

    def _heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, count, width = tokens.shape
        joined = functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        split = joined.view(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return split[0], split[1], split[2]

    def _joined(self, heads: Tensor) -> Tensor:
        return cast("Tensor", self.out_proj(heads.transpose(1, 2).flatten(2)))


class QuickGelu(nn.Module):
    """x · sigmoid(1.702 x), the activation that OpenAI's CLIP was trained with."""

    def forward(self, values: Tensor) -> Tensor:
        """The activation, element by element."""
        return values * torch.sigmoid(1.702 * values)


class Block(nn.Module):
    """A pre-norm transformer block, named as in CLIP's checkpoints."""

    def __init__(self, width: int, heads: int, hidden: int, *, quick_gelu: bool) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, hidden),
                gelu=QuickGelu() if quick_gelu else nn.GELU(),
                c_proj=nn.Linear(hidden, width),
            )
        )

    def forward(self, tokens: Tensor, *, causal: bool = False) -> Tensor:
        """Tokens after this block, shape (batch, tokens, width)."""
        return self._fed(tokens + self.attn(self.ln_1(tokens), causal=causal))

    def both(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens after this block, and what V-V attention would add to them, without the MLP."""
        plain, alike = self.attn.both(self.ln_1(tokens))
        return self._fed(tokens + plain), alike

    def _fed(self, tokens: Tensor) -> Tensor:
        return tokens + cast("Tensor", self.mlp(self.ln_2(tokens)))
