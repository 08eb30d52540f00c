"""AnomalyCLIP as an expert: it measures a part that it has never seen, and is sure of nothing by itself.

Two scores of each image, both probabilities that the damaged text fits better than the good one: `global` of
the picture as a whole (CLIP's class token, the paper's image score), `local` the highest place of the map.

Without a good image nothing ties them to the product at hand: from 0.5 on, where the model leans to damage,
an image is uncertain, and none is anomalous. With good images the zones lie where their scores do. The expert
learns nothing from them, so each good image scores as an unseen one would and none need be left out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.errors import ExpertUnavailable
from tools.experts.anomalyclip.calibrating import NormalScores, calibrations, scored
from tools.experts.anomalyclip.files import file_sha256, prompts_file, weights_file
from tools.experts.anomalyclip.looking import Frame, look_at
from tools.experts.anomalyclip.placing import placed
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.types import Calibration, Measurement, Pixels, UserLimits

if TYPE_CHECKING:
    from tools.experts.anomalyclip.model import AnomalyClip

_CODE_VERSION: Final = 1
"""Raise it when the same files and pictures give other scores or limits."""


@dataclass(frozen=True)
class Opened:
    """The model, and which files it is of."""

    model: AnomalyClip
    weights_sha256: str
    prompts_sha256: str


class AnomalyClipExpert:
    """Zero-shot detection with learnt prompts; see the module.

    Args:
        weights: file of a CLIP with a vision transformer; None looks for ViT-L/14@336 in the hubs' caches.
        prompts: a published checkpoint (`epoch_N.pth`) or what `agent train prompts` wrote.
        layers: vision blocks whose maps are averaged, counted from 1; none takes those that the prompts were
            learnt with, of published ones the last.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
    """

    name: Final = "anomalyclip"
    needs_normals: Final = False
    purpose: Final = "compare the picture, whole and place by place, with learnt words for good and damaged"
    requirement: Final = "CLIP weights (ViT-L/14@336) and learnt prompts"

    def __init__(
        self,
        weights: Path | None = None,
        prompts: Path | None = None,
        *,
        layers: Sequence[int] = (),
        device: str = "auto",
    ) -> None:
        self._weights = weights
        self._prompts = prompts
        self._layers = tuple(layers)
        self._device = device
        self._lock = threading.Lock()
        self._opened: Opened | None = None

    @property
    def version(self) -> str:
        """Code, both files and layers; "none" stands for a file that is not there."""
        parts = []
        for find, named in ((weights_file, self._weights), (prompts_file, self._prompts)):
            try:
                parts.append(file_sha256(find(named))[:16])
            except ExpertUnavailable:
                parts.append("none")
        return "-".join((str(_CODE_VERSION), *parts, *map(str, self._layers)))

    def obstacle(self) -> str | None:
        """Which file is missing and the command that brings it; see `tools.experts.base.Expert`."""
        try:
            weights_file(self._weights)
            prompts_file(self._prompts)
        except ExpertUnavailable as error:
            return str(error)
        return None

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedAnomalyClip:
        """Place the zones; see `tools.experts.base.Expert`."""
        opened = self._open()
        frame = Frame(scope.roi)
        return FittedAnomalyClip(opened, frame, scored(opened.model, frame, normals))

    def restore(self, state: FittedState) -> FittedAnomalyClip:
        """The fitted expert of this state, made with these very files; see `tools.experts.base.Expert`."""
        opened = self._open()
        for part, here in (("weights", opened.weights_sha256), ("prompts", opened.prompts_sha256)):
            if state.facts[f"{part}_sha256"] != here:
                raise ValueError(
                    f"it was made with other {part} (sha256 {state.facts[f'{part}_sha256'][:12]}…)"
                )
        if state.facts["recipe"] != opened.model.recipe.facts():
            raise ValueError(f"it was made with another recipe, {state.facts['recipe']}")
        limits = tuple(Calibration.model_validate(facts) for facts in state.facts["calibrations"])
        if len(limits) != 2:
            raise ValueError(f"expected 2 calibrations, got {len(limits)}")
        return FittedAnomalyClip(
            opened,
            Frame.from_arrays(state.arrays),
            NormalScores.from_facts(state.facts["normals"]),
            limits=(limits[0], limits[1]),
        )

    def _open(self) -> Opened:
        """Load both files, once; several threads may ask.

        Raises:
            ExpertUnavailable: one is missing or cannot be used, or the device is not there.
        """
        with self._lock:
            if self._opened is None:
                weights, prompts = weights_file(self._weights), prompts_file(self._prompts)
                from tools.experts.anomalyclip.opening import open_model

                self._opened = Opened(
                    open_model(weights, prompts, device=self._device, layers=self._layers),
                    file_sha256(weights),
                    file_sha256(prompts),
                )
            return self._opened


class FittedAnomalyClip:
    """AnomalyCLIP with limits for one product. Immutable, so safe to use from several threads."""

    name: Final = AnomalyClipExpert.name

    def __init__(
        self,
        opened: Opened,
        frame: Frame,
        normals: NormalScores,
        *,
        limits: tuple[Calibration, Calibration] | None = None,
        user: UserLimits | None = None,
    ) -> None:
        self._opened = opened
        self._frame = frame
        self._normals = normals
        self._calibrated = limits or calibrations(normals)
        self._user = user
        self._limits = tuple(limit.adjusted(user) if user else limit for limit in self._calibrated)

    @property
    def calibration(self) -> Calibration:
        """Limits of the score of the whole picture, `global`."""
        return self._limits[0]

    def read(self, image: Pixels) -> Measurement:
        """Measure one image; see `tools.experts.base.FittedExpert`."""
        return self.read_batch([image])[0]

    def read_batch(self, images: Sequence[Pixels]) -> list[Measurement]:
        """Measure several images, a few at a time in one pass; see `tools.experts.base.FittedExpert`.

        A pass over several adds in another order than one over each: scores agree to about 1e-5.
        """
        started = time.perf_counter()
        seen = look_at(self._opened.model, self._frame, images)
        each_s = (time.perf_counter() - started) / max(len(images), 1)
        side_px = self._opened.model.recipe.side_px
        limits = (self._limits[0], self._limits[1])
        return [
            placed(self.name, image, sight, limits, self._frame, side_px=side_px, look_s=each_s)
            for image, sight in zip(images, seen, strict=True)
        ]

    def with_limits(self, limits: UserLimits) -> FittedAnomalyClip:
        """The same expert under a user's limits; a threshold holds for both scores."""
        return FittedAnomalyClip(
            self._opened, self._frame, self._normals, limits=self._calibrated, user=limits
        )

    def extended(self, normals: Sequence[Pixels]) -> FittedAnomalyClip:
        """The expert that `fit` would make of the earlier good images and these."""
        more = scored(self._opened.model, self._frame, normals, known=self._normals)
        return FittedAnomalyClip(self._opened, self._frame, more, user=self._user)

    def state(self) -> FittedState:
        """Scores and limits, and which files they came from; see `tools.experts.base.FittedExpert`."""
        return FittedState(
            arrays=self._frame.arrays(),
            facts={
                "weights_sha256": self._opened.weights_sha256,
                "prompts_sha256": self._opened.prompts_sha256,
                "recipe": self._opened.model.recipe.facts(),
                "calibrations": [limit.model_dump(mode="json") for limit in self._calibrated],
                "normals": self._normals.facts(),
            },
        )
