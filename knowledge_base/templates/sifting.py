"""What of a batch of good images is worth keeping: no picture twice, and none of another product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from knowledge_base.templates.duplicates import Fingerprint, are_two_exposures
from knowledge_base.templates.embedding import Image, Vector, Vectors
from knowledge_base.templates.recognition import FEWEST, Spread, mismatched, why_untold

Fate: TypeAlias = Literal["new", "same_picture", "other_product"]

CANDIDATES: Final = 5
"""Nearest images with which one is compared; a picture saved again lies among the very nearest."""


@dataclass(frozen=True)
class Seen:
    """An image that may be added: its vector, what it looks like from afar, and how to see it again."""

    name: str
    vector: Vector
    fingerprint: Fingerprint
    image: Callable[[], Image]


@dataclass(frozen=True)
class Remembered:
    """An image on record, as far as new ones are compared with it; `image` gives None if its file is gone."""

    name: str
    small: npt.NDArray[np.float16]
    aspect: float
    image: Callable[[], Image | None]


@dataclass(frozen=True)
class Sifted:
    """What is to become of an image, and why in words; nothing need be said of a new one."""

    fate: Fate
    reason: str = ""


class Record(Protocol):
    """What sifting asks of the images on record."""

    def near(self, product: str, vector: Vector) -> list[Remembered]:
        """The few images of a product nearest to a vector."""

    def similarities(self, vector: Vector) -> dict[str, float]:
        """Cosine to the nearest image of each product."""

    def spreads(self) -> Mapping[str, Spread]:
        """How far apart the images of each product lie."""

    def sample(self, product: str) -> Vectors:
        """The images from which a product's spread was taken."""


def sift(
    product: str, batch: Sequence[Seen], record: Record, *, refuse_others: bool = True
) -> tuple[list[Sifted], str]:
    """Decide what is to become of each image, and say what could not be told.

    A picture is compared with those on record and with those before it in the batch. Where the product has
    too few images on record, the larger part of the batch speaks for it.

    Args:
        product: what the images are said to show.
        batch: the images.
        record: those on record.
        refuse_others: whether one that looks like another product is refused.
    """
    reasons, note = _other_products(product, batch, record) if refuse_others else ([""] * len(batch), "")
    fates: list[Sifted] = []
    kept: list[Seen] = []
    for seen, reason in zip(batch, reasons, strict=True):
        if reason:
            fates.append(Sifted("other_product", reason))
        elif twin := _same_picture(seen, (*record.near(product, seen.vector), *_near(seen, kept))):
            fates.append(Sifted("same_picture", f"the same picture as {twin}, saved again"))
        else:
            fates.append(Sifted("new"))
            kept.append(seen)
    return fates, note


def _same_picture(seen: Seen, candidates: Sequence[Remembered]) -> str | None:
    for candidate in candidates:
        if not seen.fingerprint.like(candidate.small, candidate.aspect):
            continue
        image = candidate.image()
        if image is not None and not are_two_exposures(seen.image(), image):
            return candidate.name
    return None


def _near(seen: Seen, kept: Sequence[Seen]) -> list[Remembered]:
    if not kept:
        return []
    similarities = np.stack([one.vector for one in kept]) @ seen.vector
    nearest = np.argsort(-similarities, kind="stable")[:CANDIDATES]
    return [
        Remembered(one.name, one.fingerprint.small, one.fingerprint.aspect, one.image)
        for one in (kept[i] for i in nearest)
    ]


def _other_products(product: str, batch: Sequence[Seen], record: Record) -> tuple[list[str], str]:
    """Why each image is refused, empty for those that are not; and what could not be told."""
    nothing = [""] * len(batch)
    spreads = record.spreads()
    others = {name: spread for name, spread in spreads.items() if name != product}
    if not others or not batch:
        return nothing, ""
    similarities = [record.similarities(seen.vector) for seen in batch]
    own = spreads.get(product)
    if own is not None and own.tells:
        beside = [{name: (found[name], others[name]) for name in others} for found in similarities]
        wrong = [
            mismatched(product, found[product], own, rest)
            for found, rest in zip(similarities, beside, strict=True)
        ]
        return [str(one or "") for one in wrong], why_untold(own, others) or ""
    return _judged_by_the_batch(product, batch, similarities, others, record)


def _judged_by_the_batch(
    product: str,
    batch: Sequence[Seen],
    similarities: Sequence[Mapping[str, float]],
    others: Mapping[str, Spread],
    record: Record,
) -> tuple[list[str], str]:
    """Images that lie nearer to another product than to most of the batch are judged by the rest of it."""
    nothing = [""] * len(batch)
    vectors = np.stack([seen.vector for seen in batch])
    apart = 1 - vectors @ vectors.T
    foreign = np.array([1 - max(found[name] for name in others) for found in similarities])
    suspect = foreign < np.median(apart, axis=1)
    core = np.flatnonzero(~suspect)
    if len(batch) < FEWEST:
        return nothing, why_untold(None, others) or ""
    if 2 * len(core) <= len(batch) or len(core) < FEWEST:
        return (
            nothing,
            f"most of these images look more like {_nearest(similarities, others)} than like each other",
        )
    among = apart[np.ix_(core, core)] + 4 * np.eye(len(core))  # farther than anything is from itself
    own = Spread(len(core), tuple(among.min(axis=1)), tuple(foreign[core]))
    beside = {name: _seen_from(vectors[core], spread, record.sample(name)) for name, spread in others.items()}
    reasons = list(nothing)
    for number in np.flatnonzero(suspect).tolist():
        similarity = 1 - float(apart[number, core].min())
        rest = {name: (similarities[number][name], spread) for name, spread in beside.items()}
        reasons[number] = str(mismatched(product, similarity, own, rest) or "")
    return reasons, why_untold(own, beside) or ""


def _seen_from(core: Vectors, spread: Spread, sample: Vectors) -> Spread:
    """The spread of another product, the new one counted among its neighbours."""
    nearest = float(1 - (sample @ core.T).max())
    foreign = spread.foreign or (2.0,) * len(spread.own)
    return replace(spread, foreign=tuple(min(distance, nearest) for distance in foreign))


def _nearest(similarities: Sequence[Mapping[str, float]], others: Mapping[str, Spread]) -> str:
    """The other product that most images are most like."""
    votes = [max(others, key=lambda name: found[name]) for found in similarities]
    return max(sorted(set(votes)), key=votes.count)
