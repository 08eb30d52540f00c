"""Documents that cannot lie: what they quote of the product is generated and compared."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _graph() -> str:
    from graphs.inspection.build import build_graph

    return f"```mermaid\n{build_graph().get_graph().draw_mermaid().strip()}\n```"


def _settings() -> str:
    from agent.settings import Settings

    rows = ["| name | environment | default | what |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default if field.default_factory is None else "depends on the machine"
        shown = "" if default is None else f"`{default}`" if field.default_factory is None else default
        rows.append(f"| `{name}` | `AGENT_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def _help() -> str:
    from click.testing import CliRunner

    from agent.cli.main import cli

    return f"```text\n$ agent --help\n{CliRunner().invoke(cli, ['--help'], prog_name='agent').output.strip()}\n```"


@pytest.mark.parametrize(
    ("document", "name", "made"),
    [
        ("docs/how-it-works.md", "agent graph", _graph),
        ("docs/settings.md", "settings", _settings),
        ("README.md", "agent --help", _help),
    ],
)
def test_generated_blocks_are_current(document, name, made):
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- generated: {re.escape(name)} -->\n).*?(<!-- /generated -->)", re.DOTALL)
    current = block.sub(lambda found: f"{found[1]}{made()}\n{found[2]}", text)
    assert block.search(text), f"{document} has no block for {name}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(current, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == current


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text):
        assert ((ROOT / document).parent / target).exists(), f"{document} links to {target}"
