"""A planner that lets the vision-language model choose the steps, from the same catalogue as the policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.inspection.plan import MEASURE, REASON, Situation, catalogue, experts_of
from graphs.inspection.replies import PlannedStep, PlanReply
from graphs.inspection.state import Plan
from graphs.prompts.texts import PROMPTS, quoted
from graphs.report import PlanStep
from tools.errors import VlmInvalid
from tools.vlm.base import JsonSchema, Message, Sampling, TextPart, VisionLanguageModel
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
            plan_request(situation, possible),
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


def plan_request(situation: Situation, possible: Mapping[str, str]) -> list[Message]:
    """The planner's only turn."""
    language = situation.language
    at_hand = [PROMPTS.say(language, "plan.templates", count=situation.templates)]
    at_hand.append(PROMPTS.say(language, "plan.library" if situation.library else "plan.no_library"))
    if situation.product:
        at_hand.append(PROMPTS.say(language, "plan.product", product=quoted(situation.product)))
    else:
        at_hand.append(PROMPTS.say(language, "plan.no_product"))
    steps = "\n".join(f"- {name}: {purpose}" for name, purpose in possible.items())
    text = PROMPTS.say(language, "plan", situation="; ".join(at_hand), catalogue=steps)
    return [
        Message("system", (TextPart(PROMPTS.say(language, "system")),)),
        Message("user", (TextPart(text),)),
    ]


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
