"""Ways to look at one part: whoever asks, a model within an inspection or a person who talks about one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from graphs.language.catalog import Language
from graphs.prompts.texts import PROMPTS, one_line, quoted
from knowledge_base.search import KnowledgeBase
from tools.image import ImageStore
from tools.print import read_lines
from tools.types import Box, ImageRef, Pixels
from tools.vlm.base import ImagePart
from tools.zoom import crop_box, side_by_side

MOST_PASSAGES: Final = 3
_MOST_LINES: Final = 12


@dataclass(frozen=True)
class Part:
    """The part that is looked at.

    `query` and `reference` are the pictures as they are compared, of one size where the good part is aligned;
    `others` are good images beside that one. `knowledge` is None where nothing is to be looked up.
    """

    query: Pixels
    reference: Pixels | None
    images: ImageStore
    knowledge: Callable[[], KnowledgeBase] | None = None
    product: str | None = None
    others: tuple[ImageRef, ...] = ()
    language: Language = "en"

    def say(self, name: str, **values: object) -> str:
        """A sentence in its language."""
        return PROMPTS.say(self.language, name, **values)


@dataclass(frozen=True)
class Seen:
    """What a look gives: words, pictures, the place it is about, and a line for the report."""

    text: str
    detail: str = ""
    pictures: tuple[ImagePart, ...] = ()
    box: Box | None = None


def enlarge(part: Part, box: Box, *, beside: bool) -> Seen:
    """A place of the query, `beside` the good part if there is one.

    Args:
        part: what is looked at.
        box: in pixels of the query.
        beside: whether the good part is shown as well.

    Raises:
        ValueError: the box does not lie in the query.
    """
    height, width = part.query.shape[:2]
    reference = part.reference if beside else None
    picture = side_by_side(part.query, reference, crop_box(box, width, height))
    told = "shown.zoom"
    if beside:
        told = "shown.compare" if reference is not None else "shown.no_reference"
    label = f"{'compare' if beside else 'zoom'} {box.xyxy}"
    return Seen(part.say(told), "", (ImagePart(picture, label),), box)


def search(part: Part, query: str) -> Seen:
    """What documents say.

    Raises:
        KnowledgeError: they cannot be searched.
    """
    if part.knowledge is None:
        return Seen(part.say("shown.no_knowledge"), query)
    passages = part.knowledge().search(query, product=part.product, limit=MOST_PASSAGES)
    if not passages:
        return Seen(part.say("shown.no_knowledge"), query)
    told = (f"[{passage.id}] {quoted(passage.text)}" for passage in passages)
    found = ", ".join(passage.id for passage in passages)
    return Seen("\n".join((part.say("shown.knowledge"), *told)), f"{query}: {found}")


def read(part: Part, box: Box | None) -> Seen:
    """What is printed in a box in pixels of the query, or anywhere.

    Raises:
        PrintReaderUnavailable: the reader cannot be loaded.
    """
    lines = read_lines(part.query, box)[:_MOST_LINES]
    if not lines:
        return Seen(part.say("shown.no_lines"), box=box)
    told = (f"- {one_line(line.text)} ({line.confidence:.2f})" for line in lines)
    printed = " / ".join(line.text for line in lines)
    return Seen("\n".join((part.say("shown.lines"), *told)), printed, box=box)
