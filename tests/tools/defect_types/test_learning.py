"""Learning types, using them without torch, and the file between the two."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tools.defect_types.made import CLASSES, PICTURE, SMALL, card, crops, features, plan
from tools.defect_types.calibrating import temperature_of, unknown_limit
from tools.defect_types.card import CARD_NAME, TYPES_NAME
from tools.defect_types.features import Features
from tools.defect_types.files import read_types, write_types
from tools.defect_types.predict import TypeModel
from tools.defect_types.recipe import Recipe
from tools.defect_types.training import (
    Crops,
    Inputs,
    TypeLearner,
    held_out_logits,
    held_out_of,
    learn_types,
)
from tools.errors import ExpertUnavailable, LearningError


def learnt(made: Crops, recipe: Recipe = SMALL, **changes: object) -> tuple[TypeModel, TypeLearner, Inputs]:
    inputs = Inputs.of(made)
    learner = TypeLearner(made, inputs, recipe, 3)
    *_, last = learn_types(learner, plan())
    weights = {name: tensor.numpy() for name, tensor in last.memory.best.items()}
    seen = inputs.table([views[0] for views in made.views])
    limit = unknown_limit(seen, np.array(made.labels))
    told = card(made, inputs.usual, recipe, **{"unknown": limit, **changes})
    return TypeModel(told, weights, inputs.scales, seen), learner, inputs


KINDS = [
    {},
    {"text": False},
    {"number": False},
    {"picture": False, "number": False},
    {"text": False, "number": False},
]


@pytest.mark.parametrize("kinds", KINDS, ids=str)
def test_types_are_told_by_whatever_is_known(kinds: dict[str, bool]) -> None:
    model, _, _ = learnt(crops(**kinds))
    for label, name in enumerate(CLASSES):
        chances = model.chances(features(label, 999, **kinds))
        assert chances.ranked[0][0] == name
        assert chances.ranked[0][1] > 0.5
        assert sum(likely for _, likely in chances.ranked) + chances.unknown == pytest.approx(1)


@pytest.mark.parametrize("cmaf", [True, False])
def test_without_torch_it_comes_to_the_same(cmaf: bool) -> None:
    model, learner, inputs = learnt(crops(), SMALL.model_copy(update={"cmaf": cmaf}))
    learner.module.eval()
    known = [{}, {"text": False}, {"number": False, "text": False}, {"picture": False, "text": False}]
    table = inputs.table([features(label, 50, **kinds) for label in range(3) for kinds in known])
    values = {name: torch.from_numpy(table.values[name]) for name in learner.module.modalities}
    there = torch.from_numpy(np.stack([table.known[n] for n in learner.module.modalities], axis=1))
    with torch.no_grad():
        expected = learner.module.logits(learner.module.tokens(values), there).numpy()
    np.testing.assert_allclose(model.logits(table), expected, atol=1e-5)


def test_what_is_not_known_does_not_count() -> None:
    """A modality that is masked leaves no trace: values under the mask change nothing."""
    model, _, inputs = learnt(crops())
    table = inputs.table([features(1, 60, text=False)])
    before = model.logits(table)
    table.values["text"][:] = 77.0
    np.testing.assert_array_equal(model.logits(table), before)
    with pytest.raises(ValueError, match="nothing is known"):
        model.chances(Features(None))
    with pytest.raises(ValueError, match="have shape"):
        model.chances(Features(np.zeros(PICTURE + 1, np.float32)))


def test_a_text_of_a_type_teaches_it_without_a_picture() -> None:
    """Two types of one crop each that look alike: what is told of the types parts their texts further."""
    made = crops(1, number=False)
    told = tuple((features(label, 500, picture=False, number=False), label) for label in range(3))
    with_texts = Crops(made.views, made.labels, made.classes, told)
    learner = TypeLearner(with_texts, Inputs.of(with_texts), SMALL, 3)
    assert len(learner.labels) == 6
    assert sorted(set(learner.examples())) == [0, 1, 2, 3, 4, 5]
    pictures_only = Crops(crops(1, number=False, text=False).views, made.labels, made.classes, told)
    assert len(TypeLearner(pictures_only, Inputs.of(pictures_only), SMALL, 3).labels) == 3


def test_every_type_is_drawn_as_often_as_the_largest() -> None:
    made = crops(20)
    chosen = [*range(20), 20, *range(40, 45)]
    learner = TypeLearner(made.only(chosen), Inputs.of(made), SMALL, 0)
    drawn = np.bincount(learner.labels[learner.examples()])
    assert drawn.tolist() == [20, 20, 20]


def test_a_strange_crop_is_of_an_unknown_type() -> None:
    model, _, _ = learnt(crops(6))
    strange = Features(
        np.where(np.arange(PICTURE) % 2, 9.0, -9.0).astype(np.float32), -np.ones(12, np.float32), ()
    )
    assert model.chances(strange).unknown > 0.9
    usual = [model.chances(features(label, 300 + n)).unknown for label in range(3) for n in range(10)]
    assert np.mean(np.array(usual) < 0.5) > 0.8


def test_with_too_few_crops_nothing_is_called_unknown_and_none_is_held_out() -> None:
    made = crops(1)
    assert unknown_limit(Inputs.of(made).table([v[0] for v in made.views]), np.array(made.labels)) is None
    logits, of = held_out_logits(made, SMALL, plan(epochs=1))
    assert logits.shape == (0, 3)
    assert of == []
    assert temperature_of(logits, np.array([], np.intp)) == pytest.approx(1.28, abs=0.05)
    with pytest.raises(LearningError, match="leave --patience out"):
        held_out_of(crops(2), plan())


def test_crops_are_held_out_each_once() -> None:
    made = crops(4)
    logits, of = held_out_logits(made, SMALL, plan())
    assert sorted(of) == list(range(12))
    assert (logits.argmax(axis=1) == np.array(made.labels)[of]).mean() > 0.8
    held = held_out_of(made, plan())
    assert len(held) == 3
    assert {made.labels[at] for at in held} == {0, 1, 2}


def test_confident_mistakes_raise_the_temperature() -> None:
    labels = np.arange(40) % 3
    right = 9.0 * np.eye(3)[labels]
    wrong = right.copy()
    wrong[:12] = np.roll(wrong[:12], 1, axis=1)
    assert temperature_of(wrong, labels) > 3
    assert temperature_of(right, labels) < 1.3
    assert temperature_of(right / 9, labels) < 0.6, "right, and not confident"


def test_a_file_gives_the_same_back_and_tells_of_itself(tmp_path: Path) -> None:
    model, _, inputs = learnt(crops())
    path = tmp_path / "kept" / TYPES_NAME
    write_types(path, model.card, model._weights, inputs.scales, model._seen)
    again = read_types(path)
    assert again.card == model.card
    assert again.chances(features(2, 70)) == model.chances(features(2, 70))
    told = json.loads((path.parent / CARD_NAME).read_text())
    assert told["classes"] == list(CLASSES)
    assert "not public" in told["reconstruction"]


def test_files_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path) -> None:
    model, _, inputs = learnt(crops())
    path = tmp_path / TYPES_NAME

    def refused(match: str) -> None:
        with pytest.raises(ExpertUnavailable, match=match) as raised:
            read_types(path)
        assert "\n" not in str(raised.value)

    refused("agent train types")
    path.write_bytes(b"")
    refused("learn again")
    path.write_bytes(b"x" * 1000)
    refused("learn again")
    weights = dict(model._weights)
    write_types(
        path,
        model.card,
        {**weights, "hidden.weight": weights["hidden.weight"][:, :3]},
        inputs.scales,
        model._seen,
    )
    refused("learn again")
    write_types(
        path,
        model.card,
        {**weights, "hidden.bias": weights["hidden.bias"] * np.nan},
        inputs.scales,
        model._seen,
    )
    refused("NaN")
    del weights["classes.weight"]
    write_types(path, model.card, weights, inputs.scales, model._seen)
    refused("classes.weight")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused("learn again")


def test_types_are_used_without_torch(tmp_path: Path) -> None:
    model, _, inputs = learnt(crops())
    path = tmp_path / TYPES_NAME
    write_types(path, model.card, model._weights, inputs.scales, model._seen)
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from tools.defect_types.files import read_types\n"
        "from tools.defect_types.features import Features\n"
        f"model = read_types(Path({str(path)!r}))\n"
        f"print(model.chances(Features(np.ones({PICTURE}, np.float32))).ranked[0][0])\n"
        "assert 'torch' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() in CLASSES
