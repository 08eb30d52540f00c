"""The inspection as LangGraph's development server opens it (see `langgraph.json`).

The server sends plain JSON and brings its own checkpointer, so that a small graph around the inspection takes
paths and gives the report. The settings are those of environment and file.
"""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel

from agent.endpoint import reach_model
from agent.runs import inspection_id
from agent.settings import Settings
from agent.wiring import Handles, open_handles, versions
from graphs.inspection.build import build_graph
from graphs.inspection.state import InspectionState
from tools.artifacts import ArtifactStore


class Order(BaseModel):
    """What to inspect: paths on the server's machine."""

    image: str
    template: str | None = None
    product: str | None = None


class Result(Order):
    """An order and its report."""

    report: dict[str, Any] | None = None


async def graph() -> CompiledStateGraph[Result, None, Order, Result]:
    """The graph, with its handles opened off the server's event loop."""
    settings = await asyncio.to_thread(Settings.resolve)
    handles = await asyncio.to_thread(open_handles, settings, await reach_model(settings))
    inspection = build_graph(model_timeout_s=settings.vlm_timeout_s, max_looks=settings.max_looks)

    async def inspect(state: Result) -> dict[str, Any]:
        start, name = await asyncio.to_thread(_prepare, handles, state)
        artifacts = await asyncio.to_thread(ArtifactStore, settings.data_dir / "studio" / name)
        try:
            done = await inspection.ainvoke(start, context=handles.toolbox(name, artifacts, None))
        finally:
            await asyncio.to_thread(artifacts.discard)
        return {"report": done["report"].model_dump(mode="json")}

    outer = StateGraph(Result, input_schema=Order, output_schema=Result)
    outer.add_node("inspect", inspect)
    outer.add_edge(START, "inspect")
    outer.add_edge("inspect", END)
    return outer.compile(name="inspect")


def _prepare(handles: Handles, order: Order) -> tuple[InspectionState, str]:
    """Open the pictures of an order."""
    query = handles.images.open(order.image)
    templates = (handles.images.open(order.template),) if order.template else ()
    request = handles.request(query, templates, order.product)
    recorded = versions(handles.settings.language)
    return InspectionState(request=request), inspection_id(request, handles.settings, recorded, "")
