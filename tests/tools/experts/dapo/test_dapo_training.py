"""Learning on drawn plates: the losses fall, types are told apart, and stopping changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.tools.clip.small_clip import SIDE_PX, draw_part
from tests.tools.experts.dapo.drawn import TYPES, Learnt, damaged, plan
from tools.clip.model import Clip
from tools.errors import LearningError
from tools.experts.dapo.lessons import Lessons, lessons_of
from tools.experts.dapo.opening import open_model
from tools.experts.dapo.training import learn_dapo
from tools.image import ImageStore
from tools.learning.memory import read_memory, write_memory
from tools.marked.layouts import Example, find_examples


@pytest.fixture(scope="module")
def lessons(typed_folder: Path) -> Lessons:
    return lessons_of(find_examples(typed_folder).examples)


def test_the_losses_fall_and_clip_stays(learnt: Learnt, clip: Clip) -> None:
    first, last = learnt.epochs[0].record.losses, learnt.epochs[-1].record.losses
    assert set(first) == {"image", "pixels"}
    assert last["pixels"] < 0.4 * first["pixels"]
    assert last["image"] < 0.2 * first["image"]
    assert not any(parameter.requires_grad for parameter in clip.parameters())


def test_defects_of_parts_never_seen_are_found_and_their_types_told(learnt: Learnt) -> None:
    model = open_model(learnt.weights, learnt.prompts, device="cpu")
    assert model.types == TYPES
    seeds = range(500, 510)
    good = [look.damaged for look in model.look([draw_part(seed) for seed in seeds])]
    bad, gaps, right = [], [], []
    for number, kind in enumerate(TYPES):
        for seed in seeds:
            picture, marked = damaged(seed, kind)
            look = model.look([picture])[0]
            inside = cv2.resize(marked.astype(np.uint8), (SIDE_PX, SIDE_PX), interpolation=0) > 0
            bad.append(look.damaged)
            gaps.append(look.map_values[inside].mean() - look.map_values[~inside].mean())
            right.append(look.type_maps[:, inside].mean(axis=1).argmax() == number)
    assert max(good) < 0.5
    assert np.mean(np.array(bad) > 0.5) >= 0.9
    assert min(gaps) > 0
    assert np.mean(gaps) > 0.3
    assert np.mean(right) >= 0.9


def test_types_never_learnt_can_be_asked_for(learnt: Learnt) -> None:
    model = open_model(learnt.weights, learnt.prompts, device="cpu", types=["rust", "dent", "burr"])
    look = model.look([damaged(500, "stain")[0]])[0]
    assert look.types == ("rust", "dent", "burr")
    assert look.type_maps.shape[0] == 3
    known = open_model(learnt.weights, learnt.prompts, device="cpu").look([damaged(500, "stain")[0]])[0]
    # Where the part is damaged rests on the words that all types share, more than on the names.
    assert np.corrcoef(look.map_values.ravel(), known.map_values.ravel())[0, 1] > 0.8


def test_equal_seeds_give_equal_prompts_and_others_do_not(clip: Clip, lessons: Lessons) -> None:
    def once(**changes: Any) -> Any:
        return list(learn_dapo(clip, lessons, ImageStore(), plan(epochs=1, **changes)))[-1]

    one, other = once(), once()
    assert one.record == other.record
    for name, tensor in one.memory.now.items():
        assert torch.equal(tensor, other.memory.now[name])
    assert once(seed=7).record != one.record


def test_stopped_and_resumed_is_as_if_never_stopped(clip: Clip, lessons: Lessons, tmp_path: Path) -> None:
    whole = list(learn_dapo(clip, lessons, ImageStore(), plan(epochs=4)))[-1]
    half = list(learn_dapo(clip, lessons, ImageStore(), plan(epochs=2)))[-1]
    write_memory(tmp_path / "half.safetensors", half.memory, "card")
    begin, _ = read_memory(tmp_path / "half.safetensors")
    resumed = list(learn_dapo(clip, lessons, ImageStore(), plan(epochs=4), begin=begin))
    assert [epoch.number for epoch in resumed] == [3, 4]
    assert resumed[-1].memory.records == whole.memory.records
    for name, tensor in whole.memory.now.items():
        assert torch.equal(tensor, resumed[-1].memory.now[name])


def test_pictures_held_out_judge_each_epoch_and_end_learning(clip: Clip, typed_folder: Path) -> None:
    lessons = lessons_of(find_examples(typed_folder).examples, validation=0.2, seed=1)
    assert len(lessons.held_out) == 3
    assert {example.kind for example in lessons.held_out} == {None, *TYPES}
    assert not set(lessons.held_out) & set(lessons.learnt)
    epochs = list(learn_dapo(clip, lessons, ImageStore(), plan(epochs=30, patience=1, learning_rate=0.05)))
    scores = [epoch.record.score for epoch in epochs]
    assert len(epochs) < 30
    assert scores[-1] < max(scores)
    assert epochs[-1].memory.best_epoch == 1 + scores.index(max(scores))


def test_half_precision_learns_nearly_the_same_and_what_is_learnt_stays_whole(
    clip: Clip, lessons: Lessons
) -> None:
    (whole,) = learn_dapo(clip, lessons, ImageStore(), plan(epochs=1))
    (half,) = learn_dapo(clip, lessons, ImageStore(), plan(epochs=1, precision="bf16"))
    assert half.record.losses != whole.record.losses
    assert half.record.losses["pixels"] == pytest.approx(whole.record.losses["pixels"], rel=0.1)
    assert {tensor.dtype for tensor in half.memory.now.values()} == {torch.float32}


def test_damage_of_no_known_type_is_learnt_as_damaged(marked_folder: Path, clip: Clip) -> None:
    lessons = lessons_of(find_examples(marked_folder).examples)
    assert lessons.types == ("damaged",)
    assert lessons.counts == {"damaged": 6}
    (epoch,) = learn_dapo(clip, lessons, ImageStore(), plan(epochs=1))
    assert epoch.record.losses["pixels"] > 0


def test_types_can_be_renamed_and_joined(typed_folder: Path) -> None:
    examples = find_examples(typed_folder).examples
    joined = lessons_of(examples, renamed={"scratch": "mark", "stain": "mark"})
    assert joined.counts == {"mark": 12}
    with pytest.raises(LearningError, match="no type 'dent' to rename; the data have: scratch, stain"):
        lessons_of(examples, renamed={"dent": "mark"})
    with pytest.raises(LearningError, match="printable"):
        lessons_of(examples, renamed={"scratch": "\x1b[31m"})


def test_folders_that_are_no_types_are_refused() -> None:
    good = Example(Path("good.png"))
    many = [Example(Path(f"{at}.png"), Path("mask.png"), f"lot {at}") for at in range(101)]
    with pytest.raises(LearningError, match="1 to 100 different types are needed, got 101"):
        lessons_of([good, *many])


def test_a_rate_too_high_ends_in_one_line(clip: Clip, lessons: Lessons) -> None:
    few = replace(lessons, learnt=lessons.learnt[:4])
    with pytest.raises(LearningError, match="lower rate"):
        list(learn_dapo(clip, few, ImageStore(), plan(epochs=3, learning_rate=1e30)))
