"""The learnt prompts that DAPO needs, and the command that brings them.

Nothing here opens a network, nor imports torch: it says in a moment whether the expert can run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tools.errors import ExpertUnavailable

PROMPTS_NAME: Final = "dapo.safetensors"
"""Of the file that `agent train prompts --method dapo` keeps."""

MODEL_CARD_NAME: Final = "MODEL_CARD.md"

PROMPTS_REMEDY: Final = (
    "learn them with `agent train prompts --method dapo` on pictures with marked defects, "
    "then set AGENT_DAPO_PROMPTS to the file"
)


def prompts_file(named: Path | None) -> Path:
    """The learnt prompts; they have no place of their own, so they must be named.

    Raises:
        ExpertUnavailable: there are none; the message says what brings them.
    """
    if named is None:
        raise ExpertUnavailable(f"DAPO has no prompts: {PROMPTS_REMEDY}")
    if named.is_file():
        return named
    raise ExpertUnavailable(f"there is no file {named} with DAPO's prompts: {PROMPTS_REMEDY}")
