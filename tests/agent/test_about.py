"""`agent schema` and `agent graph` print what they promise."""

from __future__ import annotations

import json
import os
from pathlib import Path

SCHEMA = Path(__file__).parent.parent / "golden" / "schema" / "report_v1.json"


def test_the_schema_of_version_1_is_a_promise(agent):
    printed = json.loads(agent("schema").out)
    if os.environ.get("UPDATE_GOLDEN"):
        SCHEMA.write_text(json.dumps(printed, indent=2) + "\n", encoding="utf-8")
    assert printed == json.loads(SCHEMA.read_text(encoding="utf-8"))


def test_the_graph_shows_every_step_and_the_loop(agent):
    diagram = agent("graph").out
    for step in (
        "intake",
        "plan",
        "measure",
        "recall_knowledge",
        "recall_templates",
        "annotate",
        "reason",
        "look_closer",
        "decide",
        "advise",
        "compose",
    ):
        assert f"{step}(" in diagram
    assert "look_closer -.-> look_closer" in diagram
    assert "measure -.-> annotate" in diagram
    assert "measure -.-> check_layout" in diagram
    assert "read_text --> annotate" in diagram
