"""What a model is told and shown under MMAD's published protocol, word for word and in its order; pure.

The sentences are the protocol and stand as in the public runners (https://github.com/jam-cc/MMAD,
`evaluation/examples`), their slips of grammar and their blanks included. There are two dialects:

    qwen2.5-vl   `Transformers/qwen2_5_vl_query.py`, of the published Qwen2.5-VL rows; the default
    internvl     `Transformers/internvl_query.py`, of the ablations: expert, chain of thought, history

The Qwen2.5-VL runner knows neither expert nor chain of thought nor history. Under its dialect the first two
are said in the InternVL runner's words at the InternVL runner's places, and later turns hold the question
alone, as in the same repository's `qwen_query.py`. The InternVL runner says everything again in each turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from evals.types import Question
from tools.types import Notation, Pixels
from tools.vlm.base import ImagePart, Message, TextPart

Dialect: TypeAlias = Literal["qwen2.5-vl", "internvl"]
"""Whose words are used."""

INSTRUCTION = (
    "\nYou are an industrial inspector who checks products by images. You should judge whether there is a "
    "defect in the query image and answer the questions about it.\n"
    "Answer with the option's letter from the given choices directly.\n"
)

THINK = (
    "Before answering the following questions, we need to understand the query image. \n"
    "First, identify the objects in the template image and imagine the possible types of defects. \n"
    "Second, simply describe the differences between the query image with the template sample. \n"
    "Third, if exist, judge whether those differences are defect or normal. \n"
    "Output a simple thoughts in 100 words. Notice that slight movement of objects or changes in image "
    "quality fall within the normal range.\n"
)
"""The turn before the questions, under chain of thought."""

CAVEATS: Mapping[Notation, str] = {
    "bbox": (
        "Following is the reference image where some suspicious areas are marked by red bounding boxes. "
        "Please note that even if the query image does not have any defects, the red boxes still highlight "
        "some areas. Therefore, you still need to make a judgement by yourself. "
    ),
    "contour": (
        "Following is the reference image where some suspicious areas are marked by red contour. "
        "Please note that even if the query image does not have any defects, the image still highlight "
        "some areas. Therefore, you still need to make a judgement by yourself. "
    ),
    "highlight": (
        "Following is the reference image where some suspicious areas are highlight. "
        "Please note that even if the query image does not have any defects, the image still highlight "
        "some areas. Therefore, you still need to make a judgement by yourself. "
    ),
    "mask": (
        "Following is the mask of some suspicious areas. But you still need to make a judgement by yourself. "
    ),
    "heatmap": (
        "Following is the heatmap of some suspicious areas. "
        "But you still need to make a judgement by yourself. "
    ),
}
"""What is said before the expert's picture. The published runner has no sentence for a heatmap, and does not
show the one that it draws: that sentence is made after the mask's."""

_KNOWLEDGE = (
    "Following is the domain knowledge which contains some type of defect and the normal object "
    "characteristics: \n "
)
_QUERY = "Following is the query image: "
_Pieces: TypeAlias = Iterator[str | ImagePart]


@dataclass(frozen=True)
class Shown:
    """What a model is shown of a case: the query, good templates, knowledge, and the expert's picture."""

    query: Pixels
    templates: tuple[Pixels, ...] = ()
    knowledge: str | None = None
    marked: Pixels | None = None
    notation: Notation = "bbox"


@dataclass(frozen=True)
class Turn:
    """An earlier question, or the call for thoughts, as it was put, and the reply to it."""

    asked: str
    reply: str


def question_text(question: Question, dialect: Dialect = "qwen2.5-vl") -> str:
    """A question with its options, a line each, under the letters that the data set gives them."""
    options = "".join(f"{letter}. {option}\n" for letter, option in question.asked.options.items())
    number = f"Question {question.number}: " if dialect == "internvl" else ""
    return f"{number}{question.asked.text} \n{options}"


def messages(
    shown: Shown, asked: str, *, turns: Sequence[Turn] = (), dialect: Dialect = "qwen2.5-vl"
) -> list[Message]:
    """The conversation that ends with a question, or with `THINK`.

    Pictures stand in the first turn alone, and everything before its question is the same for all questions
    of a case. There is no system turn: the model's own chat template may add its default.
    """
    whole: list[Message] = []
    for place, put in enumerate([*(turn.asked for turn in turns), asked]):
        pieces = _qwen(shown, put, place) if dialect == "qwen2.5-vl" else _internvl(shown, put, place)
        parts = tuple(TextPart(piece) if isinstance(piece, str) else piece for piece in pieces)
        whole.append(Message("user", parts))
        if place < len(turns):
            whole.append(Message("assistant", (TextPart(turns[place].reply),)))
    return whole


def _qwen(shown: Shown, asked: str, place: int) -> _Pieces:
    """A turn of the Qwen2.5-VL runner, text parts apart as it hands them over.

    Its chat template names the pictures when told `add_vision_id`; said as text it is the same prompt, on
    any endpoint.
    """
    if place == 0:
        yield INSTRUCTION
        yield "Answer with the option's letter from the given choices directly! "
        if shown.knowledge:
            yield f"{_KNOWLEDGE}{shown.knowledge}"
        if shown.templates:
            yield _templates(len(shown.templates))
        for number, template in enumerate(shown.templates, start=1):
            yield f"Picture {number}: "
            yield ImagePart(template, f"template {number}")
        yield _QUERY
        yield f"Picture {len(shown.templates) + 1}: "
        yield ImagePart(shown.query, "query")
        if shown.marked is not None:
            yield CAVEATS[shown.notation]
            yield f"Picture {len(shown.templates) + 2}: "
            yield ImagePart(shown.marked, shown.notation)
        yield "Following is the question list: "
    yield asked


def _internvl(shown: Shown, asked: str, place: int) -> _Pieces:
    """A turn of the InternVL runner, which says everything again in each.

    There a later turn holds the picture marks as plain letters, since the pictures are used up by the first;
    servers take such marks for missing pictures, so that they are left out.
    """
    text = ""
    for piece in _internvl_pieces(shown, asked):
        if isinstance(piece, str):
            text += piece
        elif place == 0:
            yield text
            yield piece
            text = ""
    yield text


def _internvl_pieces(shown: Shown, asked: str) -> _Pieces:
    yield INSTRUCTION
    if shown.knowledge:
        yield f"{_KNOWLEDGE}{shown.knowledge}"
    if shown.templates:
        yield _templates(len(shown.templates))
    for number, template in enumerate(shown.templates, start=1):
        yield "\n "
        yield ImagePart(template, f"template {number}")
        yield "\n"
    yield f"\n{_QUERY}\n"
    yield ImagePart(shown.query, "query")
    yield " "
    if shown.marked is not None:
        yield CAVEATS[shown.notation]
        yield ImagePart(shown.marked, shown.notation)
    yield (
        "\nFollowing is the question list. "
        "Answer with the option's letter from the given choices directly: \n"
    )
    yield f"{asked}\n"


def _templates(count: int) -> str:
    return (
        f"Following is/are {count} image of normal sample, which can be used as a template to compare the "
        "image being queried."
    )
