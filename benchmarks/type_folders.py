"""Write boards or drawn dies as folders that `agent train types --data` takes.

    python benchmarks/type_folders.py --out DIR [--data DEEPPCB] [--each N]

`DIR/dies` has a folder of pictures for each type of drawn die (`benchmarks/drawn_dies.py`), readings printed
on them. With `--data` (or the environment variable INSPECTION_DATA), `DIR/boards` has whole boards of
DeepPCB, their marks in COCO's format and the golden board of each in `references/`; the last board of each
group is left out of it and lies in `DIR/boards_held_out`, to be inspected.
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
from typing import Final

from benchmarks.boards import Board, boards
from benchmarks.drawn_dies import TYPES, drawn_die
from tools.image import encode_png
from tools.types import Pixels

_FIRST_SEED: Final = 20_000
"""Of dies that no figure of `benchmarks/defect_types.py` is taken on, nor any setting chosen by."""


def write_dies(folder: Path, each: int) -> None:
    """So many dies of each type: `TYPE/NUMBER.png`."""
    for kind in TYPES:
        for number in range(each):
            _write(folder / kind / f"{number:02d}.png", drawn_die(kind, _FIRST_SEED + number))


def write_boards(chosen: list[Board], folder: Path, kinds: tuple[str, ...] | None = None) -> None:
    """Boards with their marks as `annotations.json`; `kinds` None marks all of them."""
    names = kinds or tuple(sorted({kind for board in chosen for _, kind in board.defects}))
    images, marks = [], []
    for board in chosen:
        _write(folder / f"{board.name}.png", board.tested)
        _write(folder / "references" / f"{board.name}.png", board.good)
        images.append({"id": len(images), "file_name": f"{board.name}.png"})
        marks += [
            {
                "id": len(marks) + number,
                "image_id": images[-1]["id"],
                "category_id": names.index(kind),
                "bbox": [box.x0, box.y0, box.width_px, box.height_px],
            }
            for number, (box, kind) in enumerate(one for one in board.defects if one[1] in names)
        ]
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    told = {"categories": categories, "images": images, "annotations": marks}
    (folder / "annotations.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


def _write(path: Path, picture: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(picture))


def main() -> int:
    """Write what can be written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="must not be there yet")
    parser.add_argument("--data", type=Path, default=os.environ.get("INSPECTION_DATA"), metavar="DEEPPCB")
    parser.add_argument("--each", type=int, default=16, metavar="N", help="dies of each type")
    asked = parser.parse_args()
    if asked.out.exists():
        parser.error(f"{asked.out} is there already; choose another --out")
    if asked.each < 1:
        parser.error("--each must be 1 or more")
    write_dies(asked.out / "dies", asked.each)
    print(f"{asked.each} dies of each of {len(TYPES)} types in {asked.out / 'dies'}")
    if asked.data is not None:
        every = list(boards(Path(asked.data)))
        if not every:
            parser.error(f"{asked.data} holds no deeppcb/<group>/<id>_temp.jpg; check --data")
        last = {board.name[:5]: board for board in every}.values()
        held_out = {board.name for board in last}
        write_boards([board for board in every if board.name not in held_out], asked.out / "boards")
        for board in last:
            _write(asked.out / "boards_held_out" / f"{board.name}_test.png", board.tested)
            _write(asked.out / "boards_held_out" / f"{board.name}_good.png", board.good)
        print(f"{len(every) - len(last)} boards in {asked.out / 'boards'}, {len(last)} held out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
