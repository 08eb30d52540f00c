"""What can be wrong with a data set, in words that a table can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from tools.types import Value

Kind: TypeAlias = Literal[
    "entry unusable",
    "key repeated",
    "path leaves the folder",
    "unknown type",
    "answer without option",
    "question unusable",
    "template unusable",
    "mask unusable",
    "key and image_path differ",
    "image missing",
    "image unreadable",
    "template missing",
    "template unreadable",
    "mask missing",
    "mask unreadable",
    "mask of another size",
    "mask marks nothing",
    "image repeated",
    "template is the query",
    "answer against label",
    "shows another product",
]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

CONSEQUENCES: Final[Mapping[Kind, str]] = {
    "entry unusable": "the image is left out",
    "key repeated": "the last one counts",
    "path leaves the folder": "what it names is left out",
    "unknown type": "the question is left out",
    "answer without option": "the question is left out",
    "question unusable": "the question is left out",
    "template unusable": "the template is left out",
    "mask unusable": "the mask is left out",
    "key and image_path differ": "the key counts",
    "image missing": "its questions cannot be answered",
    "image unreadable": "its questions cannot be answered",
    "template missing": "questions shown with it cannot be answered",
    "template unreadable": "questions shown with it cannot be answered",
    "mask missing": "no ground truth for this image",
    "mask unreadable": "no ground truth for this image",
    "mask of another size": "the mask is stretched where its shape allows",
    "mask marks nothing": "no ground truth for this image",
    "image repeated": "it counts more than once",
    "template is the query": "comparing finds nothing",
    "answer against label": "the folder's name and the answer cannot both be right",
    "shows another product": "scores are given with and without it",
}
"""What follows from a finding."""


class Finding(Value):
    """One thing that is wrong. `image` is the image's key, `number` that of a question; None: the image."""

    kind: Kind
    image: str
    number: int | None = None
    detail: str
