"""A planner that lets the vision-language model choose the steps, from the same catalogue as the policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.inspection import prompts
from graphs.inspection.plan import MEASURE, REASON, Situation, catalogue, experts_of
from graphs.inspection.replies import PlannedStep, PlanReply
from graphs.inspection.state import Plan
from graphs.report import PlanStep
from tools.errors import VlmInvalid
from tools.vlm.base import JsonSchema, Sampling, VisionLanguageModel
from tools.vlm.parse import bounded_schema, parse_reply

PLAN_TOKENS = 1024


class ModelPlanner:
    """Asks the model for a plan under a schema and checks it; see `graphs.inspection.plan.Planner`."""

    def __init__(self, vlm: VisionLanguageModel) -> None:
        self._vlm = vlm

    async def plan(self, situation: Situation, *, attempt: int = 1) -> Plan:
        """See `Planner.plan`; a plan that breaks a rule raises `VlmInvalid`."""
        possible = catalogue(situation)
        reply = await self._vlm.complete(
            prompts.plan_request(situation, possible),
            constraint=JsonSchema("plan", _schema(possible)),
            sampling=Sampling(max_tokens=PLAN_TOKENS, temperature=0.0 if attempt == 1 else 0.3, seed=attempt),
        )
        chosen = parse_reply(reply.text, PlanReply).steps
        _check(chosen, possible)
        steps = (
            *(PlanStep(step=entry.step, taken=True, reason=entry.reason) for entry in chosen),
            *(
                PlanStep(step=step, taken=False, reason="not chosen by the model")
                for step in possible
                if step not in {entry.step for entry in chosen}
            ),
        )
        return Plan(by=f"vlm:{self._vlm.name}", steps=steps, experts=experts_of(steps))


def _schema(possible: Mapping[str, str]) -> dict[str, Any]:
    """The reply's schema, its steps narrowed to what can be taken here."""
    schema = bounded_schema(PlanReply)
    schema["$defs"]["PlannedStep"]["properties"]["step"] = {"type": "string", "enum": list(possible)}
    return schema


def _check(chosen: list[PlannedStep], possible: Mapping[str, str]) -> None:
    names = [entry.step for entry in chosen]
    if strangers := sorted(set(names) - set(possible)):
        raise VlmInvalid(f"the model planned steps that cannot be taken here: {', '.join(strangers)}")
    if len(set(names)) != len(names):
        raise VlmInvalid("the model planned a step twice")
    if REASON not in names:
        raise VlmInvalid("the model's plan never judges the part: step 'reason' is missing")
    if any(name.startswith(MEASURE) for name in possible) and not any(n.startswith(MEASURE) for n in names):
        raise VlmInvalid("the model's plan measures nothing though a reference is at hand")
