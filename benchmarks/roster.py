"""The experts by name, as the agent ships them.

Run as a child: a job on stdin, on stdout why each expert cannot run here (null: it can).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from benchmarks.children import answer
from tools.experts.base import Expert

EMBEDDED: Final = ("pair", "patchcore")
"""Need no weights but the installed ones. Made without the agent, whose imports would weigh on them."""


def expert(name: str, data_dir: Path) -> Expert:
    """One expert.

    Args:
        name: as `--expert` of the agent takes it.
        data_dir: where converted models are kept.

    Raises:
        KeyError: there is none of this name.
    """
    if name == "pair":
        from tools.experts.pair import PairExpert

        return PairExpert()
    if name == "patchcore":
        from tools.experts.backbones import EmbeddedBackbone
        from tools.experts.patchcore import PatchCoreExpert

        return PatchCoreExpert(EmbeddedBackbone(data_dir / "models"))
    return {one.name: one for one in everyone(data_dir)}[name]


def everyone(data_dir: Path) -> tuple[Expert, ...]:
    """All that the agent would offer without any settings of the user, in its order of preference."""
    from agent.settings import Settings
    from agent.wiring import open_backbone, open_experts

    settings = Settings(data_dir=data_dir)
    return open_experts(settings, open_backbone(settings))


if __name__ == "__main__":
    job = json.load(sys.stdin)
    answer({one.name: one.obstacle() for one in everyone(Path(job["data_dir"]))})
