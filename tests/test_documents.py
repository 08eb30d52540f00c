"""Documents that cannot lie: what they quote of the product is generated and compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
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


def _chat_graph() -> str:
    from graphs.chat.build import build_chat

    return f"```mermaid\n{build_chat().get_graph().draw_mermaid().strip()}\n```"


def _chat_commands() -> str:
    from agent.chat.commands import COMMANDS

    rows = ["| command | what it does |", "| --- | --- |"]
    for command in COMMANDS.values():
        usage = f"/{command.name} {command.usage}".strip().replace("|", "\\|")
        rows.append(f"| `{usage}` | {command.help} |")
    return "\n".join(rows)


def _session(tmp_path: Path) -> str:
    """What `agent chat < examples/chat.txt` prints, without seconds and folders, which differ."""
    typed = (ROOT / "examples" / "chat.txt").read_text(encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-c", "from agent.cli.main import main; main(['chat', '--session', 'doc'])"],
        input=typed,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "AGENT_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        check=True,
    )
    told = ran.stdout.replace(str(tmp_path / "chats" / "doc"), "~").replace(f"{ROOT}/", "")
    shown = re.sub(r"(?<![\d.])(?:\d+\.\d\d? s|\d+ ms)\b", "… s", told)
    return f"```text\n$ agent chat < examples/chat.txt\n{shown.strip()}\n```"


def _brought_up_to_date(document: str, name: str, made: str) -> tuple[str, str]:
    """A document's text, and what it would be with this block; with UPDATE_GOLDEN they are then the same."""
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- generated: {re.escape(name)} -->\n).*?(<!-- /generated -->)", re.DOTALL)
    current = block.sub(lambda found: f"{found[1]}{made}\n{found[2]}", text)
    assert block.search(text), f"{document} has no block for {name}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(current, encoding="utf-8")
    return path.read_text(encoding="utf-8"), current


@pytest.mark.parametrize(
    ("document", "name", "made"),
    [
        ("docs/chat.md", "commands", _chat_commands),
        ("docs/chat.md", "chat graph", _chat_graph),
        ("docs/how-it-works.md", "agent graph", _graph),
        ("docs/settings.md", "settings", _settings),
        ("README.md", "agent --help", _help),
    ],
)
def test_generated_blocks_are_current(document, name, made):
    there, current = _brought_up_to_date(document, name, made())
    assert there == current


def test_the_session_in_the_readme_is_what_the_chat_prints(tmp_path):
    there, current = _brought_up_to_date("README.md", "session", _session(tmp_path))
    digits = re.compile(r"\d+")  # another machine may round a score otherwise
    assert digits.sub("#", there) == digits.sub("#", current)


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text):
        assert ((ROOT / document).parent / target).exists(), f"{document} links to {target}"
