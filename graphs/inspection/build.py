"""Joins the steps into the graph of one inspection."""

from __future__ import annotations

from typing import get_args

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graphs.inspection import (
    advise,
    ask,
    check_layout,
    compose,
    judge,
    perceive,
    planning,
    read_text,
    recall,
    routes,
)
from graphs.inspection.state import InspectionState
from graphs.inspection.step import RETRY, as_node
from graphs.toolbox import Toolbox

InspectionGraph = CompiledStateGraph[InspectionState, Toolbox, InspectionState, InspectionState]

MODEL_CALLS_A_STEP = 4
"""A step asks the model at most this often in sequence, each call within its own time-out, and once more for
each tool that the model may ask for. Votes are asked for side by side."""


def build_graph(
    checkpointer: BaseCheckpointSaver[str] | None = None,
    *,
    model_timeout_s: float = 120.0,
    max_looks: int = 2,
) -> InspectionGraph:
    """Compile the inspection graph.

    Args:
        checkpointer: keeps the state of unfinished inspections; None keeps nothing.
        model_timeout_s: seconds for one answer of the model.
        max_looks: closer looks that it may ask for in one step.
    """
    deadline_s = (MODEL_CALLS_A_STEP + max_looks) * model_timeout_s
    graph = StateGraph(InspectionState, context_schema=Toolbox)
    graph.add_node("intake", as_node("intake", perceive.intake))
    graph.add_node(
        "plan",
        as_node("plan", planning.plan, deadline_s=deadline_s, rescue=planning.plan_by_policy_instead),
        retry_policy=RETRY,
    )
    graph.add_node("measure", as_node("measure", perceive.measure))
    graph.add_node(
        "recall_knowledge", as_node("recall_knowledge", recall.recall_knowledge), retry_policy=RETRY
    )
    graph.add_node("recall_templates", as_node("recall_templates", recall.recall_templates))
    graph.add_node("check_layout", as_node("check_layout", check_layout.check_layout))
    graph.add_node("read_text", as_node("read_text", read_text.read_text))
    graph.add_node("annotate", as_node("annotate", perceive.annotate), defer=True)
    graph.add_node(
        "reason",
        as_node("reason", judge.reason, deadline_s=deadline_s, rescue=judge.reason_from_evidence_instead),
        retry_policy=RETRY,
    )
    graph.add_node(
        "look_closer",
        as_node("look_closer", judge.look_closer, deadline_s=deadline_s, rescue=judge.stop_looking),
        retry_policy=RETRY,
    )
    graph.add_node("decide", as_node("decide", ask.decide))
    graph.add_node("advise", as_node("advise", advise.advise), retry_policy=RETRY)
    graph.add_node("compose", as_node("compose", compose.compose))

    graph.add_edge(START, "intake")
    graph.add_conditional_edges("intake", routes.after_intake)
    graph.add_conditional_edges("plan", routes.after_plan, list(get_args(routes.AfterPlan)))
    checks = list(get_args(routes.AfterMeasuring))
    graph.add_conditional_edges("recall_templates", routes.after_recall_templates, ["measure", *checks])
    graph.add_conditional_edges("measure", routes.after_measuring, checks)
    graph.add_edge("check_layout", "annotate")
    graph.add_edge("read_text", "annotate")
    graph.add_edge("recall_knowledge", "annotate")
    graph.add_edge("annotate", "reason")
    graph.add_conditional_edges("reason", routes.after_opinion)
    graph.add_conditional_edges("look_closer", routes.after_opinion)
    graph.add_edge("decide", "advise")
    graph.add_edge("advise", "compose")
    graph.add_edge("compose", END)
    return graph.compile(checkpointer=checkpointer, name="inspection")
