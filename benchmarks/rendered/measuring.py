"""How well a method tells damage, finds it and names it, product by product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.rendered.drawing import draw
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.scene import Product
from evals.detect.kept_maps import KeptMap
from evals.detect.metrics import image_figures, middle_95, pixel_figures
from evals.detect.pixel_tally import PixelTally
from tools.experts.prompted.looking import Model
from tools.experts.prompted.maps import MAP_SIGMA_PX
from tools.types import MapValues, Pixels

FIGURES: Final = ("image AUROC", "pixel AUROC", "AUPRO", "type accuracy")

_RESAMPLES: Final = 4000

Values: TypeAlias = npt.NDArray[np.float64]
"""Figures by seed, product and figure, shape (seeds, products, figures); NaN where a method has none."""


@dataclass(frozen=True)
class Seen:
    """What a method said of a picture: how damaged, where, and of what type, where it names any."""

    damaged: float
    map_values: MapValues
    named: str | None = None


Looker: TypeAlias = Callable[[Product, Sequence[Pixels]], Sequence[Seen]]


@dataclass(frozen=True)
class Shown:
    """A picture to judge."""

    kind: str | None
    pixels: Pixels
    mask: npt.NDArray[np.bool_]


def shown(product: Product, *, good: int, flawed: int, seed: int) -> list[Shown]:
    """Pictures of a product: so many good ones, and so many of each type of flaw."""
    pictures = []
    for kind in (None, *FLAWS):
        for number in range(flawed if kind else good):
            drawn = draw(product, kind, seed, "judged", number)
            pictures.append(Shown(kind, drawn.pixels, drawn.mask))
    return pictures


def by_model(model: Model) -> Looker:
    """What a learnt method says. The type is the one with most of the map where it is above half its peak."""

    def look(_: Product, pictures: Sequence[Pixels]) -> Sequence[Seen]:
        seen = []
        for one in model.look(pictures):
            named = None
            if one.types:
                inside = one.map_values >= one.map_values.max() / 2
                named = one.types[int(one.type_maps[:, inside].sum(axis=1).argmax())]
            seen.append(Seen(one.damaged, one.map_values, named))
        return seen

    return look


def judged(look: Looker, product: Product, pictures: Sequence[Shown]) -> list[float]:
    """`FIGURES` of one product; the last is NaN where no type is named."""
    seen = look(product, [one.pixels for one in pictures])
    pairs = list(zip(pictures, seen, strict=True))
    whole = image_figures(
        [said.damaged for one, said in pairs if one.kind is None],
        [said.damaged for one, said in pairs if one.kind is not None],
        resamples=1,
    )
    tally = PixelTally()
    for one, said in pairs:
        tally.add(KeptMap(said.map_values, one.mask))
    pixels = pixel_figures(tally.pixels())
    if whole is None or pixels is None:
        raise ValueError(f"of {product.name} good or damaged pictures are missing")
    named = [said.named == one.kind for one, said in pairs if one.kind is not None]
    typed = float("nan") if all(said.named is None for said in seen) else float(np.mean(named))
    return [whole.auroc, pixels.auroc, pixels.aupro, typed]


def smoothed(found: MapValues) -> MapValues:
    """A map blurred as the learnt methods blur theirs."""
    soft = cv2.GaussianBlur(found, (0, 0), MAP_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    return np.asarray(soft, np.float32)


def interval(values: Values, seed: int = 0) -> tuple[float, float, float]:
    """Mean, and 95 % of the means of seeds and products that were drawn again with replacement.

    Args:
        values: shape (seeds, products).
        seed: of the drawing.
    """
    rng = np.random.default_rng(seed)
    seeds, products = values.shape
    draws = np.empty(_RESAMPLES)
    for at in range(_RESAMPLES):
        drawn = values[rng.integers(seeds, size=seeds)][:, rng.integers(products, size=products)]
        draws[at] = drawn.mean()
    return (float(values.mean()), *middle_95(draws))


def cells(values: Values, *, signed: bool = False) -> list[str]:
    """Each figure in per cent with its interval; "-" where the method has none."""
    said = []
    for figure in range(values.shape[2]):
        of = values[:, :, figure]
        if np.isnan(of).any():
            said.append("-")
            continue
        mean, low, high = (100 * value for value in interval(of))
        sign = "+" if signed else ""
        said.append(f"{mean:{sign}.1f} ({low:{sign}.1f}..{high:{sign}.1f})")
    return said
