"""Whole images as vectors, by any timm backbone on this machine: DINOv2, CLIP, a residual network."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models.opening import checked_normalisation, imported, unusable
from tools.experts.anomalib_models.weights import LOCAL, find_backbone, missing_package
from tools.experts.framing import resized
from tools.types import Pixels

_SIDE_PX: Final = 224
"""Side at which transformers see; those of DINOv2 would take 518, at five times the cost."""


class TimmEmbedding:
    """The pooled features of a timm backbone. Safe to use from several threads; opened at the first image.

    Args:
        backbone: a timm name whose weights the Hugging Face cache holds, or "local-dir:/path" to a folder
            that `timm.models.save_for_hf` wrote. The network is never asked.

    Raises:
        ExpertUnavailable: a package or the weights are missing or damaged.
    """

    def __init__(self, backbone: str) -> None:
        if missing := missing_package(("timm", "torch")):
            raise ExpertUnavailable(missing)
        self._backbone = backbone
        self._found = find_backbone(backbone)
        self._lock = threading.Lock()
        self.name: Final = f"{self._found.architecture} {self._found.digest}"

    def embed(self, image: Pixels) -> npt.NDArray[np.float32]:
        """One descriptor of the whole image, squeezed into a square: shape (dimension,), float32.

        Raises:
            ExpertUnavailable: timm cannot make a model of the weights.
        """
        import torch

        with self._lock:
            network, side_px, mean, std = self._opened
        square = resized(image, (side_px, side_px)).astype(np.float32) / 255
        normalised = torch.from_numpy(((square - mean) / std).transpose(2, 0, 1)[None])
        with torch.inference_mode():
            vector: npt.NDArray[np.float32] = network(normalised)[0].numpy().astype(np.float32)
        return vector

    @cached_property
    def _opened(self) -> tuple[Any, int, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        timm = imported("timm")
        source = f"{LOCAL}{self._found.folder.absolute()}"
        try:
            network = timm.create_model(source, pretrained=True, num_classes=0).eval()
            side_px = int(network.pretrained_cfg["input_size"][-1])
            if side_px > _SIDE_PX and hasattr(network, "patch_embed"):
                network = timm.create_model(source, pretrained=True, num_classes=0, img_size=_SIDE_PX).eval()
                side_px = _SIDE_PX
        except Exception as error:  # a user's folder can break timm in any way
            raise unusable(self._backbone, error) from error
        described = (network.pretrained_cfg.get(part) or () for part in ("mean", "std"))
        mean, std = checked_normalisation(*described)
        return network, side_px, np.asarray(mean, np.float32), np.asarray(std, np.float32)
