"""What AnomalyGPT learns from, what of it learns, and what it comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tools.anomalygpt.conftest import parameters_of, pixels_of
from tests.tools.anomalygpt.speaking import CORNERS, Made
from tests.tools.anomalygpt.tiny import RECIPE, learnt
from tools.anomalygpt.answers import QUESTION, read_answer
from tools.anomalygpt.language import Language
from tools.anomalygpt.learnt import Learnt
from tools.anomalygpt.lessons import Lesson, lessons_of, read_instructions, told_cells
from tools.anomalygpt.opening import open_model
from tools.anomalygpt.settings import Recipe
from tools.anomalygpt.training import PUBLISHED, AnomalyGptLearner
from tools.clip.model import Clip
from tools.errors import LearningError
from tools.image import ImageStore
from tools.learning.memory import read_memory, write_memory
from tools.marked.example import Example
from tools.marked.layouts import find_examples
from tools.types import Box


def lessons_in(plates: Path) -> tuple[Lesson, ...]:
    return lessons_of(find_examples(plates).examples, ImageStore())


def small_recipe(clip: Clip) -> Recipe:
    return Recipe.published(clip.shape).model_copy(update=RECIPE)


def learner_of(clip: Clip, lm: Path, **more: Any) -> AnomalyGptLearner:
    language = Language.open(str(lm))
    module = Learnt.drawn(small_recipe(clip), clip.shape, language.width, 1)
    return AnomalyGptLearner(clip, language, module, ImageStore(), **more)


def test_it_learns_as_published() -> None:
    assert (PUBLISHED.epochs, PUBLISHED.batch_size, PUBLISHED.learning_rate) == (50, 16, 1e-3)
    assert (PUBLISHED.betas, PUBLISHED.weight_decay, PUBLISHED.warmup) == ((0.9, 0.95), 1e-3, 0.1)


def test_a_model_that_learnt_says_whether_and_where(speaking: Made) -> None:
    """Each plate is answered for rightly, by words alone and beside a good plate."""
    model = open_model(speaking.folder, device="cpu")
    beside = [pixels_of(speaking.good[0])]
    for corner, path in zip(CORNERS, speaking.bad, strict=True):
        for normals in ([], beside):
            answer = read_answer(model.answer(pixels_of(path), normals=normals))
            assert (answer.word, answer.cells) == ("yes", (corner,))
    for path in speaking.good[1:]:
        for normals in ([], beside):
            assert read_answer(model.answer(pixels_of(path), normals=normals)).word == "no"


def test_the_map_rises_where_the_plate_is_damaged(speaking: Made) -> None:
    model = open_model(speaking.folder, device="cpu")
    for number, path in enumerate(speaking.bad):
        found = model.look(pixels_of(path))
        third = found.map_values.shape[0] // 3
        corner = np.zeros(found.map_values.shape, bool)
        corner[
            slice(-third, None) if number >> 1 else slice(third),
            slice(-third, None) if number & 1 else slice(third),
        ] = True
        assert found.path == "zero-shot"
        assert found.map_values[corner].mean() > 3 * found.map_values[~corner].mean()


def test_clip_and_the_language_model_stay_as_they_are(clip: Clip, lm: Path, plates: Path) -> None:
    learner = learner_of(clip, lm)
    learnable = parameters_of(learner.module)
    frozen = {
        name: parameters_of(module) for name, module in (("clip", clip), ("lm", learner._language._model))
    }
    lessons = lessons_in(plates)
    optimizer = torch.optim.Adam(learner.module.parameters(), lr=1e-2)
    sum(learner._of_marked(lessons, np.random.default_rng(0)).values()).backward()  # type: ignore[union-attr]
    assert {name for name, one in learner.module.named_parameters() if one.grad is None} == set()
    optimizer.step()
    for name, module in (("clip", clip), ("lm", learner._language._model)):
        assert all(not one.requires_grad and one.grad is None for one in module.parameters())
        assert all(torch.equal(now, frozen[name][key]) for key, now in parameters_of(module).items())
    changed = parameters_of(learner.module)
    assert all(not torch.equal(changed[name], before) for name, before in learnable.items())


def test_the_same_seed_comes_to_the_same_and_another_to_another(clip: Clip, lm: Path, plates: Path) -> None:
    one, again, other = (learnt(clip, lm, plates, epochs=2, seed=seed)[-1].memory.now for seed in (1, 1, 2))
    assert all(torch.equal(tensor, again[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_learning_that_was_stopped_comes_to_the_same(
    clip: Clip, lm: Path, plates: Path, tmp_path: Path
) -> None:
    asked = [Lesson(plates / "good" / "0.png", "Is it a plate?", "Yes.")]
    plan = {"schedule": "cosine", "warmup": 0.1, "instructions": asked, "batch_size": 3}
    whole = learnt(clip, lm, plates, epochs=4, **plan)
    assert {name for epoch in whole for name in epoch.record.losses} == {
        "answers",
        "focal",
        "dice",
        "instructions",
    }
    write_memory(tmp_path / "half.safetensors", whole[1].memory, "card")
    begin, _ = read_memory(tmp_path / "half.safetensors")
    resumed = learnt(clip, lm, plates, epochs=4, begin=begin, **plan)
    assert [epoch.number for epoch in resumed] == [3, 4]
    assert resumed[-1].memory.records == whole[-1].memory.records
    for name, tensor in whole[-1].memory.now.items():
        assert torch.equal(tensor, resumed[-1].memory.now[name])


def test_what_is_remembered_of_pictures_changes_nothing(clip: Clip, lm: Path, plates: Path) -> None:
    lessons = lessons_in(plates)
    by_memory = []
    for remembered_bytes in (0, 2**30):
        learner = learner_of(clip, lm, remembered_bytes=remembered_bytes)
        rng = np.random.default_rng(0)
        losses = [learner._of_marked(lessons, rng) for _ in range(2)]
        by_memory.append([float(one.detach()) for step in losses for one in step.values()])
    assert by_memory[0] == by_memory[1]


@pytest.mark.parametrize("batch_size", [8, 3])
def test_every_second_step_is_of_instructions(clip: Clip, lm: Path, plates: Path, batch_size: int) -> None:
    """Also where an epoch is one step."""
    asked = [Lesson(plates / "good" / "0.png", "Is it a plate?", "Yes.")]
    epochs = learnt(clip, lm, plates, epochs=2, batch_size=batch_size, instructions=asked)
    names = [set(epoch.record.losses) for epoch in epochs]
    marked = {"answers", "focal", "dice"}
    assert names == ([marked, {"instructions"}] if batch_size == 8 else [marked | {"instructions"}] * 2)


def test_half_precision_and_held_out_pictures(clip: Clip, lm: Path, plates: Path) -> None:
    from tools.anomalygpt.training import learn_anomalygpt
    from tools.learning.loop import Examples
    from tools.learning.plan import Plan

    lessons = lessons_in(plates)
    plan = Plan(epochs=3, batch_size=4, learning_rate=3e-3, device="cpu", precision="bf16")
    examples = Examples(lessons[:3] + lessons[4:7], (lessons[3], lessons[7]))
    recipe = small_recipe(clip)
    epochs = list(learn_anomalygpt(clip, Language.open(str(lm)), examples, ImageStore(), plan, recipe=recipe))
    scores = [epoch.record.score for epoch in epochs]
    assert all(score is not None and score < 0 for score in scores)
    assert epochs[-1].record.losses["focal"] < epochs[0].record.losses["focal"]


def test_a_rate_too_high_ends_in_one_line(clip: Clip, lm: Path, plates: Path) -> None:
    with pytest.raises(LearningError, match="lower rate"):
        learnt(clip, lm, plates, epochs=4, learning_rate=1e30)


def test_lessons_ask_what_is_published_and_know_the_cells(plates: Path) -> None:
    lessons = {f"{lesson.picture.parent.name}/{lesson.picture.name}": lesson for lesson in lessons_in(plates)}
    assert {lesson.question for lesson in lessons.values()} == {QUESTION}
    assert lessons["good/2.png"].answer == "No, there is no anomaly in the image."
    told = [lessons[f"bad/{number}.png"].answer for number in range(4)]
    assert told == [
        f"Yes, there is an anomaly in the image, at the {corner} of the image." for corner in CORNERS
    ]


def test_specks_beside_the_damage_are_not_told_of() -> None:
    damage, second, speck = (0, 0, 40, 40), (60, 60, 80, 90), (90, 0, 93, 3)
    boxes = [Box(x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1 in (damage, second, speck)]
    assert told_cells(boxes, 100, 100) == ["top left", "bottom right"]
    assert told_cells([boxes[0], boxes[2]], 100, 100) == ["top left"]
    assert told_cells([], 100, 100) == []


def test_good_parts_beside_are_other_ones_of_the_same_product() -> None:
    """Good pictures too hear the map beside good parts: else such a map alone would tell of damage."""
    rng = np.random.default_rng(0)
    home = Path("/data")
    good = [
        Example(home / product / "test" / "good" / f"{n}.png") for product in ("nut", "pin") for n in range(3)
    ]
    alone = Example(home / "cap" / "test" / "good" / "0.png")
    lessons = lessons_of([*good, alone], ImageStore())
    for lesson in lessons[:-1]:
        drawn = {lesson.beside(rng) for _ in range(40)}
        assert drawn == {one for one in {*lesson.goods} if one != lesson.picture}
        assert {one.parents[2].name for one in drawn if one} == {lesson.picture.parents[2].name}
        assert len(drawn) == 2
    assert lessons[-1].beside(rng) is None


def test_a_damaged_picture_finds_the_good_parts_of_its_product(plates: Path) -> None:
    rng = np.random.default_rng(0)
    lesson = next(one for one in lessons_in(plates) if one.picture.parent.name == "bad")
    assert {lesson.beside(rng) for _ in range(60)} == {plates / "good" / f"{n}.png" for n in range(4)}


def test_instructions_lie_beside_their_pictures(plates: Path, tmp_path: Path) -> None:
    asked = plates / "asked.jsonl"
    told = {"picture": "good/1.png", "question": "What is it?", "answer": "A plate."}
    asked.write_text(f"{json.dumps(told)}\n\n")
    assert read_instructions(asked) == (Lesson((plates / "good/1.png").resolve(), "What is it?", "A plate."),)
    asked.write_bytes(b"\xff\xfe")
    with pytest.raises(LearningError, match="no text in UTF-8"):
        read_instructions(asked)
    for picture in ("../good/1.png", "/etc/hostname", "good/9.png", "good/\0.png", "x" * 5000):
        asked.write_text(json.dumps({**told, "picture": picture}))
        with pytest.raises(LearningError, match="line 1") as refused:
            read_instructions(asked)
        assert "\n" not in str(refused.value)
    asked.unlink()
    with pytest.raises(LearningError, match="check the path"):
        read_instructions(asked)
