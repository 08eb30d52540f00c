"""The shape of the house: where packages come from, what start-up may import, what is public."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

HEAVY = (
    "torch",
    "langgraph",
    "langchain_core",
    "chromadb",
    "anomalib",
    "onnxruntime",
    "cv2",
    "numpy",
    "openai",
)


def _modules_after(code: str) -> set[str]:
    script = (
        f"import sys, json\n{code}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(ran.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["inspect", "--help"],
        ["doctor", "--help"],
        ["serve", "--help"],
        ["eval", "--help"],
        ["eval", "mmad", "--help"],
        ["eval", "detect", "--help"],
    ],
)
def test_help_imports_nothing_heavy(arguments):
    code = f"from agent.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass"
    assert not _modules_after(code) & set(HEAVY)


def test_importing_the_package_imports_nothing_heavy():
    assert not _modules_after("import agent") & set(HEAVY)


def test_the_embedded_path_needs_no_torch():
    code = "from agent.api import Inspector\nimport knowledge_base.store"
    assert not _modules_after(code) & {"torch", "anomalib", "sentence_transformers", "transformers", "openai"}


@pytest.mark.parametrize("package", ["agent", "evals", "graphs", "knowledge_base", "tools"])
def test_packages_are_ours(package):
    # A foreign top-level `tools` in site-packages would shadow ours for the console script.
    module = __import__(package)
    assert Path(module.__file__).is_relative_to(ROOT)


def test_public_names_exist():
    import agent

    assert sorted(agent.__all__) == agent.__all__
    for name in agent.__all__:
        assert getattr(agent, name).__name__ == name
