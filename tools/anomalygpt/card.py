"""What stands beside what was learnt: how it was made, of what, and for which models."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from tools.anomalygpt.settings import Recipe
from tools.marked.layouts import DataFacts
from tools.simulation.types import SimulationKind
from tools.types import Value

SOURCE: Final = "AnomalyGPT, arXiv 2308.15366"

_LONGEST_SAID: Final = 1000


def _printable(text: str) -> str:
    if len(text) > _LONGEST_SAID or not text.isprintable():
        raise ValueError(f"expected at most {_LONGEST_SAID} characters that can be printed")
    return text


class Base(Value):
    """A frozen model: where it lay, and what it is known by wherever it lies."""

    source: Annotated[str, AfterValidator(_printable)]
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")


class Card(Value):
    """How a file was made; enough to go on learning, and to judge what it is good for.

    `simulated` says what was drawn into good pictures, where no damaged ones were given. `held_out` pictures
    were only judged by; `instructions` are questions on other pictures that kept the language model's own
    ways.
    """

    format: Literal[1] = 1
    method: Literal["anomalygpt"] = "anomalygpt"
    source: str = SOURCE
    clip: Base
    lm: Base
    lm_width: int = Field(ge=1, le=65536)
    recipe: Recipe
    data: DataFacts
    simulated: SimulationKind | Literal["mix"] | None = None
    held_out: int = Field(ge=0)
    instructions: int = Field(ge=0)
    instructions_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    betas: tuple[float, float]
    weight_decay: float = Field(ge=0)
    warmup: float = Field(ge=0, lt=1)
    precision: str
    seed: int
    versions: dict[str, str]

    def differs(self, other: Card) -> str | None:
        """The first field in which learning differs; None if in nothing."""
        if self.clip.fingerprint != other.clip.fingerprint:
            return "clip"
        if self.lm.fingerprint != other.lm.fingerprint:
            return "lm"
        fields = (name for name in type(self).model_fields if name not in {"clip", "lm", "versions"})
        return next((name for name in fields if getattr(self, name) != getattr(other, name)), None)
