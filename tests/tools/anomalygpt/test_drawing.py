"""Defects that are drawn into good pictures while AnomalyGPT learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.tools.anomalygpt.tiny import RECIPE, write_lm, write_marked
from tests.tools.clip.fixtures import clip, one_thread
from tools.anomalygpt.answers import NORMAL_ANSWER, read_answer
from tools.anomalygpt.drawing import Drawing
from tools.anomalygpt.lessons import Lesson, lessons_of
from tools.errors import LearningError
from tools.image import ImageStore
from tools.marked.example import Example

__all__ = ["clip", "one_thread"]


@pytest.fixture
def lessons(tmp_path: Path) -> tuple[Lesson, ...]:
    """Of four good plates, each with a print of its own."""
    folder = write_marked(tmp_path, side_px=128) / "good"
    pictures = sorted(folder.iterdir())
    for number, picture in enumerate(pictures):
        drawn = np.array(Image.open(picture))
        drawn[20 + 8 * number : 60 + 8 * number, 30:90] = (40, 60 + 40 * number, 200)
        Image.fromarray(drawn).save(picture)
    return lessons_of([Example(picture) for picture in pictures], ImageStore())


def test_half_of_good_pictures_get_a_defect_that_the_answer_tells_of(lessons: tuple[Lesson, ...]) -> None:
    drawing, rng = Drawing(ImageStore(), "cutpaste"), np.random.default_rng(0)
    shown = [drawing(lessons[at % 4], rng) for at in range(80)]
    damaged = [lesson for lesson in shown if lesson.drawn is not None]
    assert 25 <= len(damaged) <= 55
    assert all(lesson.answer == NORMAL_ANSWER for lesson in shown if lesson.drawn is None)
    for lesson in damaged:
        assert lesson.drawn is not None
        told = read_answer(lesson.answer)
        assert told.word == "yes"
        height, width = lesson.drawn.mask.shape
        largest = lesson.drawn.boxes[0]
        row = ("top", "", "bottom")[int((largest.y0 + largest.y1) / 2 / height * 3)]
        column = ("left", "", "right")[int((largest.x0 + largest.x1) / 2 / width * 3)]
        assert told.cells[0] == (f"{row} {column}".strip() or "center")


def test_equal_draws_are_equal_and_later_ones_differ(lessons: tuple[Lesson, ...]) -> None:
    def drawn(seed: int) -> list[np.ndarray]:
        drawing, rng = Drawing(ImageStore()), np.random.default_rng(seed)
        shown = (drawing(lesson, rng).drawn for lesson in lessons * 4)
        return [one.pixels for one in shown if one is not None]

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert len(first) > 2
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0], first[1])


def test_what_is_drawn_is_held_against_other_pictures_than_its_patch_is_of(
    lessons: tuple[Lesson, ...],
) -> None:
    def beside(lesson: Lesson) -> set[int]:
        drawing, rng = Drawing(ImageStore()), np.random.default_rng(0)
        shown = (drawing(lesson, rng) for _ in range(6))
        return {len(one.goods) for one in shown if one.drawn is not None}

    assert beside(lessons[0]) == {3}
    two = lessons[0].goods[:2]
    # Of two pictures there is no third: damaged ones hear the map beside a good part as good ones do.
    assert beside(replace(lessons[0], goods=two)) == {2}


def test_damaged_pictures_and_instructions_stay_as_they_are(lessons: tuple[Lesson, ...]) -> None:
    drawing, rng = Drawing(ImageStore()), np.random.default_rng(0)
    instruction = replace(lessons[0], example=None)
    damaged = replace(lessons[0], example=Example(lessons[0].picture, lessons[0].picture))
    assert all(drawing(lesson, rng) is lesson for lesson in [instruction, damaged] * 20)


def test_pictures_that_allow_no_defect_end_learning_in_a_line(tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (96, 96), (128, 128, 128)).save(plain)
    (lesson,) = lessons_of([Example(plain)], ImageStore())
    drawing, rng = Drawing(ImageStore(), "geometric"), np.random.default_rng(0)
    with pytest.raises(LearningError, match="no defect could be drawn into 20 good pictures") as caught:
        [drawing(lesson, rng) for _ in range(200)]
    assert "\n" not in str(caught.value)


def test_learning_that_stopped_draws_what_it_would_have_drawn(
    clip: Any, lessons: tuple[Lesson, ...], tmp_path: Path
) -> None:
    from tools.anomalygpt.language import Language
    from tools.anomalygpt.settings import Recipe
    from tools.anomalygpt.training import learn_anomalygpt
    from tools.learning.loop import EpochDone, Examples
    from tools.learning.plan import Plan

    language = Language.open(str(write_lm(tmp_path / "lm")))

    def learnt(begin: Any = None) -> list[EpochDone]:
        images = ImageStore()
        return list(
            learn_anomalygpt(
                clip,
                language,
                Examples(lessons[:3], lessons[3:]),
                images,
                Plan(epochs=3, batch_size=2, learning_rate=1e-3, device="cpu", seed=3),
                recipe=Recipe.published(clip.shape).model_copy(update=RECIPE),
                drawing=Drawing(images),
                begin=begin,
            )
        )

    whole = learnt()
    after = learnt(whole[0].memory)
    assert [done.number for done in after] == [2, 3]
    assert [done.record for done in after] == [done.record for done in whole[1:]]
    assert whole[0].record.losses != whole[1].record.losses
