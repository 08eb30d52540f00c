"""anomalib's own `PatchcoreModel` on the embedded weights, as its documentation uses it: the one to beat."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import cv2

from tools.experts.onnx_export import load_weights
from tools.types import Pixels

_M_MMAP_THRESHOLD: Final = -3
_SMALL_BYTES, _USUAL_BYTES = 1 << 20, 32 << 20


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
        with _large_blocks_returned():
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


@contextmanager
def _large_blocks_returned() -> Iterator[None]:
    """Let glibc hand large blocks back to the system as soon as they are free.

    The greedy coreset frees and takes one large aligned block a step, which glibc's heap cannot use again: it
    grows by that much a step, to 24 GB with 16 good pictures. Fresh pages each time cost time instead,
    and the tables say so. Afterwards the limit is where glibc's own adjustment would have ended. Other
    allocators know no such call and are left alone.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        yield
        return
    set_option(_M_MMAP_THRESHOLD, _SMALL_BYTES)
    try:
        yield
    finally:
        set_option(_M_MMAP_THRESHOLD, _USUAL_BYTES)
