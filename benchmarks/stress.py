"""How well an expert finds random flaws on drawn parts and leaves good ones alone, under photographic stress.

    python benchmarks/stress.py [--expert pair] [--stress NAME ...] [--count N] [--seed N] [--save DIR]
                                [--normals N] [--templates N] [--products NAME ...] [--box-margin N]

For each of the three example products, parts with one to four random flaws of several types and as many good
ones are drawn, photographed under each stress, and read by an expert that was fitted on a photograph of a
good part, taken under the same stress with conditions of its own. Marks are the exact boxes of what differs
visibly from the good part; "loose" marks are larger by 7 px on every side, about as inspectors draw them (in
DeepPCB, say), so that one may tell boxes in the wrong place from boxes of another custom. Every figure
follows from the seed.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
from tempfile import TemporaryDirectory

from benchmarks import roster
from benchmarks.conditions import STRESSES, Picture, taken
from benchmarks.parts import drawn_parts, random_of
from benchmarks.retakes import Retakes
from benchmarks.sheets import Album
from benchmarks.stress_tables import Row, Rows, by_kind, by_stress
from examples.products import Anatomy, Product
from examples.render import PRODUCTS
from tools.errors import ViewMismatch
from tools.experts.base import Expert, FittedExpert
from tools.experts.pair import PairExpert
from tools.types import Measurement


def measure(
    product: Product, anatomy: Anatomy, expert: Expert, options: argparse.Namespace
) -> dict[str, Row]:
    """Read every picture of a product; rows by stress."""
    rows = {stress: Row() for stress in options.stress}
    fitted = {stress: _fit(expert, product.name, anatomy, stress, options) for stress in options.stress}
    plain = taken(anatomy.good, (), STRESSES["none"], random_of(options.seed, product.name)).pixels
    album = Album(options.save, product.name, plain) if options.save else None
    for number, scene, flaws in drawn_parts(product.name, anatomy, options.count, options.seed):
        for stress, row in rows.items():
            rng = random_of(options.seed, product.name, stress, number)
            picture = taken(scene, flaws, STRESSES[stress], rng)
            measured = _read(fitted[stress], picture)
            row.count(picture, measured)
            if album:
                claimed = () if measured is None else measured.reading.regions
                album.add(stress, picture, [region.box for region in claimed])
    if album:
        album.write()
    return rows


def _opened(options: argparse.Namespace, data_dir: Path) -> Expert:
    if options.box_margin is not None:
        return PairExpert(box_margin_px=options.box_margin)
    return roster.expert(options.expert, data_dir)


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


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [product.name for product in PRODUCTS]
    parser.add_argument("--expert", default="pair", help="its name, as the agent takes it")
    parser.add_argument("--stress", choices=list(STRESSES), nargs="+", default=list(STRESSES))
    parser.add_argument("--products", choices=names, nargs="+", default=names)
    parser.add_argument("--count", type=int, default=20, help="defective parts a product, and good ones")
    parser.add_argument("--templates", type=int, default=1, help="good pictures that the expert is fitted on")
    parser.add_argument(
        "--normals", type=int, default=0, help="good pictures taken again, a way, all products"
    )
    parser.add_argument("--box-margin", type=int, help="pixels that pair's boxes leave; 0 for exact marks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="folder for pictures with boxes, to look at")
    options = parser.parse_args()
    if options.box_margin is not None and options.expert != "pair":
        parser.error("--box-margin is pair's alone")
    if min(options.count, options.templates) < 1 or options.normals < 0:
        parser.error("--count and --templates must be at least 1, --normals at least 0")
    return options


def main() -> None:
    """Print both tables, and the one of pictures taken again where it was asked for."""
    options = arguments()
    rows: Rows = {}
    counted = Retakes()
    with TemporaryDirectory() as models:
        expert = _opened(options, Path(models))
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
    print(f"{options.expert}, fitted on {options.templates}; seed {options.seed}; of each product under each")
    print(f"stress {options.count} defective and {options.count} good parts\n")
    print(by_stress(rows))
    print(f"\n{by_kind(rows)}")
    if options.normals:
        print(f"\n{counted.text()}")


if __name__ == "__main__":
    main()
