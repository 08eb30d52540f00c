"""Layout, shapes and numbers of DAPO's model on a small random CLIP."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.tools.clip.small_clip import SIDE_PX, draw_clip, draw_part, small_shape
from tools.clip.model import Clip
from tools.clip.pictures import normalised
from tools.clip.tokenizer import END, START, tokens_of
from tools.errors import ExpertUnavailable
from tools.experts.dapo.model import DapoModel, compare
from tools.experts.dapo.prompts import Prompts
from tools.experts.dapo.settings import CARRIED, Recipe
from tools.experts.dapo.towers import tuned
from tools.learning.map_losses import dice_loss, focal_loss, pixel_loss

TYPES = ("scratch", "bent wire", "hole")


@pytest.fixture(scope="module")
def prompts(clip: Clip) -> Prompts:
    return Prompts.drawn(clip, Recipe.published(clip.shape), 42)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.stack([normalised(draw_part(seed), SIDE_PX) for seed in range(count)])


def test_the_recipe_scales_to_the_blocks_of_a_clip() -> None:
    assert Recipe.published(small_shape(vision_layers=24)).layers == (6, 12, 18, 24)
    assert Recipe.published(small_shape(vision_layers=4)).layers == (1, 2, 3, 4)
    assert Recipe.published(small_shape(vision_layers=6)).layers == (2, 3, 4, 6)
    assert Recipe.published(small_shape(vision_layers=2)).layers == (1, 2)
    assert Recipe.published(small_shape(patch_px=14, grid=24)).side_px == 518
    with pytest.raises(ValueError, match="layers must lie"):
        Recipe(64, (5,)).check(small_shape())
    with pytest.raises(ValueError, match="sets must lie"):
        Recipe(64, (4,), sets=10**9).check(small_shape())


def test_each_part_has_its_shape(prompts: Prompts) -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in prompts.named_parameters()}
    assert shapes == {
        "good": (10, 5, 64),
        "damaged": (10, 5, 64),
        "text_deep": (4, 4, 64),
        "vision_deep": (4, 4, 128),
        **{f"adapters.{at}.weight": (32, 128) for at in range(4)},
        **{f"adapters.{at}.bias": (32,) for at in range(4)},
    }


def test_texts_are_the_means_over_the_sets_of_start_words_anchor_end(clip: Clip, prompts: Prompts) -> None:
    """Each text built by hand, alone, without padding."""
    texts = prompts.texts(clip, TYPES)
    assert texts.shape == (4, 32)
    torch.testing.assert_close(texts.norm(dim=-1), torch.ones(4))
    for row, (learnt, anchor) in enumerate(
        [(prompts.good, "flawless object"), *((prompts.damaged, f"{name} anomaly object") for name in TYPES)]
    ):
        found = []
        for words in learnt:
            ids = torch.tensor([START, *tokens_of(anchor), END])
            embedded = clip.token_embedding(ids)
            tokens = torch.cat([embedded[:1], words, embedded[1:]])[None]
            tokens = tokens + clip.positional_embedding[: tokens.shape[1]]
            *_, tokens = tuned(clip.transformer.blocks, tokens, prompts.text_deep, causal=True)
            found.append((clip.ln_final(tokens) @ clip.text_projection)[0, -1])
        expected = functional.normalize(torch.stack(found).mean(dim=0), dim=-1)
        torch.testing.assert_close(texts[row], expected, rtol=1e-4, atol=1e-5)


def test_deep_tokens_are_mixed_with_what_became_of_those_before(clip: Clip, prompts: Prompts) -> None:
    """Progressive tuning by hand: alpha of the earlier output, the rest of the block's own tokens."""
    blocks = clip.visual.transformer.blocks
    tokens = clip.visual.embedded(pictures(1))
    slots = prompts.vision_deep[0][None]
    plain = tokens
    for number, (block, found) in enumerate(
        zip(blocks, tuned(blocks, tokens, prompts.vision_deep, causal=False), strict=True)
    ):
        if number:
            slots = CARRIED * slots + (1 - CARRIED) * prompts.vision_deep[number]
        whole = block(torch.cat([plain[:, :1], slots, plain[:, 1:]], dim=1))
        slots = whole[:, 1:5]
        plain = torch.cat([whole[:, :1], whole[:, 5:]], dim=1)
        torch.testing.assert_close(found, plain)
        assert found.shape == tokens.shape


def test_a_later_type_changes_nothing_for_the_others(clip: Clip, prompts: Prompts) -> None:
    both = prompts.texts(clip, TYPES)
    torch.testing.assert_close(prompts.texts(clip, TYPES[:1]), both[:2], rtol=1e-4, atol=1e-5)


def test_probabilities_of_all_texts_sum_to_one_at_each_patch(clip: Clip, prompts: Prompts) -> None:
    compared = compare(clip, prompts, pictures(), prompts.texts(clip, TYPES))
    assert compared.logits.shape == (2, 2)
    assert compared.maps.shape == (4, 2, 1 + len(TYPES), 8, 8)
    torch.testing.assert_close(compared.maps.sum(dim=2), torch.ones(4, 2, 8, 8))


def test_the_gradient_reaches_all_that_learns_and_nothing_else(clip: Clip) -> None:
    prompts = Prompts.drawn(clip, Recipe.published(clip.shape), 1)
    compared = compare(clip, prompts, pictures(), prompts.texts(clip, TYPES))
    labels = torch.randint(0, 4, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    loss = compared.logits[:, 0].sum() + sum(pixel_loss(layer, labels) for layer in compared.maps)
    loss.backward()
    for name, parameter in prompts.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name
    assert all(parameter.grad is None for parameter in clip.parameters())


def test_a_look_is_in_the_square_that_clip_sees(clip: Clip, prompts: Prompts) -> None:
    model = DapoModel(clip, prompts, TYPES)
    looks = model.look([draw_part(1), draw_part(2, side_px=40)[:30]])
    for look in looks:
        assert look.types == TYPES
        assert look.type_maps.shape == (3, SIDE_PX, SIDE_PX)
        assert look.map_values.shape == (SIDE_PX, SIDE_PX)
        np.testing.assert_allclose(look.map_values, look.type_maps.sum(axis=0), rtol=1e-6)
        assert 0 <= look.map_values.min() <= look.map_values.max() <= 1 + 1e-5
        assert 0 < look.damaged < 1
    alone = model.look([draw_part(1)])[0]
    assert alone.damaged == pytest.approx(looks[0].damaged, abs=1e-5)
    np.testing.assert_allclose(alone.type_maps, looks[0].type_maps, atol=1e-5)


def test_equal_seeds_draw_equal_prompts_and_leave_the_others_draws_alone(clip: Clip) -> None:
    recipe = Recipe.published(clip.shape)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    one = Prompts.drawn(clip, recipe, 5)
    assert torch.equal(torch.rand(4), expected)
    other, third = Prompts.drawn(clip, recipe, 5), Prompts.drawn(clip, recipe, 6)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
        assert not torch.equal(tensor, third.state_dict()[name])
    limit = (6 / (3 * 64 + 128)) ** 0.5
    assert 0.9 * limit < float(one.vision_deep.detach().abs().max()) <= limit


def test_a_clip_of_another_vocabulary_and_names_too_long_are_refused(clip: Clip, prompts: Prompts) -> None:
    foreign = draw_clip(small_shape(vocabulary=1000))
    with pytest.raises(ExpertUnavailable, match="49408 tokens"):
        Prompts.drawn(foreign, Recipe.published(foreign.shape), 1)
    with pytest.raises(ExpertUnavailable, match="too long for CLIP"):
        prompts.texts(clip, ["hole", "scratch " * 80])


def test_the_loss_of_a_map_is_focal_of_types_and_dice_of_good_and_damaged() -> None:
    generator = torch.Generator().manual_seed(2)
    chances = torch.rand((2, 4, 6, 6), generator=generator).softmax(dim=1)
    labels = torch.randint(0, 4, (2, 6, 6), generator=generator)
    marked = (labels > 0).float()
    right = chances.gather(1, labels[:, None])[:, 0]
    focal = (-((1 - right) ** 2) * right.log()).mean()
    dice = dice_loss(1 - chances[:, 0], marked) + dice_loss(chances[:, 0], 1 - marked)
    torch.testing.assert_close(pixel_loss(chances, labels), focal + dice, rtol=1e-3, atol=1e-4)


def test_the_wrong_type_costs_though_the_place_is_right() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    labels[0, :2] = 2
    right = functional.one_hot(labels, 3).movedim(-1, 1).float() * 0.94 + 0.02
    wrong = right[:, [0, 2, 1]]
    assert float(pixel_loss(wrong, labels)) > float(pixel_loss(right, labels)) + 1
    assert float(focal_loss(right, labels)) < 0.01
