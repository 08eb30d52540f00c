"""Draw the example pictures: `python -m examples.render [--out examples/images]`.

Each product gets `good.jpg`, `good_shifted.jpg` (the same part, photographed again: moved, turned, lit and
focused a little differently) and one picture a defect, each photographed again too. `annotations.json` says
where the defects are. The same program draws the same pictures, up to the JPEG library's rounding.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from examples.camera import IMAGE_PX, Shot, image_box, photograph
from examples.products import Product, bare_pcb, blister_pack, machined_flange

PRODUCTS: tuple[Product, ...] = (bare_pcb.PRODUCT, machined_flange.PRODUCT, blister_pack.PRODUCT)
JPEG_QUALITY = 92

REFERENCE = Shot(seed=100)
AGAIN = Shot(
    seed=101, shift_px=(2.4, -1.7), rotation_deg=0.4, gain=0.94, gradient=(0.05, -0.04), blur_px=0.62
)
DEFECT_SHOTS = (
    Shot(seed=102, shift_px=(-1.6, 2.3), rotation_deg=-0.3, gain=1.04, gradient=(-0.03, 0.04), blur_px=0.55),
    Shot(seed=103, shift_px=(1.3, 1.8), rotation_deg=0.25, gain=0.97, gradient=(0.04, 0.03), blur_px=0.5),
)


class Picture(NamedTuple):
    """One example picture and what is wrong in it: (type, (x0, y0, x1, y1) in pixels, half-open)."""

    product: str
    name: str
    pixels: npt.NDArray[np.uint8]
    defects: tuple[tuple[str, tuple[int, int, int, int]], ...]


def pictures(product: Product) -> Iterator[Picture]:
    """All pictures of one product, the good one first."""
    good = product.draw(None).light
    yield Picture(product.name, "good", photograph(good, REFERENCE), ())
    yield Picture(product.name, "good_shifted", photograph(good, AGAIN), ())
    for defect, shot in zip(product.defects, DEFECT_SHOTS, strict=True):
        scene = product.draw(defect)
        found = tuple((kind, image_box(box, shot)) for kind, box in scene.defects)
        yield Picture(product.name, defect, photograph(scene.light, shot), found)


def write(out: Path) -> None:
    """Draw every picture into `out/<product>/`, and `out/annotations.json`."""
    annotations: dict[str, dict[str, object]] = {}
    for product in PRODUCTS:
        folder = out / product.name
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures(product):
            file = folder / f"{picture.name}.jpg"
            Image.fromarray(picture.pixels).save(file, quality=JPEG_QUALITY, optimize=True)
            annotations[f"{product.name}/{picture.name}.jpg"] = {
                "product": product.name,
                "width_px": IMAGE_PX,
                "height_px": IMAGE_PX,
                "defects": [{"type": kind, "box_xyxy_px": list(box)} for kind, box in picture.defects],
            }
            print(f"{file}  {file.stat().st_size / 1000:.0f} kB")
    text = json.dumps(annotations, indent=2) + "\n"
    (out / "annotations.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw the example pictures.")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "images", help="folder to write to"
    )
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
