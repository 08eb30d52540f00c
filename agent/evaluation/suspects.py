"""Images that show another product than their templates, found once for each state of the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from agent.settings import Settings
from agent.wiring import open_backbone, open_images
from evals.mmad.strangers import strangers
from evals.types import Benchmark
from tools.atomic import write_atomically
from tools.errors import ImageError

_KEYS = TypeAdapter(list[str])


def suspects_of(benchmark: Benchmark, settings: Settings, kept: Path) -> frozenset[str]:
    """Keys of the suspected images (`evals.mmad.strangers`).

    Args:
        benchmark: the data.
        settings: where the backbone's converted model lies.
        kept: file that holds the answer for this state of the data.
    """
    try:
        return frozenset(_KEYS.validate_json(kept.read_bytes()))
    except (FileNotFoundError, ValidationError):
        pass
    images, backbone = open_images(settings), open_backbone(settings)

    def describe(path: Path) -> npt.NDArray[np.float32] | None:
        try:
            return backbone.embed(images.pixels(images.open(path)))
        except ImageError:
            return None  # said when it is asked about

    found = sorted(suspect.image for suspect in strangers(benchmark.cases, describe))
    write_atomically(kept, _KEYS.dump_json(found))
    return frozenset(found)
