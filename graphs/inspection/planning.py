"""The step that plans."""

from __future__ import annotations

import asyncio

from graphs.inspection.plan import Situation, plan_by_policy
from graphs.inspection.read_text import wanted_text
from graphs.inspection.step import Outcome, Visit


async def plan(visit: Visit) -> Outcome:
    """Choose the steps."""
    situation = await asyncio.to_thread(situation_of, visit)
    chosen = await visit.tools.planner.plan(situation, attempt=visit.attempt)
    return Outcome({"plan": chosen}, f"by {chosen.by}: {', '.join(s.step for s in chosen.steps if s.taken)}")


async def plan_by_policy_instead(visit: Visit) -> Outcome:
    """The policy's plan, where the chosen planner failed."""
    situation = await asyncio.to_thread(situation_of, visit)
    return Outcome({"plan": plan_by_policy(situation)}, "by policy, since the chosen planner failed")


def situation_of(visit: Visit) -> Situation:
    """What is at hand for this inspection."""
    request, tools = visit.state.request, visit.tools
    text, text_reason = wanted_text(visit)
    return Situation(
        templates=len(request.templates),
        library=tools.templates is not None,
        knowledge=tools.knowledge is not None,
        product=request.product,
        recognised=request.recognised,
        profile=len(tools.profile),
        experts=tools.experts.offers(),
        expert_choice=request.expert,
        reasoner=tools.reasoner.name,
        reasoner_sees=tools.reasoner.sees,
        max_looks=request.budget.rounds if request.close else 0,
        weak=request.weak if request.weak_experts == "left-out" else {},
        layout=request.layout,
        language=request.language,
        text=text,
        text_reason=text_reason,
    )
