"""What an evaluation tries: the protocol and every switch of the paper's ablations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from agent.errors import UsageError
from agent.runs import ANSWER_CHANGING
from agent.settings import Settings
from evals.mmad.reference.prompts import Dialect
from evals.types import Shots
from graphs.language.catalog import Language
from tools.types import Notation, Value

ProtocolName: TypeAlias = Literal["agent", "reference"]
"""This product's own graph and rules of evidence, or MMAD's published way of asking. Never mixed up."""

KnowledgeMode: TypeAlias = Literal["retrieved", "class-keyed", "none"]
"""`class-keyed` looks MMAD's own entries up by the class of the image: near-oracle, and said so."""

NO_EXPERT: Final = "none"
GROUND_TRUTH: Final = "ground-truth"
"""The expert that repeats the data set's own masks: an upper bound, and said so."""

MOST_SHOTS: Final = 8
"""Templates that MMAD lists for an image."""

_ELSEWHERE: Final = frozenset(
    {"vlm_url", "vlm_model", "reasoner", "expert", "notation", "knowledge", "cot", "template_choice"}
)
"""Answer-changing settings that the plan, or the name of the model, says already; a URL changes no answer."""


RULES: Final = (
    "gating",
    "registration",
    "look_closer",
    "max_looks",
    "votes",
    "grounding",
    "model_tools",
    "layout",
    "read_text",
    "language",
)
"""Rules by which the agent treats its evidence: settings of the product that a plan may set."""

OFF: Final[Mapping[str, Any]] = {
    "gating": False,
    "registration": False,
    "look_closer": False,
    "grounding": False,
    "model_tools": "off",
    "layout": False,
    "read_text": "off",
}
"""Rules that can be turned off, and the value that does it."""


class EvaluationPlan(Value):
    """One row of a table: how the questions are answered.

    `shots` templates are shown of the list that `templates` names. `product` says whether who answers is told
    the category, as a user tells it with `--product`. `expert` is `none`, `auto` or a name. `constrained`
    takes the letter as a constrained choice, so that it cannot be misparsed. `history` shows the earlier
    questions and replies of the image. `dialect` says whose words ask. These last three are for the reference
    protocol; the agent asks each question afresh, always constrained.

    What follows `product` are the `RULES`, as the settings of the same names; None: as the settings say. They
    are for the agent's protocol, but for `registration`, which belongs to the expert.
    """

    protocol: ProtocolName = "agent"
    shots: Annotated[int, Field(ge=0, le=MOST_SHOTS)] = 1
    templates: Shots = "random"
    knowledge: KnowledgeMode = "retrieved"
    domain_knowledge: Path | None = None
    expert: str = "auto"
    notation: Notation = "bbox"
    cot: bool = True
    history: bool = False
    constrained: bool = True
    dialect: Dialect = "qwen2.5-vl"
    product: Literal["told", "hidden"] = "told"
    gating: bool | None = None
    registration: bool | None = None
    look_closer: bool | None = None
    max_looks: Annotated[int, Field(ge=0, le=6)] | None = None
    votes: Annotated[int, Field(ge=1, le=9)] | None = None
    grounding: bool | None = None
    model_tools: Literal["auto", "native", "json", "off"] | None = None
    layout: bool | None = None
    read_text: Literal["auto", "on", "off"] | None = None
    language: Language | None = None

    @classmethod
    def of(cls, protocol: ProtocolName, given: dict[str, Any]) -> Self:
        """A plan with the defaults of its protocol under what was given (None: not given).

        The reference protocol's defaults are MMAD's main table: one random template, no knowledge, no expert,
        no chain of thought (Jiang et al., ICLR 2025, section 4.1).
        """
        plain: dict[str, Any] = {}
        if protocol == "reference":
            plain = {"knowledge": "none", "expert": NO_EXPERT, "cot": False}
        chosen = {name: value for name, value in given.items() if value is not None}
        return cls.model_validate({**plain, **chosen, "protocol": protocol})

    @field_validator("model_tools", "read_text", mode="before")
    @classmethod
    def _as_written(cls, value: object) -> object:
        """YAML takes a bare `off` for false, and a bare `on` for true."""
        return ("on" if value else "off") if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _keeps_to_its_protocol(self) -> Self:
        if self.protocol == "agent" and self.history:
            raise ValueError("history belongs to the reference protocol: the agent asks each question afresh")
        if self.protocol == "agent" and not self.constrained:
            raise ValueError(
                "free text belongs to the reference protocol: the agent's choices are constrained"
            )
        if self.protocol == "agent" and self.expert == NO_EXPERT:
            raise ValueError("the agent always measures; use the reference protocol to go without an expert")
        if self.protocol == "reference" and self.expert == "auto":
            raise ValueError("the reference protocol has no planner: name the expert, or none")
        if self.protocol == "reference":
            foreign = [name for name in self._given_rules if name != "registration"]
            if foreign:
                raise ValueError(f"{foreign[0]} belongs to the agent's protocol")
        return self

    @property
    def _given_rules(self) -> dict[str, Any]:
        return {name: value for name in RULES if (value := getattr(self, name)) is not None}

    def settings(self, settings: Settings) -> Settings:
        """The inspector's settings under this plan.

        Raises:
            UsageError: an AnomalyGPT judges, which answers no multiple-choice questions.
        """
        if settings.anomalygpt is not None:
            raise UsageError("AnomalyGPT answers no multiple choice: use --reasoner vlm or evidence")
        ours: dict[str, Any] = {
            "expert": "auto" if self.expert == NO_EXPERT else self.expert,
            "notation": self.notation,
            "cot": self.cot,
            "knowledge": self.knowledge != "none",
            "keep_readings": True,
            **self._given_rules,
        }
        if settings.reasoner == "auto":
            # Measurements must not stand in for a model that fails half way: the rows would be mixed.
            ours["reasoner"] = "vlm" if settings.vlm_url else "evidence"
        return settings.model_copy(update=ours)

    def answer_changing(self, settings: Settings) -> dict[str, Any]:
        """Everything that a user can set and that changes an answer, as plain JSON values."""
        own = self.model_dump(mode="json", exclude={"domain_knowledge", *RULES})
        rest = set(ANSWER_CHANGING) - _ELSEWHERE
        return {**own, **self.settings(settings).model_dump(mode="json", include=rest)}

    def turned_off(self, settings: Settings) -> tuple[str, ...]:
        """Rules that are off under this plan."""
        told = self.settings(settings)
        names = OFF if self.protocol == "agent" else ("registration",)
        return tuple(name for name in names if getattr(told, name) == OFF[name])
