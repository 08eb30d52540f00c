"""A map becomes soft tokens: as many as published, each of its own part of the map."""

from __future__ import annotations

import pytest
import torch

from tests.tools.anomalygpt.tiny import RECIPE
from tests.tools.clip.small_clip import small_shape
from tools.anomalygpt.prompt_learner import PromptLearner
from tools.anomalygpt.settings import Recipe


def test_published_sizes_give_eighteen_tokens() -> None:
    recipe = Recipe.published(small_shape(vision_layers=32, patch_px=14, grid=16))
    assert (recipe.side_px, recipe.map_px, recipe.heard_px, recipe.tokens) == (224, 224, 7, 18)
    assert recipe.layers == (8, 16, 24, 32)
    with torch.device("meta"):  # of Vicuna-7B's width
        learner = PromptLearner(recipe, 4096)
        assert learner(torch.empty(2, 224, 224)).shape == (2, 18, 4096)
    assert learner.speak.weight.shape == (4096, 1024, 5, 5)
    ways = ((1, 4), (4, 16), (16, 64), (64, 256), (256, 1024))
    convolutions = sum(9 * before * after + after for before, after in ways)
    in_all = convolutions + 25 * 1024 * 4096 + 4096 + 9 * 4096
    assert sum(parameter.numel() for parameter in learner.parameters()) == in_all


@pytest.mark.parametrize(
    ("blocks", "layers"),
    [(24, (6, 12, 18, 24)), (12, (3, 6, 9, 12)), (4, (1, 2, 3, 4)), (2, (1, 2)), (1, (1,))],
)
def test_blocks_are_read_in_proportion(blocks: int, layers: tuple[int, ...]) -> None:
    recipe = Recipe.published(small_shape(vision_layers=blocks))
    assert recipe.layers == layers
    recipe.check(small_shape(vision_layers=blocks))


@pytest.mark.parametrize(("row", "column", "token"), [(0, 0, 0), (0, -1, 2), (-1, 0, 6), (-1, -1, 8)])
def test_a_corner_of_the_map_speaks_through_the_token_of_its_place(row: int, column: int, token: int) -> None:
    torch.manual_seed(0)
    recipe = Recipe.published(small_shape()).model_copy(update=RECIPE)
    learner = PromptLearner(recipe, 16)
    dark = torch.zeros(1, recipe.map_px, recipe.map_px)
    lit = dark.clone()
    lit[0, row, column] = 1
    changed = (learner(lit) - learner(dark))[0].abs().amax(dim=-1) > 0
    assert changed.nonzero().flatten().tolist() == [token]


def test_base_tokens_come_last_and_hear_nothing() -> None:
    recipe = Recipe.published(small_shape()).model_copy(update=RECIPE)
    learner = PromptLearner(recipe, 16)
    heard = learner(torch.rand(2, recipe.map_px, recipe.map_px))
    assert heard.shape == (2, 9 + RECIPE["base_tokens"], 16)
    assert torch.equal(heard[0, 9:], learner.base)
    assert torch.equal(heard[1, 9:], learner.base)
    assert not torch.equal(heard[0, :9], heard[1, :9])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": (1, 9)}, "layers must lie in 1..4"),
        ({"layers": (2, 1)}, "layers must rise"),
        ({"side_px": 60}, "multiple of 8"),
        ({"map_px": 20}, "too small: 3 halvings leave 2 px"),
    ],
)
def test_sizes_that_cannot_be_are_refused(changes: dict[str, object], said: str) -> None:
    shape = small_shape()
    with pytest.raises(ValueError, match=said):
        Recipe.published(shape).model_copy(update={**RECIPE, **changes}).check(shape)
