"""PatchCore by anomalib over any timm backbone (Roth et al. 2022, arXiv 2106.08265)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
import numpy.typing as npt

from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models.detector import Opener
from tools.experts.anomalib_models.expert import AnomalibExpert
from tools.experts.anomalib_models.frame import Frame
from tools.experts.anomalib_models.opening import OpenedBackbone, imported, open_backbone, unusable
from tools.experts.anomalib_models.patches import PatchDetector, Thinning
from tools.experts.anomalib_models.weights import find_backbone, missing_package
from tools.experts.framing import ANYWHERE
from tools.experts.onnx_export import load_weights
from tools.types import MapValues

if TYPE_CHECKING:
    import torch

EMBEDDED: Final = "tf_efficientnet_lite0"
"""The backbone whose weights are installed with this package."""

_STRIDES: Final = (8, 16)
_CONVOLUTIONAL_SIDE_PX: Final = 320
_TRANSFORMER_SIDE_PX: Final = 448
_PACKAGES: Final = ("anomalib", "timm", "torch")
_EMBEDDED_BACKBONE: Final = OpenedBackbone(
    EMBEDDED, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), strides=(2, 4, 8, 16, 32)
)


@dataclass(frozen=True)
class AnomalibPatchCoreOptions:
    """What may be chosen.

    Attributes:
        long_side_px: longer side of what the backbone sees; None: 320 for convolutional backbones, on
            multiples of 32, and 448 for transformers, on multiples of their patch.
        bank_rows: most patches of the good images in the bank.
        thinning: how a larger bank loses rows.
    """

    long_side_px: int | None = None
    bank_rows: int = 10_000
    thinning: Thinning = "random"

    def __post_init__(self) -> None:
        if (self.long_side_px or 32) < 32 or self.bank_rows < 1 or self.thinning not in get_args(Thinning):
            raise ValueError(
                f"long_side_px must be at least 32, bank_rows 1, thinning one of {get_args(Thinning)}: {self}"
            )


class AnomalibPatchCoreExpert(AnomalibExpert):
    """anomalib's `PatchcoreModel` with one neighbour.

    It looks at the middle of the network, as the paper does: a convolutional backbone on strides 8 and 16, a
    transformer on the blocks half way and three quarters of the way up. The score is the highest value of
    anomalib's map, so that map, score and limits are in one unit.

    Args:
        backbone: "tf_efficientnet_lite0" on the embedded weights, another timm name whose weights the
            Hugging Face cache holds, or "local-dir:/path" to a folder that `timm.models.save_for_hf` wrote.
            The network is never asked.
        options: sizes and bank.
    """

    name: Final = "anomalib-patchcore"
    needs_normals: Final = True
    purpose: Final = (
        "compare patches with those of the good images by anomalib's PatchCore, wherever they lie"
    )
    notes = (ANYWHERE,)

    def __init__(self, backbone: str = EMBEDDED, options: AnomalibPatchCoreOptions | None = None) -> None:
        super().__init__()
        self._backbone = backbone
        self._options = options or AnomalibPatchCoreOptions()

    @property
    def requirement(self) -> str:
        """What it needs to run, in a few words."""
        return f"anomalib and the weights of {self._backbone}"

    def _find(self) -> str:
        if missing := missing_package(_PACKAGES):
            raise ExpertUnavailable(missing)
        weights = "embedded" if self._backbone == EMBEDDED else find_backbone(self._backbone).digest
        return f"{weights} {self._options}"

    def _open(self) -> Opener:
        if self._backbone == EMBEDDED:
            opened = _EMBEDDED_BACKBONE
        else:
            opened = open_backbone(find_backbone(self._backbone))
        model_class = imported("anomalib.models.image.patchcore.torch_model").PatchcoreModel
        try:
            model = model_class(
                layers=_layers(opened),
                backbone=opened.name,
                pre_trained=self._backbone != EMBEDDED,
                num_neighbors=1,
            )
            if self._backbone == EMBEDDED:
                _load_embedded(model.feature_extractor.feature_extractor)
        except ExpertUnavailable:
            raise
        except Exception as error:  # a user's folder can break timm in any way
            raise unusable(self._backbone, error) from error
        frame = Frame(
            long_side_px=self._options.long_side_px
            or (_TRANSFORMER_SIDE_PX if opened.transformer else _CONVOLUTIONAL_SIDE_PX),
            multiple_px=opened.patch_px or 32,
            mean=opened.mean,
            std=opened.std,
        )
        detector = PatchCoreDetector(model, frame, opened.patch_px or _STRIDES[0], self._options)
        return lambda scope, said: detector  # noqa: ARG005  it takes no words


def _load_embedded(network: Any) -> None:  # noqa: ANN401
    """Equal tensors in equal order under other names; the classifier's come last and are not used."""
    network.load_state_dict(dict(zip(network.state_dict(), load_weights().values(), strict=False)))


def _layers(opened: OpenedBackbone) -> list[str | int]:
    """Layers of a backbone, by names or numbers as anomalib wants them."""
    if opened.transformer:
        return [f"blocks.{opened.depth // 2 - 1}", f"blocks.{opened.depth * 3 // 4 - 1}"]
    return [opened.strides.index(stride) for stride in _STRIDES]


class PatchCoreDetector(PatchDetector):
    """anomalib's `PatchcoreModel` as a detector.

    Args:
        model: the model.
        frame: the size at which it sees.
        stride_px: pixels from one patch to the next.
        options: of the bank.
    """

    def __init__(self, model: Any, frame: Frame, stride_px: int, options: AnomalibPatchCoreOptions) -> None:  # noqa: ANN401
        super().__init__(
            frame,
            channels=sum(model.feature_extractor.out_dims),
            bank_rows=options.bank_rows,
            thinning=options.thinning,
        )
        self._model = model.eval()
        self._stride = stride_px

    def _grids(self, batch: torch.Tensor) -> torch.Tensor:
        levels = self._model.feature_extractor(batch)
        pooled = {layer: self._model.feature_pooler(level) for layer, level in levels.items()}
        joined: torch.Tensor = self._model.generate_embedding(pooled).permute(0, 2, 3, 1)
        return joined

    def _distances(self, rows: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
        nearest = self._model.euclidean_dist(rows, bank).argmin(1)
        # anomalib's expansion of the square cancels badly for close patches; the winner's distance is exact.
        apart: torch.Tensor = (rows - bank[nearest]).norm(dim=1)
        return apart

    def _score(self, distances: npt.NDArray[np.float32], values: MapValues) -> float:  # noqa: ARG002
        return float(values.max())

    @property
    def _stride_px(self) -> int:
        return self._stride
