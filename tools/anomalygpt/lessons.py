"""Marked pictures as questions and answers, and instructions on other pictures."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import Field, ValidationError

from tools.anomalygpt.answers import QUESTION, say_answer
from tools.errors import LearningError
from tools.geometry import cell_of_box
from tools.image import ImageStore
from tools.marked.example import Example
from tools.masks import Inside, Mask
from tools.types import Box, Cell, Value

if TYPE_CHECKING:
    from tools.simulation.types import Simulated

_MOST_BYTES: Final = 64 * 2**20

_SPECK: Final = 0.1
"""Of the area of the largest piece: smaller ones are splinters of masks, no anomalies of their own."""


@dataclass(frozen=True)
class Lesson:
    """A picture, what is asked, and what is to be answered.

    `goods` are good parts of the same product, this one among them where it is good. `example` is None for
    an instruction, of which nothing but the answer is known. `drawn` is shown in place of the picture.
    """

    picture: Path
    question: str
    answer: str
    example: Example | None = None
    goods: tuple[Path, ...] = ()
    drawn: Simulated | None = None

    def beside(self, rng: np.random.Generator) -> Path | None:
        """Another good part of the product, drawn; None where there is none."""
        drawn = [self.goods[int(at)] for at in rng.permutation(len(self.goods))[:2]]
        return next((one for one in drawn if one != self.picture), None)


class _Instruction(Value):
    picture: str = Field(min_length=1, max_length=4096)
    question: str = Field(min_length=1, max_length=4000)
    answer: str = Field(min_length=1, max_length=4000)


def lessons_of(examples: Sequence[Example], images: ImageStore) -> tuple[Lesson, ...]:
    """A question and its answer for each marked picture; the places are those of the mask's largest pieces.

    Good parts of a picture's product are those whose folder lies nearest to its own.

    Raises:
        ImageError: a mask cannot be read.
    """
    good: dict[Path, list[Path]] = defaultdict(list)
    for example in examples:
        if example.mask is None:
            good[example.picture.parent].append(example.picture)
    nearest = {folder: _nearest(folder, good) for folder in {example.picture.parent for example in examples}}
    return tuple(
        Lesson(
            picture=example.picture,
            question=QUESTION,
            answer=_answer(example, images),
            example=example,
            goods=nearest[example.picture.parent],
        )
        for example in examples
    )


def read_instructions(path: Path) -> tuple[Lesson, ...]:
    """Instructions from a file of JSON lines: {"picture": ..., "question": ..., "answer": ...}.

    Pictures lie beside the file, or below.

    Raises:
        LearningError: the file cannot be read, or a line of it is none.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise LearningError(f"{path} has over {_MOST_BYTES >> 20} MiB; give fewer instructions")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LearningError(f"cannot read {path} ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise LearningError(f"{path} is no text in UTF-8; give JSON lines") from error
    root = path.parent.resolve()
    return tuple(
        _instruction(f"{path}, line {number}", line, root)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )


def inside_of(example: Example, images: ImageStore) -> Inside | None:
    """Where a picture is marked, shape (height, width); None for a good part."""
    if example.mask is None:
        return None
    return Mask.of_picture(images.pixels(images.open(example.mask))).inside


def _answer(example: Example, images: ImageStore) -> str:
    inside = inside_of(example, images)
    if inside is None:
        return say_answer(())
    height, width = inside.shape
    return say_answer(told_cells(Mask(inside).boxes, width, height))


def told_cells(boxes: Sequence[Box], width: int, height: int) -> list[Cell]:
    """The cells that an answer tells of, for boxes of damage, the largest first; not of specks beside it."""
    largest = max((box.area_px for box in boxes), default=0)
    return [cell_of_box(box, width, height) for box in boxes if box.area_px >= _SPECK * largest]


def _nearest(folder: Path, good: Mapping[Path, Sequence[Path]]) -> tuple[Path, ...]:
    """Good pictures of the same product: of the folders that share the longest way with this one."""
    shared = {home: len(Path(os.path.commonpath((home, folder))).parts) for home in good}
    most = max(shared.values(), default=0)
    return tuple(one for home, pictures in good.items() if shared[home] == most for one in pictures)


def _instruction(where: str, line: str, root: Path) -> Lesson:
    try:
        told = _Instruction.model_validate(json.loads(line))
    except (ValueError, ValidationError, RecursionError) as error:
        raise LearningError(
            f'{where} is no instruction; write {{"picture": ..., "question": ..., "answer": ...}}'
        ) from error
    picture = _beside(root, told.picture)
    if picture is None:
        raise LearningError(f"{where}: there is no picture {told.picture[:120]!a} beside the file or below")
    return Lesson(picture, told.question, told.answer)


def _beside(root: Path, name: str) -> Path | None:
    """The file of this name in a folder or below; None where there is none."""
    try:
        path = (root / name).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, null bytes, links in a circle
        return None
