"""The learnt prompts that AnomalyCLIP needs, where they come from, and the command that brings them.

Nothing here opens a network, nor imports torch: it says in a moment whether the expert can run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tools.errors import ExpertUnavailable

PROMPTS_NAME: Final = "prompts.safetensors"
"""Of the file that `agent train prompts` keeps."""

PROMPTS_REMEDY: Final = (
    "curl -fLo anomalyclip.pth https://github.com/zqhang/AnomalyCLIP/raw/main/checkpoints/"
    "9_12_4_multiscale/epoch_15.pth, or learn your own with `agent train prompts`; "
    "then set AGENT_ANOMALYCLIP_PROMPTS to the file"
)


def prompts_file(named: Path | None) -> Path:
    """The learnt prompts; they have no place of their own, so they must be named.

    Raises:
        ExpertUnavailable: there are none; the message says what brings them.
    """
    if named is None:
        raise ExpertUnavailable(f"AnomalyCLIP has no prompts: {PROMPTS_REMEDY}")
    if named.is_file():
        return named
    raise ExpertUnavailable(f"there is no file {named} with AnomalyCLIP's prompts: {PROMPTS_REMEDY}")
