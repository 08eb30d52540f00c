"""The chat with a real vLLM, in a terminal. The model is random: what it wants and says is chance, not its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.chat.terminal_kit import BOARD, CTRL_C, CTRL_D, ENTER, TerminalWindow, window
from tests.vllm.server import VllmServer

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]

PATIENCE_S = 300
CUT_OFF = r"\(the answer was cut off here\)"
"""A random model hardly ever ends by itself."""


@pytest.fixture
def asking(server_with_a_parser: VllmServer, tmp_path: Path) -> Iterator[TerminalWindow]:
    """A chat about an open track, which was inspected without the model."""
    url = server_with_a_parser.base_url
    with window(
        "chat", "--session", "real", "--vlm-url", url, "--pictures", "none",
        cwd=BOARD, rows=200, AGENT_DATA_DIR=str(tmp_path),
    ) as shown:  # fmt: skip
        shown.wait_for_prompt(PATIENCE_S)
        assert f"model {server_with_a_parser.model}" in shown.text
        shown.type("/set reasoner evidence")
        assert "ANOMALOUS" in shown.type("/inspect open_track.jpg good.jpg")
        yield shown


def test_a_question_goes_to_the_model_with_its_tools_and_its_words_are_printed(asking):
    told = asking.type("What is wrong here?", PATIENCE_S)
    assert re.search(
        r"^• (inspect|measure|zoom|compare|overlay|read_text|search_knowledge)", told, re.MULTILINE
    ), told
    assert re.search(rf"{CUT_OFF}|\w", told[told.rindex("•") :].partition("\n")[2]), told
    asked = asking.type("/prompt chat")
    assert "What is wrong here?" in asked
    assert re.search(r"calls \w+ with \{", asked)
    assert re.search(r"asked for words\n[\s\S]+(Answer|answer) the person", asked)
    asking.send(CTRL_D)
    assert asking.wait_for_end() == 0


def test_ctrl_c_stops_the_model_at_its_work_and_it_goes_on(asking):
    asking.send("What is wrong here?" + ENTER)
    asking.wait_for("thinking", PATIENCE_S)
    asking.send(CTRL_C)
    asking.wait_for("stopped; /continue goes on from there", PATIENCE_S)
    asking.wait_for_prompt()
    told = asking.type("/continue", PATIENCE_S)
    assert told.strip(), asking.text
    assert "(stopped)" not in asking.type("/steps")
    assert "nothing was stopped" in asking.type("/continue")
