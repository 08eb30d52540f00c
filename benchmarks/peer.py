"""anomalib's own `PatchcoreModel` on the embedded weights, as its documentation uses it: the one to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2

from tools.experts.onnx_export import load_weights
from tools.types import Pixels


class BarePeer:
    """Remember the good pictures, thin the bank, look; no calibration, no regions.

    Args:
        seen_px: side of what the backbone sees.
        neighbours: how many each patch's score looks at.
        coreset: fraction of the bank that anomalib's greedy coreset keeps. Both defaults are anomalib's.
    """

    def __init__(self, seen_px: int, neighbours: int = 9, coreset: float = 0.1) -> None:
        import torch
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel

        self._torch = torch
        self._seen_px = seen_px
        self._coreset = coreset
        self._model = PatchcoreModel(
            layers=["blocks.2", "blocks.4"],
            backbone="tf_efficientnet_lite0",
            pre_trained=False,
            num_neighbors=neighbours,
        )
        network = self._model.feature_extractor.feature_extractor
        # Equal tensors in equal order under other names; the classifier's come last and are not used.
        network.load_state_dict(dict(zip(network.state_dict(), load_weights().values(), strict=False)))

    def fit(self, normals: Sequence[Pixels]) -> BarePeer:
        """Fill the bank from good pictures, as one batch each."""
        model, torch = self._model, self._torch
        model.train()
        model.memory_bank = torch.empty(0)
        with torch.no_grad():
            for good in normals:
                model(self._batch(good))
        model.subsample_embedding(self._coreset)
        model.eval()
        return self

    def score(self, image: Pixels) -> float:
        """Its score of a picture; the map comes with it."""
        with self._torch.inference_mode():
            return float(self._model(self._batch(image)).pred_score)

    def _batch(self, image: Pixels) -> Any:  # noqa: ANN401 - a tensor
        seen = (self._seen_px, self._seen_px)
        small = image if image.shape[:2] == seen else cv2.resize(image, seen, interpolation=cv2.INTER_AREA)
        return self._torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1
