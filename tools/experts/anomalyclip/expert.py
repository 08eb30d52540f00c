"""AnomalyCLIP as an expert: it measures a part that it has never seen, and is sure of nothing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.experts.anomalyclip.files import prompts_file
from tools.experts.prompted.expert import Method, PromptedExpert
from tools.experts.prompted.looking import Model

_CODE_VERSION: Final = 1


class AnomalyClipExpert(PromptedExpert):
    """Zero-shot detection with learnt words for good and damaged; see `PromptedExpert`.

    Args:
        weights: file of a CLIP with a vision transformer; None looks for ViT-L/14@336 in the hubs' caches.
        prompts: a published checkpoint (`epoch_N.pth`) or what `agent train prompts` wrote.
        layers: vision blocks whose maps are averaged, counted from 1; none takes those that the prompts were
            learnt with, of published ones the last.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
    """

    def __init__(
        self,
        weights: Path | None = None,
        prompts: Path | None = None,
        *,
        layers: Sequence[int] = (),
        device: str = "auto",
    ) -> None:
        def opened(weights_at: Path, prompts_at: Path) -> Model:
            from tools.experts.anomalyclip.opening import open_model

            return open_model(weights_at, prompts_at, device=device, layers=layers)

        method = Method(
            name="anomalyclip",
            purpose="compare the picture, whole and place by place, with learnt words for good and damaged",
            requirement="CLIP weights (ViT-L/14@336) and learnt prompts",
            code_version=_CODE_VERSION,
            prompts_file=prompts_file,
            open_model=opened,
            options=tuple(map(str, layers)),
        )
        super().__init__(method, weights, prompts)
