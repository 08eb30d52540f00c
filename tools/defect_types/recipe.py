"""The choices of the method, each with what it stands for; the paper prints none of them."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tools.types import Value


class Recipe(Value):
    """How types are learnt.

    Attributes:
        pfa: whether modalities are aligned, from easy pairs to all (progressive feature alignment).
        cmaf: whether attention and a gate fuse modalities; else their tokens are averaged.
        tda: whether crops are varied, in the picture and among their features (task-specific augmentation).
        width, heads: of tokens.
        dropout: of inputs and before the last layers.
        smoothing: of the labels.
        alignment_weight, temperature: of the contrastive loss, and its tau.
        easiest: share of pairs that alignment begins with (k0 / K).
        ramp: share of the epochs after which it takes all pairs (T).
        views: varied copies of a crop of the largest class; smaller classes get more, four times at most.
        forgotten: how often a modality of a crop is hidden, where others are left.
        mixed: how often a crop's features are mixed with another's of its class.
    """

    pfa: bool = True
    cmaf: bool = True
    tda: bool = True
    width: int = Field(default=64, ge=8)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.4, ge=0, lt=1)
    smoothing: float = Field(default=0.05, ge=0, lt=1)
    alignment_weight: float = Field(default=0.5, ge=0)
    temperature: float = Field(default=0.07, gt=0)
    easiest: float = Field(default=0.25, gt=0, le=1)
    ramp: float = Field(default=0.6, gt=0, le=1)
    views: int = Field(default=6, ge=0)
    forgotten: float = Field(default=0.2, ge=0, lt=1)
    mixed: float = Field(default=0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} must be a multiple of twice the heads ({self.heads})")
        return self
