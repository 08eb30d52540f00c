"""AnomalyCLIP and DAPO at the size of the papers' CLIP, ViT-L/14@336, with random weights (`make test-slow`).

Vision: 24 blocks, 1024 wide; text: 12 blocks, 768 wide; both project to 768. Pictures of 518 px are 37x37
patches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.tools.clip.small_clip import draw_clip, draw_part

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PATCHES = 37 * 37
STATES = ("bent", "broken", "crack", "faulty imprint", "hole", "scratch")


@pytest.fixture(scope="module")
def clip() -> Any:
    from tools.clip.model import ClipShape

    return draw_clip(
        ClipShape(
            embed_width=768,
            patch_px=14,
            grid=24,
            vision_width=1024,
            vision_layers=24,
            vision_heads=16,
            vision_hidden=4096,
            text_width=768,
            text_layers=12,
            text_heads=12,
            text_hidden=3072,
            vocabulary=49408,
            context=77,
            quick_gelu=True,
        )
    )


@contextmanager
def inputs(tower: Any) -> Iterator[list[Any]]:
    """What each block of a tower is given meanwhile, in order."""
    seen: list[Any] = []

    def keep(_: Any, given: tuple[Any, ...]) -> None:
        seen.append(given[0].detach())

    hooks = [block.ln_1.register_forward_pre_hook(keep) for block in tower.blocks]
    yield seen
    for hook in hooks:
        hook.remove()


def count(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_clip_has_as_many_parameters_as_the_published_one(clip: Any) -> None:
    # A block of width w: attention 4w² + 4w, MLP of 4w 8w² + 5w, two norms 4w: 12w² + 13w.
    #   1024: 12,596,224, times 24 = 302,309,376      768: 7,087,872, times 12 = 85,054,464
    # Vision besides: class token 1,024; places (24² + 1) 1,024 = 590,848; patches 3 · 14² · 1,024 = 602,112;
    #   two norms 4,096; projection 1,024 · 768 = 786,432: 1,984,512
    # Text besides: words 49,408 · 768 = 37,945,344; places 77 · 768 = 59,136; norm 1,536;
    #   projection 768² = 589,824: 38,595,840
    assert count(clip) == 302_309_376 + 85_054_464 + 1_984_512 + 38_595_840 == 427_944_192
    # OpenAI's has one more, the temperature of its own training: 427,944,193.


def test_anomalyclip(clip: Any) -> None:
    import torch

    from tools.experts.anomalyclip.model import compare, features
    from tools.experts.anomalyclip.prompts import Prompts
    from tools.experts.anomalyclip.settings import Recipe
    from tools.experts.prompted.maps import at_pixels

    recipe = Recipe.published(clip.shape)
    assert (recipe.side_px, recipe.layers, recipe.alike_blocks) == (518, (24,), 19)
    prompts = Prompts.drawn(clip, 111)
    # Two prompts of 12 words, and 4 tokens before each of the text blocks 2 to 9, all 768 wide:
    #   2 · 12 · 768 + 8 · 4 · 768 = 18,432 + 24,576
    assert count(prompts) == 43_008

    with torch.no_grad(), inputs(clip.transformer) as read:
        texts = prompts.texts(clip)
    assert texts.shape == (2, 768)
    assert len(read) == 12
    # start, 12 words, "damaged" "object" ".", end; the good text is one shorter and padded.
    assert {tuple(tokens.shape) for tokens in read} == {(2, 1 + 12 + 3 + 1, 768)}
    for number, tokens in enumerate(read, start=1):
        taken = 2 <= number <= 9 and torch.equal(tokens[0, 1:5], prompts.deep[number - 2])
        assert taken == (2 <= number <= 9), number

    with inputs(clip.visual.transformer) as looked:
        seen = features(clip, [draw_part(1, side_px=518)], recipe)
    assert {tuple(tokens.shape) for tokens in looked} == {(1, 1 + PATCHES, 1024)}
    assert seen.whole.shape == (1, 768)
    assert seen.patches.shape == (1, 1, PATCHES, 768)
    compared = compare(seen, texts)
    assert compared.logits.shape == (1, 2)
    assert compared.maps.shape == (1, 1, 2, 37, 37)
    assert at_pixels(compared.maps[0], 518).shape == (1, 2, 518, 518)


def test_dapo(clip: Any) -> None:
    import torch

    from tools.clip.tokenizer import END, START, tokens_of
    from tools.experts.dapo.model import DapoModel
    from tools.experts.dapo.prompts import Prompts
    from tools.experts.dapo.settings import Recipe

    recipe = Recipe.published(clip.shape)
    assert (recipe.side_px, recipe.layers) == (518, (6, 12, 18, 24))
    prompts = Prompts.drawn(clip, recipe, 42)
    # Words: 2 states · 10 sets · 5 · 768 = 76,800
    # Deep tokens: text 12 · 4 · 768 = 36,864; vision 24 · 4 · 1024 = 98,304
    # Adapters: 4 · (1024 · 768 + 768) = 3,148,800
    parts = {name: parameter.numel() for name, parameter in prompts.named_parameters()}
    assert parts["good"] == parts["damaged"] == 38_400
    assert parts["text_deep"] == 36_864
    assert parts["vision_deep"] == 98_304
    assert sum(size for name, size in parts.items() if name.startswith("adapters.")) == 3_148_800
    assert count(prompts) == 76_800 + 36_864 + 98_304 + 3_148_800 == 3_360_768

    # In CLIP's vocabulary each of these words is one token.
    assert len(tokens_of("flawless object")) == 2
    assert len(tokens_of("faulty imprint anomaly object")) == 4
    with torch.no_grad(), inputs(clip.transformer) as read:
        texts = prompts.texts(clip, STATES)
    assert texts.shape == (1 + len(STATES), 768)
    # Ten sets of one good and six damaged texts: start, 4 deep tokens, 5 words, the longest anchor, end.
    assert {tuple(tokens.shape) for tokens in read} == {(10 * 7, 1 + 4 + 5 + 4 + 1, 768)}
    assert len(read) == 12
    first = read[0]
    places = clip.positional_embedding[:11]
    assert torch.equal(first[0, 0], clip.token_embedding.weight[START] + places[0])
    assert torch.equal(first[0, 1:5], prompts.text_deep[0])
    assert torch.equal(first[0, 5:10], prompts.good[0] + places[1:6])
    assert torch.equal(first[1, 5:10], prompts.damaged[0] + places[1:6])
    ids = torch.tensor([*tokens_of("flawless object"), END])
    assert torch.equal(first[0, 10:13], clip.token_embedding(ids) + places[6:9])
    assert torch.equal(first[7 * 9 + 4, 5:10], prompts.damaged[9] + places[1:6])

    with inputs(clip.visual.transformer) as looked:
        look = DapoModel(clip, prompts, STATES).look([draw_part(1, side_px=518)])[0]
    assert len(looked) == 24
    assert {tuple(tokens.shape) for tokens in looked} == {(1, 1 + 4 + PATCHES, 1024)}
    assert torch.equal(looked[0][0, 1:5], prompts.vision_deep[0])
    with torch.no_grad():
        for number in (1, 2, 23):  # a hundredth of what became of those before, the rest the block's own
            after = clip.visual.transformer.blocks[number - 1](looked[number - 1])[0, 1:5]
            expected = 0.01 * after + 0.99 * prompts.vision_deep[number]
            torch.testing.assert_close(looked[number][0, 1:5], expected)
    assert look.type_maps.shape == (6, 518, 518)
    assert look.map_values.shape == (518, 518)
