"""The chat in a pseudo-terminal, with the examples at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.agent.chat.terminal_kit import BOARD, TerminalWindow, window


@pytest.fixture
def chat(data_dir) -> Iterator[Callable[..., TerminalWindow]]:
    """Open a window with `agent chat ARGUMENTS` in the folder of the boards; each ends with the test."""
    with ExitStack() as windows:

        def opened(*arguments: object, **how: object) -> TerminalWindow:
            how = {"cwd": BOARD, "AGENT_DATA_DIR": str(data_dir), **how}
            shown = window("chat", "--pictures", "none", *arguments, **how)
            return windows.enter_context(shown)

        yield opened
