"""How fast, large and right every expert is, beside anomalib's own PatchCore on the same weights.

python benchmarks/experts.py [--quick] [--data DIR] [--experts NAME ...] [--shots N ...] [--sides PX ...]

Fit and read times on 1, 4 and 16 good pictures of 320 and 640 px, split by step; peak memory of a process
that does nothing else; AUROC on photo-like pictures of the stress set (and of real boards, where DIR or
INSPECTION_DATA holds them). All contenders read each picture in turn, so that other work on the machine hits
them alike; ratios are of minima, which it hits least. The floor is one pass of the embedded backbone alone.
This process imports nothing but the standard library, so that it does not weigh on what it measures.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import json
import os
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import expert_tables, machine, startup
from benchmarks.children import ChildFailed, Children

STRESS = "photo-like"


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure what was asked for; plain values, as `--out` writes them.

    Raises:
        ChildFailed: a child process did not end well; the message quotes its last words.
        ValueError: an expert was named that there is not.
    """
    children = Children(folder / "data", folder / "no-settings")
    offers = children.ask("benchmarks.roster", {"data_dir": str(children.data_dir)})
    named = given.experts or [name for name in offers if name != "ground-truth"]
    if unknown := [name for name in named if name not in offers]:
        raise ValueError(f"no expert named {', '.join(unknown)}; there are {', '.join(offers)}")
    runnable = [name for name in named if offers[name] is None]
    _say("drawing the pictures")
    pictures = {
        "folder": str(folder / "pictures"),
        "products": given.products,
        "templates": max(given.shots),
        "queries": given.queries,
        "stress": STRESS,
        "boards": None,
    }
    series = children.ask("benchmarks.expert_pictures", pictures)
    told: dict[str, Any] = {
        "machine": machine.describe(),
        "stress": STRESS,
        "queries": sum(len(one["good"]) + len(one["defective"]) for one in series),
        "repeats": given.repeats,
        "obstacles": {name: why for name, why in offers.items() if name in named and why},
        "imports": startup.imports(children, startup.EMBEDDED, 1 if given.quick else 5),
        "contests": [],
        "memory_mib": [],
        "boards": None,
    }
    job = {"data_dir": str(children.data_dir), "experts": runnable}
    for side in given.sides:
        for shots in given.shots:
            _say(f"reading pictures of {side} px after {shots} good ones")
            contest = {**job, "series": series, "shots": shots, "side_px": side, "repeats": given.repeats}
            outcome = children.ask("benchmarks.contest", contest)
            told["contests"].append({"shots": shots, "side_px": side, "contenders": outcome})
    for shots in given.shots:
        for name in (expert_tables.PEER, *runnable):
            _say(f"weighing {name} with {shots} good pictures")
            one = series[0]
            weigh = {"expert": name, "templates": one["templates"][:shots], "query": one["good"][0]}
            peak = children.ask("benchmarks.footprint", {"data_dir": job["data_dir"], **weigh})
            told["memory_mib"].append({"expert": name, "shots": shots, "peak": peak})
    if given.data is not None:
        _say("reading boards")
        where = {"folder": str(folder / "boards"), "boards": str(given.data)}
        boards = children.ask("benchmarks.expert_pictures", where)
        contest = {**job, "series": boards, "shots": 1, "side_px": 640, "repeats": 1}
        told["boards"] = children.ask("benchmarks.contest", contest)
    return told


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one product, one good picture, few queries")
    parser.add_argument("--experts", nargs="+", help="names; all that can run here if left out")
    parser.add_argument("--products", nargs="+", default=["bare_pcb", "machined_flange", "blister_pack"])
    parser.add_argument("--shots", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--sides", nargs="+", type=int, default=[320, 640])
    parser.add_argument("--queries", type=int, default=8, help="good and as many defective ones a product")
    parser.add_argument("--repeats", type=int, default=3, help="readings of each query, and fits")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("INSPECTION_DATA"), help="folder with deeppcb/"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="keep every figure")
    given = parser.parse_args()
    if given.quick:
        given.products, given.shots, given.sides = given.products[:1], given.shots[:1], given.sides[:1]
        given.queries, given.repeats = 3, 2
    if min(given.queries, given.repeats, *given.shots) < 1 or min(given.sides) < 64:
        parser.error("--shots, --queries and --repeats must be at least 1, --sides at least 64")
    if given.data is not None and not (Path(given.data) / "deeppcb").is_dir():
        parser.error(f"{given.data} holds no folder deeppcb")
    try:
        with TemporaryDirectory(prefix="experts-benchmark-") as folder:
            told = measure(given, Path(folder))
    except (ChildFailed, ValueError) as error:
        print(f"benchmarks/experts.py: {error}", file=sys.stderr)
        return 1
    print(expert_tables.text(told))
    if given.out is not None:
        given.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
