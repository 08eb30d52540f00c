"""DAPO as an expert: where a part is damaged, and of which types each place may be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.experts.dapo.files import prompts_file
from tools.experts.prompted.expert import Method, PromptedExpert
from tools.experts.prompted.looking import Model

_CODE_VERSION: Final = 1


class DapoExpert(PromptedExpert):
    """Zero-shot detection and naming of defects with learnt prompts; see `PromptedExpert`.

    Args:
        weights: file of a CLIP with a vision transformer; None looks for ViT-L/14@336 in the hubs' caches.
        prompts: what `agent train prompts --method dapo` wrote.
        types: names of types to tell apart instead of those learnt from; they may be of types never seen.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
    """

    def __init__(
        self,
        weights: Path | None = None,
        prompts: Path | None = None,
        *,
        types: Sequence[str] = (),
        device: str = "auto",
    ) -> None:
        def opened(weights_at: Path, prompts_at: Path) -> Model:
            from tools.experts.dapo.opening import open_model

            return open_model(weights_at, prompts_at, device=device, types=types)

        named = (hashlib.sha256("\0".join(types).encode()).hexdigest()[:16],) if types else ()
        method = Method(
            name="dapo",
            purpose="compare the picture, whole and place by place, with learnt words for good and each type",
            requirement="CLIP weights (ViT-L/14@336) and learnt prompts",
            code_version=_CODE_VERSION,
            prompts_file=prompts_file,
            open_model=opened,
            options=named,
        )
        super().__init__(method, weights, prompts)
