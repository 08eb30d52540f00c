"""From the shell prompt to a report, and what the imports on the way cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.children import ChildFailed, Children

AGENT: Final = Path(sys.executable).parent / "agent"

OURS: Final = {
    "command line": "import agent.cli",
    "Python API": "from agent import Inspector",
    "  of it LangGraph": "import langgraph.graph, langgraph.checkpoint.sqlite.aio",
    "  of it OpenCV": "import cv2",
    "  of it pydantic": "import pydantic, pydantic_settings",
    "at first use: ONNX Runtime": "import onnxruntime",
    "at first use: Chroma": "import chromadb",
    "with a model: langchain-openai": "import langchain_openai",
}
"""What an inspection imports; parts share packages, so that they do not add up."""

NAIVE: Final = {
    "torch": "import torch",
    "anomalib.models": "import anomalib.models",
    "sentence-transformers": "import sentence_transformers",
    "all three": "import torch, anomalib.models, sentence_transformers",
}
"""What the same inspection would import if it ran on the usual packages."""

EMBEDDED: Final = {
    "pair": "from tools.experts.pair import PairExpert",
    "patchcore": "from tools.experts.patchcore import PatchCoreExpert",
    "pair, patchcore and ONNX Runtime": (
        "from tools.experts.pair import PairExpert; from tools.experts.patchcore import PatchCoreExpert; "
        "import onnxruntime"
    ),
}
"""What the experts without weights of their own import."""

_TIMED_IMPORT = """
import json, time, warnings
warnings.simplefilter("ignore")
started = time.perf_counter()
{statement}
seconds = time.perf_counter() - started
from benchmarks.children import peak_mib
print(json.dumps([seconds, peak_mib()]))
"""


def inspect_once(children: Children, request: list[str]) -> float:
    """Wall seconds of `agent inspect ... --format json` as a new process, its report checked.

    Raises:
        ChildFailed: it did not end with one JSON report that the measurements alone decided.
    """
    ended = children.run(AGENT, "inspect", *request, "--format", "json")
    report = json.loads(ended.stdout)
    if report["reasoner"] != "evidence" or not report["readings"] or report["faults"]:
        raise ChildFailed(f"agent inspect was not whole: {report['summary']} {report['faults']}")
    return ended.seconds


def measure(children: Children, request: list[str], repeats: int) -> dict[str, Any]:
    """Cold start with a data folder that is prepared, `agent --help`, and imports."""
    return {
        "inspect_s": [inspect_once(children, request) for _ in range(repeats)],
        "help_s": [children.run(AGENT, "--help").seconds for _ in range(repeats)],
        "imports": imports(children, OURS, min(repeats, 3)),
    }


def imports(children: Children, statements: dict[str, str], repeats: int) -> list[dict[str, Any]]:
    """Seconds and peak memory of import statements, each in a process of its own: medians."""
    rows = []
    for name, statement in statements.items():
        program = _TIMED_IMPORT.format(statement=statement)
        told = [json.loads(children.run(sys.executable, "-c", program).stdout) for _ in range(repeats)]
        seconds, peaks = zip(*told, strict=True)
        rows.append({"name": name, "seconds": median(seconds), "peak_mib": median(peaks)})
    return rows
