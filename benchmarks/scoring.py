"""Boxes against boxes, and how well scores tell good from defective: the arithmetic behind the tables."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tools.geometry import iou
from tools.types import Box

OVERLAPS: Final = (0.3, 0.5)
NOWHERE: Final = ""


def matches(claimed: Sequence[Box], marked: Sequence[Box], least: float) -> list[tuple[int, int]]:
    """Pairs (index of a claim, index of a mark) of enough overlap, each used once, the best first."""
    pairs = ((iou(one, other), i, j) for i, one in enumerate(claimed) for j, other in enumerate(marked))
    found: list[tuple[int, int]] = []
    for overlap, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if overlap >= least and all(i != a and j != b for a, b in found):
            found.append((i, j))
    return found


@dataclass(frozen=True)
class Share:
    """Hits among claims and marks."""

    hits: int
    claims: int
    marks: int

    @property
    def precision(self) -> float:
        """Share of claims that hit; 1 where nothing was claimed and nothing marked."""
        return self.hits / self.claims if self.claims else float(self.marks == 0)

    @property
    def recall(self) -> float:
        """Share of marks that were hit; 1 where nothing was marked."""
        return self.hits / self.marks if self.marks else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where nothing was claimed and nothing marked."""
        both = self.claims + self.marks
        return 2 * self.hits / both if both else 1.0


class Tally:
    """Counts matched and unmatched boxes over many pictures, at some overlaps, by type of defect."""

    def __init__(self, overlaps: Sequence[float] = OVERLAPS) -> None:
        self._hits: dict[float, Counter[str]] = {overlap: Counter() for overlap in overlaps}
        self._marks: Counter[str] = Counter()
        self._claims: Counter[str] = Counter()
        self._grown: dict[str, list[float]] = defaultdict(list)

    def add(self, claimed: Sequence[Box], marked: Sequence[tuple[str, Box]]) -> None:
        """Count one picture: claimed boxes, and (type, box) of what is marked."""
        boxes = [box for _, box in marked]
        self._marks.update(kind for kind, _ in marked)
        self._claims.update(_claimed_kind(one, marked) for one in claimed)
        for least, hits in self._hits.items():
            found = matches(claimed, boxes, least)
            hits.update(marked[j][0] for _, j in found)
            if least == min(self._hits):
                for i, j in found:
                    self._grown[marked[j][0]].append(claimed[i].area_px / boxes[j].area_px)

    def include(self, other: Tally) -> None:
        """Count all that another tally counted."""
        for least, hits in self._hits.items():
            hits.update(other._hits[least])
        self._marks.update(other._marks)
        self._claims.update(other._claims)
        for kind, grown in other._grown.items():
            self._grown[kind] += grown

    @property
    def kinds(self) -> list[str]:
        """Types that are marked somewhere, in alphabetical order."""
        return sorted(self._marks)

    def share(self, overlap: float, kind: str | None = None) -> Share:
        """Over all types, or of one: a claim belongs to the type of the mark that it overlaps most."""
        if kind is None:
            return Share(self._hits[overlap].total(), self._claims.total(), self._marks.total())
        return Share(self._hits[overlap][kind], self._claims[kind], self._marks[kind])

    def nowhere(self) -> int:
        """Claims that touch no mark at all."""
        return self._claims[NOWHERE]

    def grown(self, kind: str | None = None) -> float:
        """Median area of claimed over marked box among matches at the least overlap; NaN without matches."""
        areas = [area for of, values in self._grown.items() if kind in (None, of) for area in values]
        return float(np.median(areas)) if areas else math.nan


def _claimed_kind(claim: Box, marked: Sequence[tuple[str, Box]]) -> str:
    overlap, kind = max(((iou(claim, box), kind) for kind, box in marked), default=(0.0, NOWHERE))
    return kind if overlap > 0 else NOWHERE


def auroc(good: Iterable[float], defective: Iterable[float]) -> float:
    """Chance that a defective part scores above a good one, ties counted half (Mann and Whitney, 1947).

    Raises:
        ValueError: one of the two is empty.
    """
    low, high = np.sort(np.fromiter(good, float)), np.fromiter(defective, float)
    if low.size == 0 or high.size == 0:
        raise ValueError("AUROC needs scores of good and of defective parts")
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.sum() / (2 * low.size * high.size))
