"""Pools of crops with their types for `benchmarks/defect_types.py`: boards, textiles, drawn dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.boards import boards
from benchmarks.drawn_dies import TYPES, drawn_die
from benchmarks.pictures import read
from graphs.findings.crop_features import FeatureMaker, told_of
from graphs.findings.learnt import documented
from knowledge_base.load import load_documents
from tools.defect_types.crops import Crop, cut, place_of
from tools.defect_types.features import Features
from tools.defect_types.numbers import Reading
from tools.defect_types.views import varied

TUNED: Final = 3
"""Of eight boards so many are there to tune on; figures are taken on the others."""

_LOOKED_AT: Final = 200
"""Textiles of each kind that are there to tune on and to look at; figures are taken on others."""

_TEXTILES: Final = 100
_DIES: Final = 24


@dataclass
class Pool:
    """Crops with all that is known of them; varied copies are made as they are asked for.

    `told` are texts that documents know of the types, by type.
    """

    name: str
    classes: tuple[str, ...]
    crops: list[Crop]
    labels: npt.NDArray[np.intp]
    texts: list[npt.NDArray[np.float32] | None]
    readings: list[tuple[Reading, ...]]
    told: list[npt.NDArray[np.float32] | None]
    maker: FeatureMaker
    _seen: dict[tuple[int, int], npt.NDArray[np.float32]] = field(default_factory=dict)

    def features(self, number: int, copy: int = 0) -> Features:
        """Of a crop (copy 0), or of one of its varied copies."""
        key = (number, copy)
        if key not in self._seen:
            crop = self.crops[number]
            shown = varied(crop, np.random.default_rng(key)) if copy else crop
            self._seen[key] = self.maker.picture(shown)
        return Features(self._seen[key], self.texts[number], self.readings[number])

    def beside_good(self, number: int) -> Features:
        """The picture of a crop, and how it differs from the same place of the good part; nothing else.

        Raises:
            ValueError: no good part is known.
        """
        crop = self.crops[number]
        if crop.good is None:
            raise ValueError(f"{self.name} have no good parts")
        key = (number, -1)
        if key not in self._seen:
            self._seen[key] = self.maker.picture(Crop(crop.good, crop.inside))
        own = self.features(number).picture
        return Features(np.concatenate([own, own - self._seen[key]]))


def pools(wanted: tuple[str, ...], data: Path | None, maker: FeatureMaker, *, tuning: bool) -> Iterator[Pool]:
    """The pools, to tune on or to report."""
    if "boards" in wanted and data is not None:
        yield _boards(data, maker, tuning=tuning)
    if "textiles" in wanted:
        yield _textiles(maker, tuning=tuning)
    if "dies" in wanted:
        yield _dies(maker, tuning=tuning)


def _boards(data: Path, maker: FeatureMaker, *, tuning: bool) -> Pool:
    crops, labels, told = [], [], []
    for number, board in enumerate(boards(data)):
        if (number % 8 < TUNED) != tuning:
            continue
        for box, kind in board.defects:
            crops.append(cut(board.tested, box, board.good))
            labels.append(kind)
            told.append(told_of(board.tested, board.good, place_of(board.tested, box, board.good)))
    classes = tuple(sorted(set(labels)))
    product = next(one for one in load_documents().products if one.id == "bare_pcb")
    # The data set's short names of two types, as the documents write them.
    names = {"copper": "excess copper"}
    entries = [documented(names.get(name, name), product.defects) for name in classes]
    texts = [f"{entry.name}. {entry.look}" if entry else "" for entry in entries]
    return _pool("boards", classes, crops, labels, told, None, texts, maker)


def _textiles(maker: FeatureMaker, *, tuning: bool) -> Pool:
    import conformal_clip_data as data  # type: ignore[import-untyped]

    folders = {"good": data.nominal_dir(), "local": data.local_dir(), "global": data.global_dir()}
    crops, labels = [], []
    for kind, folder in folders.items():
        start = 0 if tuning else _LOOKED_AT
        for path in sorted(Path(folder).glob("*.jpg"))[start : start + _TEXTILES]:
            crops.append(cut(read(path), None))
            labels.append(kind)
    told = [told_of(crop.pixels, None, None) for crop in crops]
    return _pool("textiles", tuple(folders), crops, labels, told, None, [""] * 3, maker)


def _dies(maker: FeatureMaker, *, tuning: bool) -> Pool:
    start = 10_000 if tuning else 0
    labels = [kind for kind in TYPES for _ in range(_DIES)]
    crops = [cut(drawn_die(kind, start + seed), None) for kind in TYPES for seed in range(_DIES)]
    told = [told_of(crop.pixels, None, None) for crop in crops]
    return _pool("dies", TYPES, crops, labels, told, maker.readings, [""] * len(TYPES), maker)


def _pool(
    name: str,
    classes: tuple[str, ...],
    crops: list[Crop],
    labels: list[str],
    told: list[str],
    printed: Callable[[npt.NDArray[np.uint8]], tuple[Reading, ...]] | None,
    known: list[str],
    maker: FeatureMaker,
) -> Pool:
    return Pool(
        name=name,
        classes=classes,
        crops=crops,
        labels=np.array([classes.index(label) for label in labels]),
        texts=maker.texts(told),
        readings=[printed(crop.pixels) if printed else () for crop in crops],
        told=maker.texts(known),
        maker=maker,
    )
