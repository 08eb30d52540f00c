"""Good images by what an embedding sees in them, filtered by product and by which way they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from knowledge_base.templates.bounds import Rows
from knowledge_base.templates.embedding import (
    QUARTERS,
    Embedder,
    Image,
    Shape,
    Vectors,
    shape_of,
    turned_shape,
)
from knowledge_base.templates.nearest import NearestRows

TemplateChoice: TypeAlias = Literal["similar", "random", "none"]

_ROUNDING: Final = 1e-6

SHAPES: Final[tuple[Shape, ...]] = get_args(Shape)


@dataclass(frozen=True)
class Template:
    """A good image and its cosine similarity to the query, -1..1.

    `turn_deg` is how far the query was turned to the left to be seen like this image: 0, 90, 180 or 270. Turn
    the image as far to the right to lay it on the query. `product` is None in a folder of one product.
    """

    path: Path
    similarity: float
    turn_deg: int = 0
    product: str | None = None


@dataclass(frozen=True)
class Choice:
    """Good images for a query, best first, and what a reader must know of how they were found."""

    templates: tuple[Template, ...]
    note: str = ""


class Templates(Protocol):
    """Good images from which those for a query are chosen."""

    def choose(self, image: Image, limit: int = 1, how: TemplateChoice = "similar") -> Choice:
        """Good images for a query.

        Args:
            image: the query, RGB, shape (height, width, 3), uint8.
            limit: most templates to return.
            how: the most similar ones; random ones, always the same for the same query; or none.

        Raises:
            KnowledgeError: there are none to choose from.
        """


@dataclass(frozen=True)
class Hit:
    """A row of the index."""

    row: int
    similarity: float
    turn_deg: int


class Index:
    """Rows of vectors with what they may be filtered by. Never changes; safe to use from several threads.

    Args:
        search: finds rows by their vectors.
        rows: numbers of the rows that count, ascending.
        products: number of the product of each of these.
        shapes: position in `SHAPES` of each of these.
    """

    def __init__(
        self,
        search: NearestRows,
        rows: Rows,
        products: npt.NDArray[np.int32],
        shapes: npt.NDArray[np.int8],
    ) -> None:
        self.search, self.rows = search, rows
        self._products, self._shapes = products, shapes
        self._found: dict[tuple[int | None, Shape | None], Rows] = {}

    def rows_of(self, product: int | None, shape: Shape | None = None) -> Rows:
        """Rows of a product that lie this way, ascending; None: of any."""
        known = self._found.get((product, shape))
        if known is None:
            counts = np.ones(len(self.rows), np.bool_)
            if product is not None:
                counts &= self._products == product
            if shape is not None:
                counts &= self._shapes == SHAPES.index(shape)
            known = self._found[product, shape] = self.rows[counts]
        return known

    def nearest(
        self, views: Vectors, shape: Shape, limit: int, product: int | None = None
    ) -> tuple[list[Hit], str]:
        """The rows most like a query, at the turn that suits it, and a note where no row lies its way.

        The query is taken as turned only if that explains most of what sets it apart: its distance 1 - cos to
        the nearest row must fall to half or less.

        Args:
            views: the query at each quarter turn, shape (4, d).
            shape: which way the unturned query lies.
            limit: most rows to return.
            product: its number; None: any.
        """
        allowed = [self.rows_of(product, turned_shape(shape, quarter)) for quarter in range(QUARTERS)]
        note = ""
        if not any(map(len, allowed)) and len(self.rows_of(product)):
            allowed = [self.rows_of(product)] * QUARTERS
            note = f"no good image lies as this {shape} one does"
        found, quarter = self.search.nearest(views[0], max(limit, 1), allowed[0]), 0
        least = 1 - _half_way(found)
        for turn in range(1, QUARTERS):
            best = self.search.nearest(views[turn], 1, allowed[turn], above=1 - least)
            if best and 1 - best[0][1] < least - _ROUNDING:
                quarter, least = turn, 1 - best[0][1]
        if quarter:
            found = self.search.nearest(views[quarter], limit, allowed[quarter])
        hits = [Hit(row, similarity, 90 * quarter) for row, similarity in found[: max(0, limit)]]
        return hits, note

    def random(
        self, image: Image, shape: Shape, limit: int, product: int | None, views: Vectors
    ) -> tuple[list[Hit], str]:
        """Rows drawn by the query's content, so that the same query always gets the same."""
        rows, note = self.rows_of(product, shape), ""
        if not len(rows):
            rows, note = self.rows_of(product), f"no good image lies as this {shape} one does"
        digest = hashlib.sha256(np.ascontiguousarray(image).data).digest()
        drawn = np.random.default_rng(list(digest)).permutation(rows)[: max(0, limit)]
        similarities = self.search.vectors[drawn] @ views[0]
        return [Hit(int(row), float(s), 0) for row, s in zip(drawn, similarities, strict=True)], note

    def choose(
        self, embedder: Embedder, image: Image, limit: int, how: TemplateChoice, product: int | None = None
    ) -> tuple[list[Hit], str]:
        """Rows for a query, and a note; see `Templates.choose`."""
        if how == "none" or limit < 1:
            return [], ""
        shape = shape_of(image.shape[1], image.shape[0])
        views = embedder.views(image)
        if how == "random":
            return self.random(image, shape, limit, product, views)
        return self.nearest(views, shape, limit, product)


def _half_way(found: Sequence[tuple[int, float]]) -> float:
    """Cosine at half the distance of the nearest row; as low as can be if there is none."""
    return (1 + found[0][1]) / 2 if found else -1.0
