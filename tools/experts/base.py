"""The one protocol that every perception expert keeps: fit on good images, then read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy.typing as npt

from tools.masks import Mask
from tools.types import Calibration, Measurement, Pixels, UserLimits


@dataclass(frozen=True)
class Scope:
    """What of the pictures counts, and what is known beside their pixels.

    `roi` is the region of interest: what lies outside, in good images and query alike, is neither learnt nor
    measured. `product` names the part for experts that take words. `truth` holds the marked defects of the
    very image that will be read; only the ground-truth expert looks at it.
    """

    roi: Mask | None = None
    product: str | None = None
    truth: Mask | None = None

    @property
    def digest(self) -> str:
        """The same for equal scopes."""
        masks = (mask.digest if mask else "" for mask in (self.roi, self.truth))
        return hashlib.sha256("\0".join((*masks, self.product or "")).encode()).hexdigest()


EVERYTHING: Final = Scope()
"""The whole picture, of no particular product."""


@dataclass(frozen=True)
class FittedState:
    """All that a fitted expert knows, as plain values: arrays by name, and facts that JSON can hold."""

    arrays: Mapping[str, npt.NDArray[Any]]
    facts: Mapping[str, Any]


class FittedExpert(Protocol):
    """An expert that knows what good looks like. Immutable, so safe to use from several threads."""

    @property
    def name(self) -> str:
        """The name under which `--expert` finds it."""

    @property
    def calibration(self) -> Calibration:
        """Where its scores lie on good parts; with several aspects, of the first."""

    def read(self, image: Pixels) -> Measurement:
        """Measure one image.

        Args:
            image: RGB, shape (height, width, 3), uint8.

        Raises:
            ViewMismatch: the expert compares place by place and the views differ.
        """

    def read_batch(self, images: Sequence[Pixels]) -> list[Measurement]:
        """Measure several images, of any sizes; the same measurements as one by one, times aside.

        Raises:
            ViewMismatch: as `read`; nothing is returned then.
        """

    def with_limits(self, limits: UserLimits) -> FittedExpert:
        """The same expert under limits that a user set."""

    def extended(self, normals: Sequence[Pixels]) -> FittedExpert:
        """An expert that knows these good images too, calibrated anew."""

    def state(self) -> FittedState:
        """What `Expert.restore` needs to make it again; limits that a user set are not in it."""


class Expert(Protocol):
    """Makes a `FittedExpert` from good images, and calibrates it on nothing else."""

    @property
    def name(self) -> str:
        """The name under which `--expert` finds it."""

    @property
    def version(self) -> str:
        """Changes whenever the same good images would give another fitted expert: code, options, weights."""

    @property
    def needs_normals(self) -> bool:
        """Whether it measures nothing without a good image; the others take none at all, or any number."""

    @property
    def purpose(self) -> str:
        """What it does, as an imperative without a full stop, for a plan."""

    @property
    def requirement(self) -> str:
        """What it needs to run, in a few words."""

    def obstacle(self) -> str | None:
        """Why it cannot run here and the command that helps; None if it can.

        Cheap: it looks at files and imports nothing heavy.
        """

    def fit(self, normals: Sequence[Pixels], scope: Scope = EVERYTHING) -> FittedExpert:
        """Learn from good images of one product.

        Args:
            normals: RGB images, shape (height, width, 3), uint8; sizes may differ. At least one where the
                expert needs any.
            scope: what of them counts.

        Raises:
            ValueError: no image was given.
            ExpertUnavailable: weights or a package are missing.
            ExpertError: these images or this scope cannot be used; the message says why.
        """

    def restore(self, state: FittedState) -> FittedExpert:
        """The fitted expert that gave this state.

        Raises:
            ExpertUnavailable: weights or a package are missing.
            KeyError, ValueError, TypeError: the state is not one of this expert and version.
        """
