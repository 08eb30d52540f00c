"""Features of a user's crops: what is seen, measured, told and printed, of each and of its varied copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from tools.defect_types.recipe import Recipe

if TYPE_CHECKING:
    from graphs.findings.crop_features import FeatureMaker
    from tools.defect_types.folders import Sample, TypeFolder
    from tools.defect_types.numbers import Reading
    from tools.defect_types.training import Crops
    from tools.image import ImageStore
    from tools.types import Pixels

_PROBED: Final = 6
"""Pictures read first: where none of them bears a number, none of the others is read."""


@dataclass(frozen=True)
class Gatherer:
    """Makes of samples what is learnt from.

    Attributes:
        images: how pictures are read.
        maker: makes features.
        recipe: how many varied copies there are.
        seed: of these.
    """

    images: ImageStore
    maker: FeatureMaker
    recipe: Recipe
    seed: int

    def crops(
        self, found: TypeFolder, told_of_types: dict[str, str], tick: Callable[[], None] = lambda: None
    ) -> Crops:
        """Features of all samples, and of their varied copies.

        Args:
            found: the samples.
            told_of_types: what documents say of types, by name.
            tick: called after each sample.
        """
        from graphs.findings.crop_features import told_of
        from tools.defect_types.crops import cut, place_of
        from tools.defect_types.features import Features
        from tools.defect_types.training import Crops
        from tools.defect_types.views import varied, views_wanted

        classes = found.classes
        wanted = dict(zip(classes, views_wanted(list(found.counts.values()), self.recipe.views), strict=True))
        printed = self._printed(found.samples)
        pictures: dict[int, list[npt.NDArray[np.float32]]] = {}
        told: dict[int, str] = {}
        by_picture = sorted(enumerate(found.samples), key=lambda one: one[1].picture)
        for number, sample, picture, good in self._opened(by_picture):
            crop = cut(picture, sample.box, good)
            place = place_of(picture, sample.box, good) if sample.box else None
            told[number] = told_of(picture, good, place)
            rng = np.random.default_rng([self.seed, number])
            copies = wanted[sample.label] if self.recipe.tda else 0
            seen = [crop, *(varied(crop, rng) for _ in range(copies))]
            pictures[number] = [self.maker.picture(one) for one in seen]
            tick()
        texts = self.maker.texts([told[number] for number in range(len(found.samples))])
        views = tuple(
            tuple(Features(one, text, printed.get(sample.picture, ())) for one in pictures[number])
            for number, (sample, text) in enumerate(zip(found.samples, texts, strict=True))
        )
        of_types = self.maker.texts([told_of_types.get(name, "") for name in classes])
        return Crops(
            views=views,
            labels=tuple(classes.index(sample.label) for sample in found.samples),
            classes=classes,
            told=tuple(
                (Features(None, text), label) for label, text in enumerate(of_types) if text is not None
            ),
        )

    def _opened(
        self, samples: Sequence[tuple[int, Sample]]
    ) -> Iterator[tuple[int, Sample, Pixels, Pixels | None]]:
        """Each sample with its picture and good part, which those of one picture share."""
        for _, same in groupby(samples, key=lambda one: (one[1].picture, one[1].good)):
            of_picture = list(same)
            picture = self._pixels(of_picture[0][1].picture)
            good = self._good(of_picture[0][1], picture)
            yield from ((number, sample, picture, good) for number, sample in of_picture)

    def _pixels(self, path: Path) -> Pixels:
        return self.images.pixels(self.images.open(path))

    def _good(self, sample: Sample, picture: Pixels) -> Pixels | None:
        """The good part as an inspection would compare it; None where none is, or none of the same view."""
        from tools.errors import ViewMismatch
        from tools.experts.pair import PairExpert

        if sample.good is None:
            return None
        try:
            return PairExpert().fit([self._pixels(sample.good)]).read(picture).aligned_reference
        except ViewMismatch:
            return None

    def _printed(self, samples: Sequence[Sample]) -> dict[Path, tuple[Reading, ...]]:
        """Numbers printed on each picture; on none, where a few tried bear none."""
        paths = sorted({sample.picture for sample in samples})
        step = max(1, len(paths) // _PROBED)
        found = {path: self.maker.readings(self._pixels(path)) for path in paths[::step][:_PROBED]}
        if not any(found.values()):
            return {}
        return {path: found.get(path) or self.maker.readings(self._pixels(path)) for path in paths}
