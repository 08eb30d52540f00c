"""Where a CLIP runs."""

from __future__ import annotations

import torch

from tools.clip.model import Clip
from tools.errors import ExpertUnavailable


def on_device(clip: Clip, device: str) -> Clip:
    """The CLIP on "cpu", "cuda", or with "auto" on a GPU where there is one.

    Raises:
        ExpertUnavailable: there is no such device.
    """
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        return clip.to(chosen)
    except (RuntimeError, AssertionError) as error:
        said = str(error).splitlines()[0]
        raise ExpertUnavailable(f"the model cannot run on {chosen!r} ({said}); choose cpu") from error
