"""Which query images show another product than their category's templates.

A defect moves an image a little away from its own good images; another product lies elsewhere altogether. So
distances (1 - cosine of descriptors of the whole image) are judged against how far the category's own
templates lie apart, and no image is suspected that is merely odd. MMAD's published
`DS-MVTec/pill/image/good/000` to `021` once showed metal nuts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from evals.mmad.tally import shows_good_part
from evals.types import Case

Vector: TypeAlias = npt.NDArray[np.float32]
"""Descriptor of a whole image, shape (dimensions,), of any length but 0."""

Describe: TypeAlias = Callable[[Path], Vector | None]
"""The descriptor of a picture; None where it cannot be opened."""

NEARER_TIMES: Final = 3.0
"""So many times as near to another category as to its own is suspect. With board designs as categories, and
the board itself left out of its own, 2 gave a false suspect among 76 and 3 none; of seven unlike products
shown under each other's names the median was 24."""
FARTHER_TIMES: Final = 5.0
"""A good image so many times as far from its templates as any of these from its fellows is suspect, whatever
it may show. The farthest sound one seen, a nearly empty noisy image, had 4; other products 7 to 100."""
FAR: Final = 0.03
"""Nearer than this nothing is another product, however alike the templates are."""
TEMPLATES_COMPARED: Final = 48
"""Templates of a category that are described, evenly chosen; a suspect is held against all of its own too."""
_ENOUGH_TEMPLATES: Final = 8
"""With fewer, a category's own templates do not tell what is usual in it."""


@dataclass(frozen=True)
class Suspect:
    """An image that does not show its product; `looks_like` is the category that it resembles, if any."""

    image: str
    looks_like: str | None
    own_distance: float
    other_distance: float | None

    @property
    def why(self) -> str:
        """One line for a reader."""
        own = f"distance {self.own_distance:.3f} to its own templates"
        if self.looks_like is None or self.other_distance is None:
            return f"unlike its templates: {own}, far beyond theirs among each other"
        return f"looks like {self.looks_like}: {own}, {self.other_distance:.3f} to those"


def chosen_templates(cases: Iterable[Case]) -> dict[str, tuple[Path, ...]]:
    """Templates by `dataset/category`, at most `TEMPLATES_COMPARED` of each."""
    listed: dict[str, set[Path]] = defaultdict(set)
    for case in cases:
        listed[_category(case)].update(case.random_templates, case.similar_templates)
    return {category: _evenly(sorted(paths)) for category, paths in listed.items() if paths}


def strangers(cases: Sequence[Case], describe: Describe) -> list[Suspect]:
    """Queries that show another product than their templates.

    Suspect is what is nearer to another category's templates than to its own by `NEARER_TIMES`, and what is
    good by its name and `FARTHER_TIMES` as far off as templates are from each other; never what lies within
    the spread of its own templates. Categories of one name in several data sets are one product. A category
    without templates is not judged.
    """
    described = {
        category: vectors
        for category, paths in chosen_templates(cases).items()
        if (vectors := _described(paths, describe)) is not None
    }
    spread = {category: _spread(vectors) for category, vectors in described.items()}
    found = []
    for case in cases:
        category = _category(case)
        query = _described([case.path], describe) if category in described else None
        if query is None:
            continue
        suspect = _judged(case, query, described, described[category], spread[category])
        if suspect is not None:  # it may be one of many kinds, and its own kind not among those chosen
            every = _described({*case.random_templates, *case.similar_templates}, describe)
            near = described[category] if every is None else np.vstack([described[category], every])
            suspect = _judged(case, query, described, near, spread[category])
        if suspect is not None:
            found.append(suspect)
    return found


def _judged(
    case: Case, query: Vector, described: Mapping[str, Vector], near: Vector, spread: float
) -> Suspect | None:
    own = _distance(query, near)
    if own < FAR or own <= spread:
        return None
    others = {
        category: _distance(query, vectors)
        for category, vectors in described.items()
        if category.rpartition("/")[2] != case.category
    }
    looks_like = min(others, key=others.__getitem__, default=None)
    if looks_like is not None and others[looks_like] * NEARER_TIMES < own:
        return Suspect(case.image, looks_like, own, others[looks_like])
    known = shows_good_part(case.image) and len(near) >= _ENOUGH_TEMPLATES
    lone = known and own > FARTHER_TIMES * spread
    return Suspect(case.image, None, own, None) if lone else None


def _category(case: Case) -> str:
    return f"{case.dataset}/{case.category}"


def _evenly(paths: list[Path]) -> tuple[Path, ...]:
    at = np.linspace(0, len(paths) - 1, min(len(paths), TEMPLATES_COMPARED)).round().astype(int)
    return tuple(paths[index] for index in at)


def _described(paths: Iterable[Path], describe: Describe) -> Vector | None:
    """Unit vectors, shape (pictures that can be opened, dimensions); None if there are none."""
    rows = [vector / np.linalg.norm(vector) for path in paths if (vector := describe(path)) is not None]
    return np.stack(rows) if rows else None


def _distance(query: Vector, vectors: Vector) -> float:
    return float(1 - (vectors @ query[0]).max())


def _spread(vectors: Vector) -> float:
    """The farthest that a template lies from its nearest fellow; 0 for a single one."""
    if len(vectors) < 2:
        return 0.0
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    return float(1 - alike.max(axis=1).min())
