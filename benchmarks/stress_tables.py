"""What came of the stress set: rows of counts by stress and product, and the tables made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from benchmarks.conditions import Picture
from benchmarks.scoring import OVERLAPS, Tally, auroc
from benchmarks.tables import table
from examples.camera import IMAGE_PX
from tools.geometry import clip_box
from tools.types import Box, Measurement

LOOSE_PX: Final = 7
"""By so much loose marks are larger on every side than what differs visibly: about as in DeepPCB."""

HEADER: Final = ("", *(f"{name} @{overlap}" for name in ("F1", "loose") for overlap in OVERLAPS))

Rows = dict[tuple[str, str], "Row"]
"""By stress and product."""


@dataclass
class Row:
    """What came of the pictures of one product under one stress, or of several such rows together.

    `tally` is of exact marks, `loose` of larger ones. Zones count readings, "refused" those that an expert
    took for another view; scores are shares of the threshold.
    """

    tally: Tally = field(default_factory=Tally)
    loose: Tally = field(default_factory=Tally)
    good: Counter[str] = field(default_factory=Counter)
    defective: Counter[str] = field(default_factory=Counter)
    good_scores: list[float] = field(default_factory=list)
    defective_scores: list[float] = field(default_factory=list)

    @classmethod
    def together(cls, rows: Iterable[Row]) -> Row:
        """All that these rows counted."""
        whole = cls()
        for row in rows:
            whole.tally.include(row.tally)
            whole.loose.include(row.loose)
            whole.good.update(row.good)
            whole.defective.update(row.defective)
            whole.good_scores += row.good_scores
            whole.defective_scores += row.defective_scores
        return whole

    def count(self, picture: Picture, measured: Measurement | None) -> None:
        """Count one reading; None: the expert refused the picture."""
        zones = self.defective if picture.marks else self.good
        zones["refused" if measured is None else measured.reading.zone] += 1
        boxes = [] if measured is None else [region.box for region in measured.reading.regions]
        if picture.marks:
            self.tally.add(boxes, [(kind, box) for kind, box, _ in picture.marks])
            self.loose.add(boxes, [(kind, _grown(box, LOOSE_PX)) for kind, box, _ in picture.marks])
        if measured is not None:
            scores = self.defective_scores if picture.marks else self.good_scores
            scores.append(measured.reading.score / measured.reading.threshold)


def _grown(box: Box, by_px: int) -> Box:
    """A box larger by so many pixels on every side, as far as the picture goes."""
    x0, y0, x1, y1 = box.xyxy
    return clip_box(x0 - by_px, y0 - by_px, x1 + by_px, y1 + by_px, IMAGE_PX, IMAGE_PX) or box


def by_stress(rows: Rows) -> str:
    """One line a stress with all products together, then one a product, then one over everything."""
    stresses, products = (list(dict.fromkeys(names)) for names in zip(*rows, strict=True))
    groups = {stress: [row for (name, _), row in rows.items() if name == stress] for stress in stresses}
    groups |= {f"= {one}": [row for (_, name), row in rows.items() if name == one] for one in products}
    groups["= everything"] = list(rows.values())
    header = [
        *HEADER, "precision", "recall", "area ratio",
        "found", "unsure", "refused", "false alarms", "unsure", "refused", "AUROC", "weakest", "highest good",
    ]  # fmt: skip
    lines = [_line(name, Row.together(group)) for name, group in groups.items()]
    return table(
        "By stress: boxes | defective parts | good parts | scores in units of the threshold", header, lines
    )


def _line(name: str, row: Row) -> list[str]:
    boxes = row.tally.share(OVERLAPS[0])
    scores = row.good_scores, row.defective_scores
    return [
        name,
        *_f1(row),
        f"{boxes.precision:.3f}",
        f"{boxes.recall:.3f}",
        f"{row.tally.grown():.2f}",
        f"{row.defective['anomalous']}/{row.defective.total()}",
        str(row.defective["uncertain"]),
        str(row.defective["refused"]),
        f"{row.good['anomalous']}/{row.good.total()}",
        str(row.good["uncertain"]),
        str(row.good["refused"]),
        f"{auroc(*scores):.3f}" if all(scores) else "-",
        f"{min(row.defective_scores, default=np.nan):.2f}",
        f"{max(row.good_scores, default=np.nan):.2f}",
    ]


def _f1(row: Row, kind: str | None = None) -> list[str]:
    tallies = (row.tally, row.loose)
    return [f"{tally.share(overlap, kind).f1:.3f}" for tally in tallies for overlap in OVERLAPS]


def by_kind(rows: Rows) -> str:
    """One line a type of flaw over all stresses and products."""
    row = Row.together(rows.values())
    tally = row.tally
    header = [*HEADER, "precision", "recall", "area ratio", "marks"]
    lines = []
    for kind in tally.kinds:
        first = tally.share(OVERLAPS[0], kind)
        rates = [f"{first.precision:.3f}", f"{first.recall:.3f}", f"{tally.grown(kind):.2f}"]
        lines.append([kind, *_f1(row, kind), *rates, str(first.marks)])
    note = f"{tally.nowhere()} claims touch no flaw. Area ratio: claimed over marked box, median of matches."
    return f"{table('By type of flaw', header, lines)}\n{note}"
