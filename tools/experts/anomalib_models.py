"""anomalib's own models as experts (Akcay et al. 2022, arXiv 2202.08341), run without its engine or trainer.

They are chosen by name and slow to start: anomalib alone takes many seconds to import. A model that is to
fit in here keeps a memory of each good image and measures a picture against a list of such memories
(`_Detector`); leave-one-out calibration and reading are then the same for all.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from tools.errors import ExpertUnavailable
from tools.experts.calibration import calibrate, perturbations
from tools.experts.framing import distinct, framing_notes, resized, seen_size_hw, within_reach
from tools.experts.onnx_export import load_weights
from tools.experts.patchcore import ANYWHERE, LEAST_SPREAD
from tools.experts.placing import placed
from tools.types import Calibration, MapValues, Measurement, Pixels

if TYPE_CHECKING:
    import torch

_EMBEDDED: Final = "tf_efficientnet_lite0"
_LOCAL: Final = "local-dir:"
_STRIDES: Final = (8, 16)
_LONG_SIDE_PX: Final = 320
_COPIES: Final = 4
_BANK_ROWS: Final = 10_000


class _Detector(Protocol):
    """A model that holds what it knows outside of itself, so that any good image can be left out."""

    def remember(self, picture: Pixels) -> Any:  # noqa: ANN401
        """What the model keeps of a good picture."""

    def measure(self, picture: Pixels, memories: Sequence[Any]) -> MapValues:
        """Map of a picture against the memories of good ones, at the picture's own size."""


class AnomalibPatchCoreExpert:
    """anomalib's `PatchcoreModel` over a convolutional timm backbone, on strides 8 and 16.

    The score is the highest value of anomalib's map, so that map, score and limits are in one unit.

    Args:
        backbone: "tf_efficientnet_lite0" on the embedded weights, another timm name whose weights the
            Hugging Face cache holds, or "local-dir:/path" to a folder that `timm.models.save_for_hf` wrote.
            The network is never asked.
    """

    name: Final = "anomalib-patchcore"

    def __init__(self, backbone: str = _EMBEDDED) -> None:
        self._backbone = backbone
        self._lock = threading.Lock()
        self._detector: _Detector | None = None

    def fit(self, normals: Sequence[Pixels]) -> FittedAnomalibModel:
        """Remember the good images and place the zones; see `tools.experts.base.Expert`."""
        if not normals:
            raise ValueError(f"{self.name} needs at least one good image")
        with self._lock:
            if self._detector is None:
                self._detector = _PatchCore(self._backbone)
        return _fit(self.name, self._detector, normals)


class FittedAnomalibModel:
    """An anomalib model that knows its good images. Safe to use from several threads."""

    def __init__(
        self,
        name: str,
        detector: _Detector,
        memories: Sequence[Any],
        calibration: Calibration,
        sizes_hw: frozenset[tuple[int, int]],
    ) -> None:
        self.name = name
        self.calibration = calibration
        self._detector = detector
        self._memories = memories
        self._sizes_hw = sizes_hw

    def read(self, image: Pixels) -> Measurement:
        """Measure one image; see `tools.experts.base.FittedExpert`."""
        started = time.perf_counter()
        return placed(
            self.name,
            image,
            self._detector.measure(_seen(image), self._memories),
            self.calibration,
            notes=(ANYWHERE, *framing_notes(image, _LONG_SIDE_PX, self._sizes_hw)),
            started=started,
        )


def _seen(image: Pixels) -> Pixels:
    return resized(image, seen_size_hw(image, _LONG_SIDE_PX))


def _fit(name: str, detector: _Detector, normals: Sequence[Pixels]) -> FittedAnomalibModel:
    """Leave one good image out at a time; with one good image, one of its re-imaged copies."""
    normals = distinct(normals)
    alone = len(normals) == 1
    pictures = [_seen(image) for image in normals]
    if alone:
        reach = within_reach(normals[0], _LONG_SIDE_PX)
        pictures += [_seen(copy) for copy in perturbations(reach, count=_COPIES)]
    memories = [detector.remember(picture) for picture in pictures]
    scores = [
        float(detector.measure(picture, memories[:index] + memories[index + 1 :]).max())
        for index, picture in enumerate(pictures)
        if not (alone and index == 0)
    ]
    calibration = calibrate(
        scores,
        method="copies of the one good image, left out in turn" if alone else "good images, left out in turn",
        normals=len(normals),
        floor_spread=LEAST_SPREAD * float(np.median(scores)),
        plausible=_quarter_scores(detector, pictures[0]) if alone else (),
    )
    sizes_hw = frozenset(seen_size_hw(image, _LONG_SIDE_PX) for image in normals)
    return FittedAnomalibModel(name, detector, memories, calibration, sizes_hw)


def _quarter_scores(detector: _Detector, picture: Pixels) -> list[float]:
    """Score of each quarter of a good picture against the other three: how far apart its own places are."""
    height, width = (side // 2 for side in picture.shape[:2])
    quarters = [
        np.ascontiguousarray(picture[rows, columns])
        for rows in (slice(0, height), slice(height, None))
        for columns in (slice(0, width), slice(width, None))
    ]
    memories = [detector.remember(quarter) for quarter in quarters]
    return [
        float(detector.measure(quarter, memories[:index] + memories[index + 1 :]).max())
        for index, quarter in enumerate(quarters)
    ]


class _PatchCore:
    """anomalib's `PatchcoreModel`; a memory is the embedding of one picture, shape (patches, channels)."""

    def __init__(self, backbone: str) -> None:
        try:
            source = _weights_source(backbone)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its own deprecated imports are no news to our users
                import timm
                import torch
                from anomalib.models.image.patchcore.torch_model import PatchcoreModel
        except ImportError as error:
            raise ExpertUnavailable(f"cannot import anomalib ({error}): pip install anomalib timm") from error
        try:
            sketch: Any = timm.create_model(source, pretrained=False, features_only=True)
            levels = sketch.feature_info.reduction()
            layers = [levels.index(stride) for stride in _STRIDES]
            self._model = PatchcoreModel(
                layers=layers, backbone=source, pre_trained=source != _EMBEDDED, num_neighbors=1
            )
        except Exception as error:  # a user's folder can break timm in any way
            raise ExpertUnavailable(
                f"{backbone} cannot be used: it needs whole weights and features at strides {_STRIDES} "
                f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'})"
            ) from error
        network = self._model.feature_extractor.feature_extractor
        if source == _EMBEDDED:
            # Equal tensors in equal order under other names; the classifier's come last and are not used.
            network.load_state_dict(dict(zip(network.state_dict(), load_weights().values(), strict=False)))
        self._torch = torch
        self._mean, self._std = (
            torch.tensor(network.pretrained_cfg[part]).view(1, 3, 1, 1) for part in ("mean", "std")
        )
        self._lock = threading.Lock()

    def remember(self, picture: Pixels) -> torch.Tensor:
        with self._lock:
            self._model.train()
            self._model(self._batch(picture))
            embedding: torch.Tensor = self._model.embedding_store.pop()
        return embedding

    def measure(self, picture: Pixels, memories: Sequence[torch.Tensor]) -> MapValues:
        rows = self._torch.vstack(list(memories))
        if len(rows) > _BANK_ROWS:
            order = self._torch.randperm(len(rows), generator=self._torch.Generator().manual_seed(0))
            rows = rows[order[:_BANK_ROWS]]
        with self._lock:
            self._model.eval()
            self._model.memory_bank = rows
            found: MapValues = self._model(self._batch(picture)).anomaly_map[0, 0].numpy()
        return found

    def _batch(self, picture: Pixels) -> torch.Tensor:
        batch = self._torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        return (batch - self._mean) / self._std


def _weights_source(backbone: str) -> str:
    """What timm is to open: a name without weights, or a folder with them; never the network.

    Raises:
        ExpertUnavailable: the weights are not on this machine, or are not of a convolutional backbone.
    """
    if backbone == _EMBEDDED:
        return backbone
    if "vit" in backbone.lower():  # anomalib goes by this, in names and in paths alike
        raise ExpertUnavailable(
            f"backbone {backbone!r} has 'vit' in its name or path, which anomalib takes for a transformer: "
            "choose a convolutional backbone"
        )
    if backbone.startswith(_LOCAL):
        folder = Path(backbone.removeprefix(_LOCAL))
        if not _is_model_folder(folder):
            raise ExpertUnavailable(
                f"{folder} holds no timm model: it needs config.json and model.safetensors, as written by "
                "timm.models.save_for_hf(model, folder, safe_serialization=True)"
            )
        return backbone
    import timm
    from huggingface_hub import try_to_load_from_cache

    config = timm.get_pretrained_cfg(backbone) if timm.is_model(backbone) else None
    if config is None or not config.hf_hub_id:
        raise ExpertUnavailable(
            f"timm has no model {backbone!r} with weights: see timm.list_models(pretrained=True)"
        )
    cached = try_to_load_from_cache(config.hf_hub_id, "config.json")
    if not isinstance(cached, str) or not _is_model_folder(Path(cached).parent):
        raise ExpertUnavailable(
            f"the weights of {backbone} are not on this machine: hf download {config.hf_hub_id}"
        )
    return f"{_LOCAL}{Path(cached).parent}"


def _is_model_folder(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "model.safetensors").is_file()
