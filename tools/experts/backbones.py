"""The embedded backbone: ImageNet features on any machine, nothing to download and no torch to import."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tools.errors import ExpertUnavailable
from tools.experts import onnx_export
from tools.experts.onnx_export import Strides
from tools.types import Pixels

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Features: TypeAlias = npt.NDArray[np.float32]
"""Shape (images, height, width, channels), float32."""

_SESSIONS_KEPT: Final = 6
_EMBED_SIDE_PX: Final = 224


class EmbeddedBackbone:
    """EfficientNet-Lite0 up to stride 16, run by ONNX Runtime. Safe to use from several threads.

    A session is made for each input size and set of strides, because fixed shapes are several times as fast
    as free ones; the last few are kept. Nothing is loaded before the first image.

    Args:
        cache_dir: folder that keeps the converted model between runs; made if it is not there.
        threads: worker threads of one forward pass; None takes the cores of this machine, four at most.
    """

    name: Final = "efficientnet-lite0"
    strides: Final = onnx_export.OUTPUT_STRIDES

    def __init__(self, cache_dir: Path, *, threads: int | None = None) -> None:
        self._cache_dir = cache_dir
        self._threads = threads or min(os.cpu_count() or 1, 4)
        self._models: dict[Strides, bytes] = {}
        self._sessions: OrderedDict[tuple[Strides, tuple[int, int]], InferenceSession] = OrderedDict()
        self._lock = threading.Lock()

    def obstacle(self) -> str | None:
        """Why it cannot run here and what helps; None if it can. Looks at files only."""
        try:
            if not onnx_export.weights_file().is_file():
                return "the embedded backbone's weights are missing: " + onnx_export.INSTALL
        except ExpertUnavailable as error:
            return str(error)
        missing = importlib.util.find_spec("onnxruntime") is None
        return "ONNX Runtime is not installed: pip install onnxruntime" if missing else None

    def features(
        self, images: npt.NDArray[np.uint8], strides: Strides = onnx_export.OUTPUT_STRIDES
    ) -> tuple[Features, ...]:
        """Feature maps at the strides asked for: 4 (24 channels), 8 (40) and 16 (112).

        The network is run no farther than the last of them: strides 4 and 8 cost half of 8 and 16.

        Args:
            images: RGB, shape (images, height, width, 3), uint8. Each runs alone, so that an image's features
                do not depend on its neighbours.
            strides: rising, of 4, 8 and 16.

        Raises:
            ValueError: not such an array.
            ExpertUnavailable: the weights are missing or damaged, or the cache folder cannot be written.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or 0 in images.shape:
            raise ValueError(
                "features needs uint8 images of shape (images, height, width, 3), "
                f"got {images.dtype} {images.shape}"
            )
        session = self._session(strides, (images.shape[1], images.shape[2]))
        runs = [session.run(None, {"image": image[None]}) for image in images]
        return tuple(np.concatenate(maps) for maps in zip(*runs, strict=True))

    def embed(self, image: Pixels) -> npt.NDArray[np.float32]:
        """One descriptor of the whole image, for finding similar images by inner product.

        Mean and deviation of each channel over the image, shape (304,), float32, of length 1.
        """
        side = (_EMBED_SIDE_PX, _EMBED_SIDE_PX)
        square = cv2.resize(image, side, interpolation=cv2.INTER_AREA).astype(np.uint8)
        parts = []
        for maps in self.features(square[None]):
            parts += [maps.mean(axis=(0, 1, 2)), maps.std(axis=(0, 1, 2))]
        descriptor = np.concatenate([part / np.linalg.norm(part) for part in parts])
        unit: npt.NDArray[np.float32] = (descriptor / np.linalg.norm(descriptor)).astype(np.float32)
        return unit

    def _session(self, strides: Strides, size_hw: tuple[int, int]) -> InferenceSession:
        with self._lock:
            session = self._sessions.pop((strides, size_hw), None)
            if session is None:
                if strides not in self._models:
                    self._models[strides] = onnx_export.cached_model(self._cache_dir, strides)
                session = _open(self._models[strides], size_hw, self._threads)
            self._sessions[strides, size_hw] = session
            while len(self._sessions) > _SESSIONS_KEPT:
                self._sessions.popitem(last=False)
            return session


def _open(model: bytes, size_hw: tuple[int, int], threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads must not burn the cores that the steps beside this one need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_free_dimension_override_by_name("height", size_hw[0])
    options.add_free_dimension_override_by_name("width", size_hw[1])
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
