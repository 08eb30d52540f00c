"""How much memory one expert takes: fit and read in a process of its own.

Run as a child: a job on stdin, the figures on stdout.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from benchmarks import roster
from benchmarks.children import MOST_GIB, answer, hold_memory, peak_mib
from benchmarks.expert_tables import PEER
from benchmarks.peer import BarePeer
from benchmarks.pictures import read
from tools.errors import ViewMismatch
from tools.experts.patchcore import PatchCoreOptions


def measure(data_dir: str, expert: str, templates: Sequence[str], query: str) -> float:
    """Peak memory in MiB after a fit on these pictures and three readings."""
    normals, image = [read(path) for path in templates], read(query)
    if expert == PEER:
        peer = BarePeer(PatchCoreOptions().long_side_px).fit(normals)
        for _ in range(3):
            peer.score(image)
        return peak_mib()
    fitted = roster.expert(expert, Path(data_dir)).fit(normals)
    for _ in range(3):
        with contextlib.suppress(ViewMismatch):
            fitted.read(image)
    return peak_mib()


if __name__ == "__main__":
    hold_memory(MOST_GIB)
    warnings.simplefilter("ignore")  # anomalib's own deprecated imports
    job = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # and its progress bars
        told = measure(**job)
    answer(told)
