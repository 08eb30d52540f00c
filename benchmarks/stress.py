"""How well an expert finds random flaws on drawn parts and leaves good ones alone, under photographic stress.

    python benchmarks/stress.py [--expert pair] [--stress NAME ...] [--count N] [--seed N] [--save DIR]
                                [--normals N] [--templates N] [--products NAME ...] [--margin PX]

For each of the three example products, parts with one to four random flaws of several types and as many good
ones are drawn, photographed under each stress, and read by an expert that was fitted on a photograph of a
good part, taken under the same stress with conditions of its own. Marks are the exact boxes of what differs
visibly from the good part, or larger by `--margin` on every side, as inspectors draw them (DeepPCB's are
larger by about 7 px). Every figure follows from the seed.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.conditions import STRESSES, Picture, taken
from benchmarks.flaws import MAKERS, Flaw, flawed
from benchmarks.retakes import Retakes
from benchmarks.scoring import OVERLAPS, Tally, auroc
from benchmarks.sheets import Album
from benchmarks.tables import table
from examples.camera import IMAGE_PX
from examples.products import Anatomy, Linear, Product
from examples.render import PRODUCTS
from tools.errors import ViewMismatch
from tools.experts.base import Expert, FittedExpert
from tools.geometry import clip_box
from tools.types import Box, Measurement

EXPERTS = ("pair", "patchcore")
MOST_FLAWS = 4

Rows = dict[tuple[str, str], "Row"]
"""By stress and product."""


@dataclass
class Row:
    """What came of the pictures of one product under one stress, or of several such rows together.

    Zones count readings, "refused" those that an expert took for another view; scores are shares of the
    threshold.
    """

    tally: Tally = field(default_factory=Tally)
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
            whole.good.update(row.good)
            whole.defective.update(row.defective)
            whole.good_scores += row.good_scores
            whole.defective_scores += row.defective_scores
        return whole

    def count(self, picture: Picture, measured: Measurement | None, margin_px: int) -> None:
        """Count one reading; None: the expert refused the picture."""
        zones = self.defective if picture.marks else self.good
        zones["refused" if measured is None else measured.reading.zone] += 1
        boxes = [] if measured is None else [region.box for region in measured.reading.regions]
        if picture.marks:
            self.tally.add(boxes, [(kind, _grown(box, margin_px)) for kind, box, _ in picture.marks])
        if measured is not None:
            scores = self.defective_scores if picture.marks else self.good_scores
            scores.append(measured.reading.score / measured.reading.threshold)


def _grown(box: Box, by_px: int) -> Box:
    """A box larger by so many pixels on every side, as far as the picture goes."""
    x0, y0, x1, y1 = box.xyxy
    return clip_box(x0 - by_px, y0 - by_px, x1 + by_px, y1 + by_px, IMAGE_PX, IMAGE_PX) or box


def random_of(*key: str | int) -> np.random.Generator:
    """Random numbers that belong to these words and numbers."""
    return np.random.default_rng([zlib.crc32(str(part).encode()) for part in key])


def parts(
    product: str, anatomy: Anatomy, count: int, seed: int
) -> Iterator[tuple[int, Linear, tuple[Flaw, ...]]]:
    """Number, scene and flaws of `count` defective parts, then of as many good ones."""
    makers = MAKERS[product]
    for number in range(count):
        rng = random_of(seed, product, "flaws", number)
        kinds = rng.permutation(sorted(makers))[: rng.integers(1, MOST_FLAWS + 1)]
        yield number, *flawed(anatomy, makers, tuple(str(kind) for kind in kinds), rng)
    for number in range(count, 2 * count):
        yield number, anatomy.good, ()


def measure(
    product: Product, anatomy: Anatomy, expert: Expert, options: argparse.Namespace
) -> dict[str, Row]:
    """Read every picture of a product; rows by stress."""
    rows = {stress: Row() for stress in options.stress}
    fitted = {stress: _fit(expert, product.name, anatomy, stress, options) for stress in options.stress}
    plain = taken(anatomy.good, (), STRESSES["none"], random_of(options.seed, product.name)).pixels
    album = Album(options.save, product.name, plain) if options.save else None
    for number, scene, flaws in parts(product.name, anatomy, options.count, options.seed):
        for stress, row in rows.items():
            rng = random_of(options.seed, product.name, stress, number)
            picture = taken(scene, flaws, STRESSES[stress], rng)
            measured = _read(fitted[stress], picture)
            row.count(picture, measured, options.margin)
            if album:
                claimed = () if measured is None else measured.reading.regions
                album.add(stress, picture, [region.box for region in claimed])
    if album:
        album.write()
    return rows


def _fit(
    expert: Expert, product: str, anatomy: Anatomy, stress: str, options: argparse.Namespace
) -> FittedExpert:
    """Fit on good parts photographed under this stress, each with conditions of its own."""
    keys = [(options.seed, product, stress, "template", number) for number in range(options.templates)]
    return expert.fit([taken(anatomy.good, (), STRESSES[stress], random_of(*key)).pixels for key in keys])


def _read(fitted: FittedExpert, picture: Picture) -> Measurement | None:
    try:
        return fitted.read(picture.pixels)
    except ViewMismatch:
        return None


def retakes(
    product: Product, anatomy: Anatomy, expert: Expert, counted: Retakes, count: int, seed: int
) -> None:
    """Fit on a good picture and read that part again, `count` times each way."""
    good = taken(anatomy.good, (), STRESSES["none"], random_of(seed, product.name, "retakes")).pixels
    counted.read(expert.fit([good]), good, anatomy, count, seed)


def by_stress(rows: Rows) -> str:
    """One line a stress with all products together, then one a product, then one over everything."""
    stresses, products = (list(dict.fromkeys(names)) for names in zip(*rows, strict=True))
    groups = {stress: [row for (name, _), row in rows.items() if name == stress] for stress in stresses}
    groups |= {f"= {one}": [row for (_, name), row in rows.items() if name == one] for one in products}
    groups["= everything"] = list(rows.values())
    header = [
        "", *(f"F1@{overlap}" for overlap in OVERLAPS), "precision", "recall", "area ratio",
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
        *(f"{row.tally.share(overlap).f1:.3f}" for overlap in OVERLAPS),
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


def by_kind(rows: Rows) -> str:
    """One line a type of flaw over all stresses and products."""
    tally = Row.together(rows.values()).tally
    header = ["", "marks", *(f"F1@{overlap}" for overlap in OVERLAPS), "precision", "recall", "area ratio"]
    lines = []
    for kind in tally.kinds:
        first = tally.share(OVERLAPS[0], kind)
        shares = [f"{tally.share(overlap, kind).f1:.3f}" for overlap in OVERLAPS]
        rates = [f"{first.precision:.3f}", f"{first.recall:.3f}", f"{tally.grown(kind):.2f}"]
        lines.append([kind, str(first.marks), *shares, *rates])
    note = f"{tally.nowhere()} claims touch no flaw. Area ratio: claimed over marked box, median of matches."
    return f"{table('By type of flaw', header, lines)}\n{note}"


def made(name: str, models: Path) -> Expert:
    """An expert by name, as it is shipped."""
    if name == "pair":
        from tools.experts.pair import PairExpert

        return PairExpert()
    from tools.experts.backbones import EmbeddedBackbone
    from tools.experts.patchcore import PatchCoreExpert

    return PatchCoreExpert(EmbeddedBackbone(models))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [product.name for product in PRODUCTS]
    parser.add_argument("--expert", choices=EXPERTS, default="pair")
    parser.add_argument("--stress", choices=list(STRESSES), nargs="+", default=list(STRESSES))
    parser.add_argument("--products", choices=names, nargs="+", default=names)
    parser.add_argument("--count", type=int, default=20, help="defective parts a product, and good ones")
    parser.add_argument("--templates", type=int, default=1, help="good pictures that the expert is fitted on")
    parser.add_argument(
        "--normals", type=int, default=0, help="good pictures taken again, a way, all products"
    )
    parser.add_argument("--margin", type=int, default=0, help="px that marks are larger than what shows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="folder for pictures with boxes, to look at")
    options = parser.parse_args()
    if min(options.count, options.templates) < 1 or min(options.normals, options.margin) < 0:
        parser.error("--count and --templates must be at least 1, --normals and --margin at least 0")
    return options


def main() -> None:
    """Print both tables, and the one of pictures taken again where it was asked for."""
    options = arguments()
    rows: Rows = {}
    counted = Retakes()
    with TemporaryDirectory() as models:
        expert = made(options.expert, Path(models))
        for product in (one for one in PRODUCTS if one.name in options.products):
            anatomy = product.anatomy()
            for stress, row in measure(product, anatomy, expert, options).items():
                rows[stress, product.name] = row
            if options.normals:
                retakes(
                    product,
                    anatomy,
                    expert,
                    counted,
                    -(-options.normals // len(options.products)),
                    options.seed,
                )
    print(
        f"{options.expert}, {options.templates} good picture(s), seed {options.seed}: a product and stress "
        f"{options.count} defective and {options.count} good parts, marks {options.margin} px larger than flaws\n"
    )
    print(by_stress(rows))
    print(f"\n{by_kind(rows)}")
    if options.normals:
        print(f"\n{counted.text()}")


if __name__ == "__main__":
    main()
