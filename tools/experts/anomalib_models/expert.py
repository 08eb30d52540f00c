"""What all experts on anomalib's models share: open once, fit, restore."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from tools.errors import ExpertError, ExpertUnavailable
from tools.experts.anomalib_models.detector import Detector, Opener, Sight
from tools.experts.anomalib_models.fitted import FittedModel, fitted_on, restored
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.types import Pixels

_CODE_VERSION: Final = "1"
"""Raised whenever this package would make another fit of the same pictures."""


class AnomalibExpert(ABC):
    """An expert on one of anomalib's models; see `tools.experts.base.Expert`.

    The model is opened at the first fit, and then kept. Safe to use from several threads.
    """

    notes: tuple[str, ...]
    """Sentences that stand in each of its readings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: Opener | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """The name under which `--expert` finds it."""

    @property
    @abstractmethod
    def needs_normals(self) -> bool:
        """Whether it measures nothing without a good image."""

    @abstractmethod
    def _find(self) -> str:
        """Find package and weights and say what they and the options are, without a heavy import.

        Raises:
            ExpertUnavailable: something is missing.
        """

    @abstractmethod
    def _open(self) -> Opener:
        """Open the model; slow. What comes back makes a detector of it for a scope.

        Raises:
            ExpertUnavailable: something is missing or damaged.
        """

    @property
    def version(self) -> str:
        """Changes with code, options and weights; see `tools.experts.base.Expert`."""
        try:
            found = self._find()
        except ExpertUnavailable:
            return f"{_CODE_VERSION}-without-weights"
        made_with = "\n".join((_CODE_VERSION, *_versions(), found))
        return f"{_CODE_VERSION}-{hashlib.sha256(made_with.encode()).hexdigest()[:16]}"

    def obstacle(self) -> str | None:
        """Why it cannot run here and the command that helps; see `tools.experts.base.Expert`."""
        try:
            self._find()
        except ExpertUnavailable as error:
            return str(error)
        return None

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedModel:
        """Remember the good images and place the zones; see `tools.experts.base.Expert`."""
        if not normals and self.needs_normals:
            raise ValueError(f"{self.name} needs at least one good image")
        if scope.roi is not None and scope.roi.is_empty:
            raise ExpertError("the region of interest is empty: nothing of the pictures would count")
        return fitted_on(self.name, self.notes, self._detector(scope, {}), normals, scope)

    def restore(self, state: FittedState) -> FittedModel:
        """Make a fitted expert of its state; see `tools.experts.base.Expert`."""
        return restored(self.name, self.notes, self._detector, state)

    def _detector(self, scope: Scope, said: Sight) -> Detector:
        with self._lock:
            if self._opened is None:
                self._find()
                self._opened = self._open()
            opened = self._opened
        return opened(scope, said)


@cache
def _versions() -> tuple[str, ...]:
    """Versions of the packages that make the numbers."""
    found = []
    for package in ("anomalib", "timm", "open-clip-torch"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return tuple(found)
