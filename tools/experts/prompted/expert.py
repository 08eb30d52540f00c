"""An expert that compares a picture with learnt texts: it measures a part that it has never seen.

Two scores of each image, both probabilities that a text of damage fits better than the good one: `global` of
the picture as a whole (CLIP's class token), `local` the highest place of the map.

Without a good image nothing ties them to the product at hand: from 0.5 on, where the model leans to damage,
an image is uncertain, and none is anomalous. With good images the zones lie where their scores do. The expert
learns nothing from them, so each good image scores as an unseen one would and none need be left out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.clip.weights import weights_file
from tools.errors import ExpertUnavailable
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.experts.prompted.calibrating import NormalScores, calibrations, scored
from tools.experts.prompted.looking import Frame, Model, look_at
from tools.experts.prompted.placing import placed
from tools.file_digest import file_sha256
from tools.types import Calibration, Measurement, Pixels, UserLimits


@dataclass(frozen=True)
class Method:
    """What one such expert differs in from another.

    Attributes:
        name, purpose, requirement: see `tools.experts.base.Expert`.
        code_version: raise it when the same files and pictures give other scores or limits.
        prompts_file: finds the learnt prompts, or says what brings them.
        open_model: a model from the files of weights and prompts; may import torch.
        options: whatever else makes another model of the same files.
    """

    name: str
    purpose: str
    requirement: str
    code_version: int
    prompts_file: Callable[[Path | None], Path]
    open_model: Callable[[Path, Path], Model]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opened:
    """The model, and which files it is of."""

    name: str
    model: Model
    weights_sha256: str
    prompts_sha256: str


class PromptedExpert:
    """Zero-shot detection with learnt prompts; see the module.

    Args:
        method: which.
        weights: file of a CLIP with a vision transformer; None looks for ViT-L/14@336 in the hubs' caches.
        prompts: file of learnt prompts.
    """

    needs_normals: Final = False

    def __init__(self, method: Method, weights: Path | None, prompts: Path | None) -> None:
        self.name = method.name
        self.purpose = method.purpose
        self.requirement = method.requirement
        self._method = method
        self._weights = weights
        self._prompts = prompts
        self._lock = threading.Lock()
        self._opened: Opened | None = None

    @property
    def version(self) -> str:
        """Code, both files and options; "none" stands for a file that is not there."""
        parts = []
        for find, named in ((weights_file, self._weights), (self._method.prompts_file, self._prompts)):
            try:
                parts.append(file_sha256(find(named))[:16])
            except ExpertUnavailable:
                parts.append("none")
        return "-".join((str(self._method.code_version), *parts, *self._method.options))

    def obstacle(self) -> str | None:
        """Which file is missing and the command that brings it; see `tools.experts.base.Expert`."""
        try:
            weights_file(self._weights)
            self._method.prompts_file(self._prompts)
        except ExpertUnavailable as error:
            return str(error)
        return None

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedPrompted:
        """Place the zones; see `tools.experts.base.Expert`."""
        opened = self._open()
        frame = Frame(scope.roi)
        return FittedPrompted(opened, frame, scored(opened.model, frame, normals))

    def restore(self, state: FittedState) -> FittedPrompted:
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
        return FittedPrompted(
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
                weights, prompts = weights_file(self._weights), self._method.prompts_file(self._prompts)
                self._opened = Opened(
                    self.name,
                    self._method.open_model(weights, prompts),
                    file_sha256(weights),
                    file_sha256(prompts),
                )
            return self._opened


class FittedPrompted:
    """Such an expert with limits for one product. Immutable, so safe to use from several threads."""

    def __init__(
        self,
        opened: Opened,
        frame: Frame,
        normals: NormalScores,
        *,
        limits: tuple[Calibration, Calibration] | None = None,
        user: UserLimits | None = None,
    ) -> None:
        self.name = opened.name
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

    def with_limits(self, limits: UserLimits) -> FittedPrompted:
        """The same expert under a user's limits; a threshold holds for both scores."""
        return FittedPrompted(self._opened, self._frame, self._normals, limits=self._calibrated, user=limits)

    def extended(self, normals: Sequence[Pixels]) -> FittedPrompted:
        """The expert that `fit` would make of the earlier good images and these."""
        more = scored(self._opened.model, self._frame, normals, known=self._normals)
        return FittedPrompted(self._opened, self._frame, more, user=self._user)

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
