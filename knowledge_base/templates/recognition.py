"""Which product an image shows, by limits that follow from how far the images on record lie apart.

Distances are 1 - cos of the embeddings. For some images of each product two are known: to the nearest fellow,
that image left out, and to the nearest image of another product. How an image of a product is told from those
of another is read off their ratio: no limit is a number written here.

Fewer than `FEWEST` images say too little of how far apart a product's images lie; then nothing is refused or
recognised, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

FEWEST: Final = 3
"""Images from which a spread is taken."""

_CLOSEST: Final = 1e-6
"""Distances below this are rounding."""


@dataclass(frozen=True)
class Spread:
    """How far apart the images of a product lie.

    Attributes:
        count: images on record.
        own: distance of some of them to the nearest other one.
        foreign: distance of the same ones to the nearest image of another product; empty if there is none.
    """

    count: int
    own: tuple[float, ...]
    foreign: tuple[float, ...]

    @property
    def tells(self) -> bool:
        """Whether there are enough images to judge by."""
        return self.count >= FEWEST

    @property
    def usual(self) -> float:
        """How far a good image may lie from the nearest: three deviations beyond the mean, in logarithms."""
        logs = np.log(np.maximum(self.own, _CLOSEST))
        return float(np.exp(max(logs.max(), logs.mean() + 3 * logs.std())))

    @property
    def reach(self) -> float:
        """How far an image may lie and be recognised: half way, in logarithms, to the next product."""
        if not self.foreign or min(self.foreign) <= self.usual:
            return self.usual
        return float(np.sqrt(self.usual * min(self.foreign)))

    @property
    def advantages(self) -> tuple[float, ...]:
        """How much nearer each image lies to its fellows than to other products: log ratios, below 0."""
        return tuple(_log_ratio(own, foreign) for own, foreign in zip(self.own, self.foreign, strict=True))


@dataclass(frozen=True)
class Recognition:
    """The product that an image shows.

    Attributes:
        product: its name.
        similarity: cosine to the nearest of its images.
        runner_up: the next product; None if only one is on record.
        runner_up_similarity: cosine to the nearest of the next product's images.
        turn_deg: how far the image was turned to the left to be seen so.
    """

    product: str
    similarity: float
    runner_up: str | None = None
    runner_up_similarity: float | None = None
    turn_deg: int = 0


@dataclass(frozen=True)
class Mismatch:
    """An image that looks like another product on record, and not like the one that it is said to show."""

    product: str
    similarity: float
    other: str
    other_similarity: float

    def __str__(self) -> str:
        return (
            f"looks like {self.other} ({self.other_similarity:.2f}) "
            f"and not like {self.product} ({self.similarity:.2f})"
        )


def recognised(
    similarities: Mapping[str, tuple[float, int]], spreads: Mapping[str, Spread]
) -> Recognition | None:
    """The product that an image shows; None if that cannot be told, or if it is none on record.

    Args:
        similarities: cosine to the nearest image of each product, and the turn in degrees at which it is.
        spreads: of each product.
    """
    ranked = sorted(similarities, key=lambda name: (-similarities[name][0], name))
    if not ranked or not spreads[ranked[0]].tells:
        return None
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    spread, (similarity, turn_deg) = spreads[first], similarities[first]
    if 1 - similarity > spread.reach:
        return None
    if second is None:
        return Recognition(first, similarity, turn_deg=turn_deg)
    beside = similarities[second][0]
    least = max(spread.advantages)
    if least >= 0 or _log_ratio(1 - similarity, 1 - beside) > least / 2:
        return None
    return Recognition(first, similarity, second, beside, turn_deg)


def mismatched(
    product: str, similarity: float, own: Spread, others: Mapping[str, tuple[float, Spread]]
) -> Mismatch | None:
    """Whether an image said to show `product` looks like another; None also where that cannot be told.

    An image counts as another product's if it lies within that one's reach, and the ratio of its two
    distances beyond the middle between the least typical images of either.

    Args:
        product: its name.
        similarity: cosine to its nearest image.
        own: its spread.
        others: for each other product the cosine to its nearest image, and its spread.
    """
    able = {name: seen for name, seen in others.items() if seen[1].tells and seen[1].foreign}
    if not own.tells or not able:
        return None
    other = min(able, key=lambda name: (-able[name][0], name))
    other_similarity, spread = able[other]
    limit = limit_between(own, spread)
    if limit is None or 1 - other_similarity > spread.reach:
        return None
    if _log_ratio(1 - similarity, 1 - other_similarity) <= max(0.0, limit):
        return None
    return Mismatch(product, similarity, other, other_similarity)


def limit_between(one: Spread, other: Spread) -> float | None:
    """Log ratio of the distances to two products from which an image is the other's; None if they overlap."""
    if not one.foreign or not other.foreign:
        return None
    low, high = max(one.advantages), -max(other.advantages)
    return (low + high) / 2 if low < high else None


def why_untold(own: Spread | None, others: Mapping[str, Spread]) -> str | None:
    """Why a product's images cannot be told from others'; None if they can, or if it is alone."""
    if not others:
        return None
    if own is None or not own.tells:
        return f"it has fewer than {FEWEST} good images"
    if not any(spread.tells for spread in others.values()):
        return f"no other product has {FEWEST} good images"
    alike = [name for name, spread in others.items() if spread.tells and limit_between(own, spread) is None]
    return f"it looks too much like {', '.join(sorted(alike))}" if alike else None


def _log_ratio(one: float, other: float) -> float:
    return float(np.log(max(one, _CLOSEST) / max(other, _CLOSEST)))
