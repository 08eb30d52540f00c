"""What stands beside learnt types: how they were made, of what, and what of the method is reconstruction."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, FiniteFloat

from tools.defect_types.numbers import Usual
from tools.defect_types.recipe import Recipe
from tools.types import Value

TYPES_NAME: Final = "types.safetensors"
CARD_NAME: Final = "types.json"

RECONSTRUCTED: Final = (
    "The method follows the description of PFA and CMAF by Hsu, Lee, Sun and Wu (arXiv 2404.05183), whose "
    "equations, encoders, schedule, code and data are not public. Reconstructed, and not known to agree with "
    "the paper: how pairs are ranked (cosine within the modalities), the schedule of k_t, the temperature, "
    "the attention's keys and heads, the gate, the augmentations, all sizes and weights. Not from the paper: "
    "the calibration, the type unknown, EfficientNet-Lite0 and MiniLM as encoders, rules in place of a "
    "language model for the numbers, the evidence reasoner in place of a vision-language model for the words."
)


class TypeData(Value):
    """What was learnt from. `sha256` is over types, boxes and decoded pixels of all crops, in order.

    `framing` says whether the marked place of a crop is known (`boxed`), or all of each picture counts
    (`whole`); `good_parts` whether the good part beside a crop was known.
    """

    layout: str
    crops: dict[str, int] = Field(min_length=2)
    framing: Literal["boxed", "whole"]
    good_parts: bool
    sha256: str


class UnknownLimit(Value):
    """From where on a crop is of no type that was learnt.

    How far a crop lies from those learnt from, in `scales` (by modality: the median distance of one of them
    from the nearest other, or what is never strange, if that is more), averaged; at `limit` it is as likely
    unknown as known, and `softness` away from it nearly three times as likely.
    """

    scales: dict[str, FiniteFloat]
    limit: FiniteFloat
    softness: FiniteFloat = Field(gt=0)


class HeldOut(Value):
    """How learning did on crops that it held out, type by type alike; `crops` of them were."""

    crops: int
    accuracy: FiniteFloat
    log_loss: FiniteFloat


class EpochTold(Value):
    """Mean losses of an epoch by name."""

    losses: dict[str, FiniteFloat]
    score: FiniteFloat | None = None


class Card(Value):
    """How types were learnt; enough to go on, and to judge what they are good for.

    `temperature` divides the logits; `held_out` and `unknown` are None where too few crops are there to tell.
    """

    format: Literal[1] = 1
    method: Literal["pfa+cmaf"] = "pfa+cmaf"
    source: str = "after Hsu, Lee, Sun and Wu, arXiv 2404.05183"
    reconstruction: str = RECONSTRUCTED
    classes: tuple[str, ...] = Field(min_length=2)
    data: TypeData
    recipe: Recipe
    usual: tuple[Usual, ...]
    picture_encoder: str
    text_encoder: str
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    seed: int
    losses: tuple[EpochTold, ...] = ()
    temperature: float = Field(default=1.0, gt=0)
    held_out: HeldOut | None = None
    unknown: UnknownLimit | None = None
    versions: dict[str, str] = Field(default_factory=dict)

    def differs(self, other: Card) -> str | None:
        """The first field in which learning differs, what came of it aside; None if in nothing."""
        came = {"losses", "temperature", "held_out", "unknown", "versions"}
        fields = (name for name in type(self).model_fields if name not in came)
        return next((name for name in fields if getattr(self, name) != getattr(other, name)), None)
