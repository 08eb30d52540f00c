"""Experts at hand, each fitted once for the same good images and scope."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

from tools.errors import ExpertUnavailable, ViewMismatch
from tools.experts.base import EVERYTHING, Expert, FittedExpert, Scope
from tools.experts.readings import ReadingShelf, reading_key
from tools.experts.shelf import FitShelf
from tools.experts.trial import Trial, try_expert
from tools.image import ImageStore
from tools.types import ImageRef, Measurement, UserLimits, Value


class ExpertOffer(Value):
    """What an expert can do here. `obstacle` says why it cannot run and what helps; None: it can."""

    name: str
    purpose: str
    requirement: str
    needs_normals: bool
    obstacle: str | None = None


class ExpertBench:
    """Hands out fitted experts and remembers the last few fits. Safe to use from several threads.

    Args:
        experts: in order of preference.
        images: where the pixels of good images come from.
        shelf: keeps fits from run to run; None: nothing is kept.
        readings: keeps measurements from run to run; None: every image is measured anew.
        remembered: fits held in memory.
    """

    def __init__(
        self,
        experts: Iterable[Expert],
        images: ImageStore,
        *,
        shelf: FitShelf | None = None,
        readings: ReadingShelf | None = None,
        remembered: int = 16,
    ) -> None:
        self._experts = {expert.name: expert for expert in experts}
        self._images = images
        self._shelf = shelf
        self._readings = readings
        self._remembered = remembered
        self._fits: OrderedDict[tuple[str, ...], FittedExpert] = OrderedDict()
        self._fitting: dict[tuple[str, ...], Lock] = {}
        self._lock = Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the experts, in order of preference."""
        return tuple(self._experts)

    def offers(self) -> tuple[ExpertOffer, ...]:
        """What each expert does, needs, and whether it can run here."""
        return tuple(
            ExpertOffer(
                name=expert.name,
                purpose=expert.purpose,
                requirement=expert.requirement,
                needs_normals=expert.needs_normals,
                obstacle=expert.obstacle(),
            )
            for expert in self._experts.values()
        )

    def fitted(
        self,
        name: str,
        normals: Sequence[ImageRef],
        scope: Scope = EVERYTHING,
        *,
        limits: UserLimits | None = None,
        keep: bool = False,
    ) -> FittedExpert:
        """The expert `name`, fitted on these good images.

        Args:
            name: one of `names`.
            normals: good images; none for an expert that needs none.
            scope: what of them counts.
            limits: what the user changes of the limits.
            keep: whether the fit will be wanted in later runs, and so is worth room on the shelf.

        Raises:
            ExpertUnavailable: there is no expert of that name, or it lacks weights or a package.
            ToolError: an image cannot be read, or the expert cannot be fitted on it.
        """
        expert = self._expert(name)
        key = (name, scope.digest, *(normal.sha256 for normal in normals))
        fitted = self._remembered_fit(key)
        if fitted is None:
            with self._lock:
                fitting = self._fitting.setdefault(key, Lock())
            with fitting:  # a second thread that wants the same fit waits for it instead of repeating it
                fitted = self._remembered_fit(key)
                if fitted is None:
                    fitted = self._fit(expert, normals, scope, keep=keep)
                    self._remember(key, fitted)
        return fitted.with_limits(limits) if limits else fitted

    def read(
        self,
        name: str,
        normals: Sequence[ImageRef],
        query: ImageRef,
        scope: Scope = EVERYTHING,
        *,
        limits: UserLimits | None = None,
        keep: bool = False,
    ) -> Measurement:
        """Measure `query` with the expert `name`, fitted on these good images; see `fitted`.

        What a shelf of readings keeps is neither fitted nor read again: it is the same measurement, with the
        seconds that it took then.

        Raises:
            ViewMismatch: the expert compares place by place and the views differ.
            ExpertUnavailable, ToolError: as `fitted`; the query cannot be read.
        """
        if self._readings is None:
            return self._measured(name, normals, query, scope, limits, keep=keep)
        key = reading_key(self._expert(name), normals, query, scope, limits)
        if (found := self._readings.find(key)) is not None:
            return found
        try:
            measurement = self._measured(name, normals, query, scope, limits, keep=keep)
        except ViewMismatch as mismatch:
            self._readings.keep(key, mismatch)
            raise
        self._readings.keep(key, measurement)
        return measurement

    def extended(self, name: str, known: Sequence[ImageRef], more: Sequence[ImageRef]) -> FittedExpert:
        """The expert that knows `known` good images, taught `more`; what it knew is not learnt again.

        Raises:
            ExpertUnavailable, ToolError: as `fitted`.
        """
        both = (*known, *more)
        if not known or not more:
            return self.fitted(name, both, keep=True)
        expert = self._expert(name)
        grown = self.fitted(name, known, keep=True).extended([self._images.pixels(ref) for ref in more])
        hashes = [normal.sha256 for normal in both]
        if self._shelf is not None:
            self._shelf.keep(grown, expert, hashes, EVERYTHING)
        self._remember((name, EVERYTHING.digest, *hashes), grown)
        return grown

    def tried(
        self, name: str, normals: Sequence[ImageRef], *, advance: Callable[[], None] = lambda: None
    ) -> Trial:
        """How well the expert `name` does on the product that these good images show; see `try_expert`.

        Raises:
            ExpertUnavailable, ToolError: as `fitted`.
            ValueError: too few images.
        """
        return try_expert(self._expert(name), [self._images.pixels(ref) for ref in normals], advance=advance)

    def _measured(
        self,
        name: str,
        normals: Sequence[ImageRef],
        query: ImageRef,
        scope: Scope,
        limits: UserLimits | None,
        *,
        keep: bool,
    ) -> Measurement:
        fitted = self.fitted(name, normals, scope, limits=limits, keep=keep)
        return fitted.read(self._images.pixels(query))

    def _expert(self, name: str) -> Expert:
        if name not in self._experts:
            raise ExpertUnavailable(f"no expert named {name!r}; choose one of: {', '.join(self._experts)}")
        return self._experts[name]

    def _fit(self, expert: Expert, normals: Sequence[ImageRef], scope: Scope, *, keep: bool) -> FittedExpert:
        hashes = [normal.sha256 for normal in normals]
        shelf = self._shelf if keep and scope.truth is None else None
        if shelf is not None and (found := shelf.find(expert, hashes, scope)):
            return found
        fitted = expert.fit([self._images.pixels(normal) for normal in normals], scope)
        if shelf is not None:
            shelf.keep(fitted, expert, hashes, scope)
        return fitted

    def _remembered_fit(self, key: tuple[str, ...]) -> FittedExpert | None:
        with self._lock:
            fitted = self._fits.get(key)
            if fitted is not None:
                self._fits.move_to_end(key)
            return fitted

    def _remember(self, key: tuple[str, ...], fitted: FittedExpert) -> None:
        with self._lock:
            self._fits[key] = fitted
            self._fitting.pop(key, None)
            while len(self._fits) > self._remembered:
                self._fits.popitem(last=False)
