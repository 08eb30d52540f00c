"""The decoder's map, by hand and in its published sizes; and what CLIP gives it."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from tests.tools.clip.small_clip import draw_part, small_shape
from tools.anomalygpt.decoder import Decoder
from tools.anomalygpt.encoder import Seen, see, state_texts
from tools.anomalygpt.settings import Recipe
from tools.anomalygpt.states import ABNORMAL, NORMAL, sentences
from tools.clip.model import Clip
from tools.clip.pictures import normalised
from tools.clip.tokenizer import END, START, tokens_of


def test_states_and_templates_are_as_many_as_published() -> None:
    assert (len(sentences(NORMAL)), len(sentences(ABNORMAL))) == (14, 10)
    assert sentences(ABNORMAL)[:2] == ("a photo of a damaged object.", "a photo of the damaged object.")


def test_published_sizes() -> None:
    recipe = Recipe.published(small_shape(vision_layers=32, patch_px=14, grid=16))
    decoder = Decoder(recipe, 1280, 1024)  # of ViT-H/14
    with torch.no_grad():
        chances = decoder(torch.zeros(4, 2, 256, 1280), torch.zeros(2, 1024))
    assert chances.shape == (4, 2, 2, 224, 224)
    assert sum(parameter.numel() for parameter in decoder.parameters()) == 4 * (1280 * 1024 + 1024)


def test_a_map_by_hand() -> None:
    """Two blocks, four patches, embeddings of two numbers that the adapters leave as they are."""
    good, bad = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    between = torch.tensor([10.0, 10.1])  # of any length: cosines only
    patches = torch.stack([torch.stack([good, good, bad, between])[None]] * 2)
    decoder = Decoder(Recipe(side_px=16, layers=(1, 2), map_px=9), 2, 2)
    with torch.no_grad():
        for adapter in decoder.adapters:
            adapter.weight.copy_(torch.eye(2))
            adapter.bias.zero_()
        chances = decoder(patches, torch.stack([good, bad]))
    assert chances.shape == (2, 1, 2, 9, 9)
    assert torch.allclose(chances.sum(dim=2), torch.ones(2, 1, 9, 9))
    damaged = chances[0, 0, 1]
    apart = torch.tensor(100 * (10.1 - 10) / (10**2 + 10.1**2) ** 0.5)
    wanted = torch.tensor([[0.0, 0.0], [1.0, float(apart.sigmoid())]])
    assert torch.allclose(damaged[[0, 0, -1, -1], [0, -1, 0, -1]].reshape(2, 2), wanted, atol=1e-4)
    # Logits are enlarged, not chances: halfway from good to bad nobody knows.
    assert abs(float(damaged[4, 0]) - 0.5) < 1e-4
    assert float(damaged[3, 0]) < 1e-4


def test_patches_are_what_leaves_each_block_and_the_whole_is_clips_own(clip: Clip) -> None:
    recipe = Recipe.published(clip.shape)
    pictures = [draw_part(seed, side) for seed, side in ((0, 96), (1, 40))]
    left: dict[int, Any] = {}
    hooks = [
        block.register_forward_hook(lambda _, __, out, at=at: left.__setitem__(at, out[:, 1:]))
        for at, block in enumerate(clip.visual.transformer.blocks)
    ]
    try:
        seen = see(clip, recipe, pictures)
    finally:
        for hook in hooks:
            hook.remove()
    assert seen.patches.shape == (4, 2, 64, clip.shape.vision_width)
    assert all(torch.equal(seen.patches[at], left[layer - 1]) for at, layer in enumerate(recipe.layers))
    batch = torch.stack([normalised(picture, recipe.side_px) for picture in pictures])
    own = functional.normalize(clip.encode_image(batch), dim=-1)
    assert torch.allclose(seen.whole, own, atol=1e-6)
    apart = [see(clip, recipe, [picture]) for picture in pictures]
    assert torch.allclose(Seen.joined(apart).patches, seen.patches, atol=1e-4)


def test_texts_are_means_of_all_sentences(clip: Clip) -> None:
    texts = state_texts(clip)
    assert texts.shape == (2, clip.shape.embed_width)
    assert torch.allclose(texts.norm(dim=-1), torch.ones(2))
    for text, states in zip(texts, (NORMAL, ABNORMAL), strict=True):
        embedded = []
        for sentence in sentences(states):
            ids = torch.tensor([[START, *tokens_of(sentence), END]])  # alone, so nothing pads it
            one = clip.encode_words(clip.token_embedding(ids), torch.tensor([ids.shape[1] - 1]))
            embedded.append(functional.normalize(one[0], dim=-1))
        assert torch.allclose(
            text, functional.normalize(torch.stack(embedded).mean(dim=0), dim=-1), atol=1e-5
        )
