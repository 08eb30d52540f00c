"""The graph that LangGraph's development server opens."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "langgraph.json"


@pytest.mark.anyio
async def test_the_configured_graph_takes_paths_and_gives_a_report(examples):
    (place,) = json.loads(CONFIG.read_text(encoding="utf-8"))["graphs"].values()
    file, name = place.removeprefix("./").split(":")
    graph = await getattr(import_module(file.removesuffix(".py").replace("/", ".")), name)()
    board = examples / "bare_pcb"
    done = await graph.ainvoke({"image": str(board / "short.jpg"), "template": str(board / "good.jpg")})
    assert done["report"]["verdict"] == "anomalous"
    inner = graph.get_graph(xray=True).nodes
    assert "inspect:look_closer" in inner
