"""How to learn: what every trainer lets a user choose, whatever it teaches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Device: TypeAlias = Literal["auto", "cpu", "cuda"]

Precision: TypeAlias = Literal["off", "bf16", "fp16"]

Schedule: TypeAlias = Literal["constant", "cosine"]


@dataclass(frozen=True)
class Plan:
    """How to learn.

    Attributes:
        epochs: times through all examples, at most.
        batch_size: examples to one step.
        learning_rate: the highest.
        schedule: `constant`, or `cosine`: down to nothing by the last step of the last epoch.
        warmup: share of all steps over which the rate rises from nothing.
        betas, weight_decay: of AdamW (Loshchilov and Hutter 2019); with no decay that is Adam.
        most_gradient: norm to which longer gradients are cut; None leaves them.
        seed: of the order of examples and of all that the learner draws.
        device: where to run; `auto` is a GPU where there is one.
        precision: of the forward pass; weights and optimiser stay in float32.
        patience: epochs without a better score on held-out examples after which learning ends; None: never.
        log: folder for TensorBoard; None keeps no log.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: Schedule = "constant"
    warmup: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    most_gradient: float | None = None
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "off"
    patience: int | None = None
    log: Path | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or (self.patience is not None and self.patience < 1):
            raise ValueError(f"epochs, batch_size and patience must be at least 1, got {self}")
        if self.learning_rate <= 0 or not 0 <= self.warmup < 1 or self.seed < 0:
            raise ValueError(f"learning_rate must be over 0, warmup in 0..1, seed at least 0, got {self}")

    def steps(self, examples: int) -> int:
        """Steps of one epoch over so many examples."""
        return math.ceil(examples / self.batch_size)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, of `steps` in all."""
        rising = min(1.0, (step + 1) / (self.warmup * steps)) if self.warmup else 1.0
        if self.schedule == "constant":
            return self.learning_rate * rising
        begun = self.warmup * steps
        done = max(0.0, (step - begun) / max(1.0, steps - begun))
        return self.learning_rate * rising * (1 + math.cos(math.pi * done)) / 2
