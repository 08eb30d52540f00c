"""AnomalyDINO by anomalib: patches of a DINO backbone compared by cosine (Damm et al. 2025, 2405.14529)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from tools.errors import ExpertUnavailable
from tools.experts.anomalib_models.detector import Opener
from tools.experts.anomalib_models.expert import AnomalibExpert
from tools.experts.anomalib_models.frame import Frame
from tools.experts.anomalib_models.opening import DEPTH_WORDS, imported, open_backbone, unusable
from tools.experts.anomalib_models.patches import PatchDetector, Thinning
from tools.experts.anomalib_models.weights import ModelFolder, find_backbone, missing_package
from tools.experts.framing import ANYWHERE
from tools.masks import Inside
from tools.types import MapValues

if TYPE_CHECKING:
    import torch

DINO_V2_SMALL: Final = "vit_small_patch14_dinov2.lvd142m"

_PACKAGES: Final = ("anomalib", "timm", "torch", "sklearn")


@dataclass(frozen=True)
class AnomalyDinoOptions:
    """What may be chosen; the defaults are the paper's at its smaller size, without its turned references.

    Attributes:
        long_side_px: longer side of what the backbone sees, on multiples of its patch.
        neighbours: how many nearest patches are averaged.
        masking: leave out what the first principal component of the features takes for background. For parts
            in front of one; harmful for textures and for parts that fill the picture.
        rotations: each good image is remembered turned this many ways round the circle (the paper: 8). For
            parts that lie at any angle; costs as many times the fit and the bank.
        bank_rows: most patches of the good images in the bank.
        thinning: how a larger bank loses rows.
    """

    long_side_px: int = 448
    neighbours: int = 1
    masking: bool = False
    rotations: int = 1
    bank_rows: int = 20_000
    thinning: Thinning = "random"

    def __post_init__(self) -> None:
        if self.long_side_px < 32 or min(self.neighbours, self.rotations, self.bank_rows) < 1:
            raise ValueError(
                f"long_side_px must be at least 32, neighbours, rotations and bank_rows 1, got {self}"
            )


class AnomalyDinoExpert(AnomalibExpert):
    """anomalib's `AnomalyDINOModel`: the best known expert from one good image where DINOv2 is at hand.

    The score is the mean of the highest hundredth of the patches' cosine distances (0..2); the map is
    smoothed, so its peak is another number, and its regions have limits of their own.

    Args:
        backbone: a timm name with "dino" in it whose weights the Hugging Face cache holds, or
            "local-dir:/path" to a folder that `timm.models.save_for_hf` wrote. The network is never asked.
        options: sizes, neighbours, masking.
    """

    name: Final = "anomalydino"
    needs_normals: Final = True
    purpose: Final = "compare DINOv2 patches with those of the good images, wherever they lie"
    notes = (ANYWHERE,)

    def __init__(self, backbone: str = DINO_V2_SMALL, options: AnomalyDinoOptions | None = None) -> None:
        super().__init__()
        self._backbone = backbone
        self._options = options or AnomalyDinoOptions()

    @property
    def requirement(self) -> str:
        """What it needs to run, in a few words."""
        return f"anomalib and the weights of {self._backbone}"

    def _weights(self) -> ModelFolder:
        found = find_backbone(self._backbone)
        if "dino" not in found.architecture:
            raise ExpertUnavailable(
                f"{self.name} needs a DINO backbone, {self._backbone} is {found.architecture}: "
                f"hf download timm/{DINO_V2_SMALL}"
            )
        return found

    def _find(self) -> str:
        if missing := missing_package(_PACKAGES):
            raise ExpertUnavailable(missing)
        return f"{self._weights().digest} {self._options}"

    def _open(self) -> Opener:
        opened = open_backbone(self._weights())
        if opened.depth not in DEPTH_WORDS:
            raise ExpertUnavailable(
                f"{self._backbone} has {opened.depth} blocks; anomalib knows DINO backbones of "
                f"{', '.join(map(str, DEPTH_WORDS))}"
            )
        model_class = imported("anomalib.models.image.anomaly_dino.torch_model").AnomalyDINOModel
        try:
            model = model_class(encoder_name=opened.name)
        except Exception as error:  # a user's folder can break timm in any way
            raise unusable(self._backbone, error) from error
        frame = Frame(self._options.long_side_px, opened.patch_px, opened.mean, opened.std)
        detector = DinoDetector(model, frame, self._options)
        return lambda scope, said: detector  # noqa: ARG005  it takes no words


class DinoDetector(PatchDetector):
    """anomalib's `AnomalyDINOModel` as a detector.

    Args:
        model: the model.
        frame: the size at which it sees.
        options: neighbours, masking, turned references, bank.
    """

    def __init__(self, model: Any, frame: Frame, options: AnomalyDinoOptions) -> None:  # noqa: ANN401
        super().__init__(
            frame,
            channels=model.feature_encoder.out_dims[0],
            bank_rows=options.bank_rows,
            thinning=options.thinning,
            angles_deg=[360 * turn / options.rotations for turn in range(1, options.rotations)],
        )
        self._model = model.eval()
        self._options = options

    def _grids(self, batch: torch.Tensor) -> torch.Tensor:
        height, width = (side // self._stride_px for side in batch.shape[-2:])
        tokens: torch.Tensor = self._model.extract_features(batch)
        return tokens.reshape(len(batch), height, width, -1)

    def _foreground(self, grid: npt.NDArray[np.float32]) -> Inside:
        if not self._options.masking:
            return super()._foreground(grid)
        height, width, channels = grid.shape
        with _numpy_seeded():
            masks = self._model.compute_background_masks(grid.reshape(1, -1, channels), (height, width))
        foreground: Inside = masks.reshape(height, width)
        return foreground

    def _described(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        described: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
        return described

    def _distances(self, rows: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
        apart = (1 - rows @ bank.T).clamp(0, 2)
        nearest = apart.topk(min(self._options.neighbours, len(bank)), dim=1, largest=False).values
        return nearest.mean(dim=1)

    def _score(self, distances: npt.NDArray[np.float32], values: MapValues) -> float:  # noqa: ARG002
        import torch

        return float(self._model.mean_top1p(torch.from_numpy(distances)[None]))

    @property
    def _stride_px(self) -> int:
        return int(self._model.patch_size)


@contextmanager
def _numpy_seeded() -> Iterator[None]:
    """Always the same principal component, which anomalib starts from numpy's global generator."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
