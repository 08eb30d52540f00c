"""How fast and how large an inspection is: start-up, first and later inspections by step, memory.

python benchmarks/inspect.py [--images N] [--data DIR] [--out FILE.json]

Everything is measured in child processes of the product as it is installed, without any settings of the user.
This process imports nothing but the standard library, so that it does not weigh on what it measures.
"""

# ruff: noqa: E402 - this file has the name of a standard module, which its own folder must not hide
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

from benchmarks import machine, startup, tables
from benchmarks.children import ChildFailed, Children

PARTS = ("startup", "inspections", "naive")
PRODUCTS = ("bare_pcb", "machined_flange", "blister_pack")


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure what was asked for; plain values, as `--out` writes them.

    Raises:
        ChildFailed: a child process did not end well; the message quotes its last words.
    """
    children = Children(folder / "data", folder / "no-settings")
    told: dict[str, Any] = {
        "machine": machine.describe(),
        "settings": {
            "images": given.images,
            "repeats": given.repeats,
            "products": given.products,
            "boards": given.data is not None,
            "reasoner": "evidence, no model; expert, knowledge and threads as shipped",
        },
    }
    parts = given.only or PARTS
    _say("drawing the pictures")
    job = {"folder": str(folder / "pictures"), "count": given.images, "products": given.products}
    series = children.ask("benchmarks.pictures", {**job, "boards": str(given.data) if given.data else None})
    first = series[0]
    request = ["--image", first["queries"][0], "--template", first["template"], "--product", first["product"]]
    _say("first use, with an empty data folder")
    told["first_use_s"] = startup.inspect_once(children, request)
    if "startup" in parts:
        _say("starting the program")
        told["startup"] = startup.measure(children, request, given.repeats)
    if "inspections" in parts:
        told["inspections"] = []
        for one in series:
            for templates in ("same", "new each time"):
                _say(f"inspecting {one['name']}, template: {templates}")
                job = {"data_dir": str(children.data_dir), "series": one, "templates": templates}
                told["inspections"].append(children.ask("benchmarks.inspections", job))
    if "naive" in parts:
        _say("importing the naive way")
        told["naive"] = startup.imports(children, startup.NAIVE, min(given.repeats, 3))
    return told


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks/inspect.py", description=str(__doc__).splitlines()[0])
    parser.add_argument("--images", type=int, default=20, help="later inspections a series (default 20)")
    parser.add_argument(
        "--repeats", type=int, default=5, help="starts of which the median counts (default 5)"
    )
    parser.add_argument(
        "--products", nargs="+", choices=PRODUCTS, default=list(PRODUCTS), help="drawn example parts"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("INSPECTION_DATA"),
        help="folder with deeppcb/, to measure on real boards too [env: INSPECTION_DATA]",
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, help="leave the other parts out")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="keep every figure")
    given = parser.parse_args(arguments)
    if given.images < 1 or given.repeats < 1:
        parser.error("--images and --repeats must be at least 1")
    if given.data is not None and not (given.data / "deeppcb").is_dir():
        parser.error(f"{given.data} holds no folder deeppcb")
    try:
        with TemporaryDirectory(prefix="inspect-benchmark-") as folder:
            told = measure(given, Path(folder))
    except ChildFailed as error:
        print(f"benchmarks/inspect.py: {error}", file=sys.stderr)
        return 1
    print(tables.text(told))
    if given.out is not None:
        given.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
