"""Experts at hand, each fitted once for the same good images in a process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock

from tools.errors import ExpertUnavailable
from tools.experts.base import Expert, FittedExpert
from tools.image import ImageStore
from tools.types import ImageRef


class ExpertBench:
    """Hands out fitted experts and remembers the last few fits. Safe to use from several threads."""

    def __init__(self, experts: Mapping[str, Expert], images: ImageStore, *, remembered: int = 16) -> None:
        self._experts = dict(experts)
        self._images = images
        self._remembered = remembered
        self._fits: OrderedDict[tuple[str, ...], FittedExpert] = OrderedDict()
        self._fitting: dict[tuple[str, ...], Lock] = {}
        self._lock = Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the experts at hand, in order of preference."""
        return tuple(self._experts)

    def fitted(self, name: str, normals: Sequence[ImageRef]) -> FittedExpert:
        """The expert `name`, fitted on these good images.

        Raises:
            ExpertUnavailable: there is no expert of that name, or it lacks weights or a package.
            ToolError: an image cannot be read, or the expert cannot be fitted on it.
        """
        if name not in self._experts:
            raise ExpertUnavailable(f"no expert named {name!r}; choose one of: {', '.join(self._experts)}")
        key = (name, *(normal.sha256 for normal in normals))
        with self._lock:
            if key in self._fits:
                self._fits.move_to_end(key)
                return self._fits[key]
            fitting = self._fitting.setdefault(key, Lock())
        with fitting:  # a second thread that wants the same fit waits for it instead of repeating it
            with self._lock:
                if key in self._fits:
                    return self._fits[key]
            fitted = self._experts[name].fit([self._images.pixels(normal) for normal in normals])
            with self._lock:
                self._fits[key] = fitted
                self._fitting.pop(key, None)
                while len(self._fits) > self._remembered:
                    self._fits.popitem(last=False)
        return fitted
