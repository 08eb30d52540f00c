"""WinCLIP by anomalib: windows of a picture held against words and good pictures (Jeong 2023, 2303.14814)."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from tools.errors import ExpertError, ExpertUnavailable
from tools.experts.anomalib_models.clip import (
    ARCHITECTURE,
    HUB_REPOSITORY,
    OpenedClip,
    find_clip,
    open_clip_model,
)
from tools.experts.anomalib_models.detector import Bank, Detector, Found, Opener, Sight, check_array, quarters
from tools.experts.anomalib_models.expert import AnomalibExpert
from tools.experts.anomalib_models.frame import Frame
from tools.experts.anomalib_models.opening import imported
from tools.experts.anomalib_models.weights import missing_package
from tools.experts.base import Scope
from tools.masks import Inside, Mask
from tools.types import Pixels

if TYPE_CHECKING:
    import torch

ANY_PART: Final = "object"
"""What WinCLIP's prompts call a part whose name is not known."""

_PACKAGES: Final = ("anomalib", "open_clip", "torch")
_LONGEST_NAME: Final = 60
_AT_ONCE: Final = 4


@dataclass(frozen=True)
class WinClipOptions:
    """What may be chosen.

    Attributes:
        architecture: open_clip's name of the model, for weights that come as a single file.
    """

    architecture: str = ARCHITECTURE


class WinClipExpert(AnomalibExpert):
    """anomalib's `WinClipModel`: measures without a good image, and better with some.

    The score is the model's own: the probability of the words for a defect; with good images, the mean of
    that and of the farthest place from them. Without good images it is not calibrated: from 0.5 on it raises
    doubt, and it never calls a part anomalous. Slow: seconds a picture without a graphics card.

    Args:
        weights: a folder in the form of open_clip's repositories on the hub, or a file of weights; None takes
            them from the Hugging Face cache. The network is never asked.
        options: which model a single file is of.
    """

    name: Final = "winclip"
    needs_normals: Final = False
    purpose: Final = "hold windows of the image against words for good and damaged parts, by WinCLIP"
    notes = ()

    def __init__(self, weights: str | None = None, options: WinClipOptions | None = None) -> None:
        super().__init__()
        self._weights = weights
        self._options = options or WinClipOptions()

    @property
    def requirement(self) -> str:
        """What it needs to run, in a few words."""
        return f"anomalib, open_clip and the CLIP of {self._weights or HUB_REPOSITORY}"

    def _find(self) -> str:
        if missing := missing_package(_PACKAGES):
            raise ExpertUnavailable(missing)
        return find_clip(self._weights, self._options.architecture).digest

    def _open(self) -> Opener:
        opened = open_clip_model(find_clip(self._weights, self._options.architecture))
        lock = threading.Lock()
        spoken_before: dict[str, npt.NDArray[np.float32]] = {}

        def for_scope(scope: Scope, said: Sight) -> Detector:
            if said:
                words = check_array(said, "words", (2, opened.channels), "float32")
                return WinClipDetector(opened, lock, words)
            name = spoken(scope.product)
            with lock:
                if name not in spoken_before:
                    spoken_before[name] = _words(opened, name)
            return WinClipDetector(opened, lock, spoken_before[name])

        return for_scope


def _words(opened: OpenedClip, name: str) -> npt.NDArray[np.float32]:
    """Embeddings of the prompts for good and for damaged parts, 231 texts: shape (2, channels)."""
    import torch

    with torch.inference_mode():
        opened.model.setup(class_name=name)
        words: npt.NDArray[np.float32] = opened.model.text_embeddings.numpy().copy()
    return words


class WinClipDetector:
    """anomalib's `WinClipModel` as a detector.

    A sight holds `image`, the embedding of the whole, shape (channels,); for each scale k `windows_k`, of all
    windows of k x k patches, shape (windows, channels); `patches`, shape (patches, width); all float32. And
    `kept`, which patches count, shape (height, width), bool.

    Args:
        opened: the model.
        lock: over its use.
        words: embeddings of the prompts for good and for damaged parts, shape (2, channels).
    """

    def __init__(self, opened: OpenedClip, lock: threading.Lock, words: npt.NDArray[np.float32]) -> None:
        self._opened = opened
        self._model = opened.model
        self._lock = lock
        self.said = {"words": words}
        self._sums = imported("anomalib.models.image.winclip.utils")
        self.frame = Frame(opened.side_px, opened.side_px, opened.mean, opened.std, square=True)

    def see(self, images: Sequence[Pixels], roi: Mask | None, *, learning: bool = False) -> list[Sight]:  # noqa: ARG002
        """See `Detector`; what does not count is painted over, since the model sees pictures whole too."""
        sights: list[Sight] = []
        for start in range(0, len(images), _AT_ONCE):
            sights += self._seen([self.frame.seen(image) for image in images[start : start + _AT_ONCE]], roi)
        return sights

    def _seen(self, pictures: Sequence[Pixels], roi: Mask | None) -> list[Sight]:
        import torch

        batch = np.stack([self.frame.normalised(picture) for picture in pictures])
        kept = np.ones(self._grid_hw, bool)
        if roi is not None:
            batch *= roi.sized(*batch.shape[2:])  # 0 is the mean colour
            kept = roi.sized(*self._grid_hw)
        with self._lock, torch.inference_mode():
            whole, windows, patches = self._model.encode_image(torch.from_numpy(batch))
        parts: dict[str, npt.NDArray[np.float32]] = {"image": whole.numpy(), "patches": patches.numpy()}
        parts |= {name: one.contiguous().numpy() for name, one in zip(self._windows, windows, strict=True)}
        if not all(np.isfinite(part).all() for part in parts.values()):
            raise ExpertError("CLIP gives features that are no numbers: its weights are damaged")
        return [
            {**{name: part[index] for name, part in parts.items()}, "kept": kept}
            for index in range(len(pictures))
        ]

    def bank(self, sights: Sequence[Sight]) -> Bank:
        """See `Detector`."""
        return Bank.of([self._remembered(sight, sight["kept"]) for sight in sights])

    def _remembered(self, sight: Sight, counts: Inside, apart_from: Inside | None = None) -> dict[str, Any]:
        """Patches that count, and windows with a patch that counts; none that touch `apart_from`."""
        left = np.zeros_like(counts) if apart_from is None else apart_from
        rows = {"patches": sight["patches"][(counts & ~left).ravel()]}
        for name, cells in zip(self._windows, self._cells, strict=True):
            rows[name] = sight[name][counts.ravel()[cells].any(axis=0) & ~left.ravel()[cells].any(axis=0)]
        return rows

    def measure(self, sight: Sight, bank: Bank) -> Found:
        """See `Detector`; by the words alone where the bank knows no picture."""
        grid = self._by_words(sight)
        score = self._probability(sight)
        if bank.pictures:
            apart = self._by_pictures(sight, bank)
            grid = (grid + apart) * np.float32(0.5)
            score = (score + float(apart[sight["kept"]].max())) / 2
        return self._found(sight, grid, score)

    def plausible(self, sight: Sight) -> Found:
        """See `Detector`."""
        apart: npt.NDArray[np.float32] = np.zeros(self._grid_hw, np.float32)
        for quarter, grown in quarters(*self._grid_hw):
            others = self._remembered(sight, sight["kept"], apart_from=grown)
            if all(len(rows) for rows in others.values()):
                apart[quarter] = self._by_pictures(sight, Bank.of([others]))[quarter]
        score = (self._probability(sight) + float(apart[sight["kept"]].max())) / 2
        return self._found(sight, (self._by_words(sight) + apart) * np.float32(0.5), score)

    def _probability(self, sight: Sight) -> float:
        """Of the words for a defect, for the picture as a whole (equation 1)."""
        return float(self._defect_share(sight["image"][None])[0])

    def _defect_share(self, embeddings: npt.NDArray[np.float32]) -> torch.Tensor:
        import torch

        words = torch.from_numpy(self.said["words"])
        share: torch.Tensor = self._sums.class_scores(
            torch.from_numpy(embeddings), words, self._model.temperature, target_class=1
        )
        return share

    def _by_words(self, sight: Sight) -> npt.NDArray[np.float32]:
        """Harmonic mean of the probabilities of the whole and of the windows over a place (section 4.2)."""
        import torch

        whole = torch.full(self._grid_hw, self._probability(sight))
        scales = [whole]
        for name, masks in zip(self._windows, self._model.masks, strict=True):
            share = self._defect_share(sight[name])[None]
            scales.append(self._sums.harmonic_aggregation(share, self._grid_hw, masks)[0])
        found: npt.NDArray[np.float32] = (len(scales) / (1 / torch.stack(scales)).sum(dim=0)).numpy()
        return found

    def _by_pictures(self, sight: Sight, bank: Bank) -> npt.NDArray[np.float32]:
        """Mean over the scales of how far each place lies from the good pictures (equation 4)."""
        import torch

        def apart(name: str) -> torch.Tensor:
            # Rounding can bring it below 0, which a harmonic mean does not survive.
            return self._sums.visual_association_score(  # type: ignore[no-any-return]
                torch.from_numpy(sight[name])[None], bank.parts[name]
            ).clamp_min(0)

        with torch.inference_mode():
            scales = [apart("patches").reshape(self._grid_hw)]
            for name, masks in zip(self._windows, self._model.masks, strict=True):
                scales.append(self._sums.harmonic_aggregation(apart(name), self._grid_hw, masks)[0])
            found: npt.NDArray[np.float32] = torch.stack(scales).mean(dim=0).numpy()
        return found

    def _found(self, sight: Sight, grid: npt.NDArray[np.float32], score: float) -> Found:
        import torch
        from torch.nn.functional import interpolate

        counted = torch.from_numpy(np.where(sight["kept"], grid, 0).astype(np.float32))
        side = (self._opened.side_px, self._opened.side_px)
        values = interpolate(counted[None, None], size=side, mode="bilinear")[0, 0].numpy()
        return Found(values, score)

    def check(self, sight: Sight) -> None:
        """See `Detector`."""
        channels = self._opened.channels
        check_array(sight, "image", (channels,), "float32")
        check_array(sight, "patches", (int(np.prod(self._grid_hw)), None), "float32")
        check_array(sight, "kept", self._grid_hw, "bool")
        for name, cells in zip(self._windows, self._cells, strict=True):
            check_array(sight, name, (cells.shape[1], channels), "float32")

    @property
    def _grid_hw(self) -> tuple[int, int]:
        height, width = self._model.grid_size
        return int(height), int(width)

    @property
    def _windows(self) -> tuple[str, ...]:
        return tuple(f"windows_{scale}" for scale in self._model.scales)

    @property
    def _cells(self) -> list[npt.NDArray[np.intp]]:
        """For each scale the patches of each window, shape (patches of a window, windows)."""
        return [masks.numpy().astype(np.intp) for masks in self._model.masks]


def spoken(product: str | None) -> str:
    """A product's name as words of a prompt: "metal_nut" as "metal nut"; of at most 60 characters."""
    words = re.sub(r"[\W_]+", " ", (product or "")[:_LONGEST_NAME]).strip()
    return words or ANY_PART
