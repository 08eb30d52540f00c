"""CLIP's towers against open_clip's own, V-V attention against arithmetic, and the layout of the texts."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.tools.clip.small_clip import SIDE_PX, draw_clip, small_shape
from tools.clip.attention import Attention
from tools.clip.model import Clip
from tools.experts.anomalyclip.prompts import DAMAGED_WORDS, GOOD_WORDS, START, Prompts
from tools.experts.anomalyclip.settings import Recipe


@pytest.fixture(scope="session")
def open_clip() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm warns of what open_clip imports of it
        import open_clip

    return open_clip


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_both_towers_give_what_open_clips_give_on_the_same_weights(open_clip: Any, quick_gelu: bool) -> None:
    shape = small_shape(quick_gelu=quick_gelu)
    ours = draw_clip(shape, seed=3)
    theirs = open_clip.model.CLIP(
        shape.embed_width,
        open_clip.model.CLIPVisionCfg(
            layers=4, width=128, head_width=64, mlp_ratio=2.0, patch_size=8, image_size=SIDE_PX
        ),
        open_clip.model.CLIPTextCfg(layers=4, width=64, heads=1, mlp_ratio=2.0),
        quick_gelu=quick_gelu,
    ).eval()
    missing = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert missing.missing_keys == ["logit_scale"]
    assert missing.unexpected_keys == []
    pictures = torch.randn(3, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))
    texts = open_clip.tokenizer.SimpleTokenizer()(["a scratched bolt", "a photo of a fine metal nut."])
    ends = texts.argmax(dim=-1)
    with torch.no_grad():
        image, text = theirs.encode_image(pictures), theirs.encode_text(texts)
        torch.testing.assert_close(ours.encode_image(pictures), image, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            ours.encode_words(ours.token_embedding(texts), ends), text, rtol=1e-4, atol=1e-4
        )
        # What follows the end of a text is left out by us, and changes nothing.
        short = texts[:, : int(ends.max()) + 1]
        torch.testing.assert_close(
            ours.encode_words(ours.token_embedding(short), ends), text, rtol=1e-4, atol=1e-4
        )


def test_the_fixed_words_are_those_of_clips_vocabulary(open_clip: Any) -> None:
    tokenize = open_clip.tokenizer.SimpleTokenizer()
    learnt = " ".join(["X"] * 12)
    for fixed, words in ((f"{learnt} object.", GOOD_WORDS), (f"{learnt} damaged object.", DAMAGED_WORDS)):
        tokens = tokenize([fixed])[0].tolist()
        assert tokens[0] == START
        assert tuple(tokens[13 : 13 + len(words)]) == words
        assert not any(tokens[13 + len(words) :])
        assert int(torch.tensor(tokens).argmax()) == 12 + len(words)  # the end token, as CLIP finds it


def test_v_v_attention_by_hand() -> None:
    """One head of width 2, identity projections: tokens (1, 0) and (0, 1) attend by their values alone."""
    attention = Attention(width=2, heads=1)
    with torch.no_grad():
        query, key, value = torch.zeros(2, 2), torch.zeros(2, 2), torch.eye(2)
        attention.in_proj_weight.copy_(torch.cat([query, key, value]))
        attention.in_proj_bias.zero_()
        attention.out_proj.weight.copy_(torch.eye(2))
        attention.out_proj.bias.zero_()
        plain, alike = attention.both(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    same, other = torch.softmax(torch.tensor([2**-0.5, 0.0]), dim=0).tolist()
    torch.testing.assert_close(plain, torch.full((1, 2, 2), 0.5))  # queries of zero look everywhere
    torch.testing.assert_close(alike, torch.tensor([[[same, other], [other, same]]]))


def test_v_v_attention_leaves_the_plain_path_alone(clip: Clip) -> None:
    pictures = torch.randn(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        plain = clip.visual(pictures, layers=(1, 4), alike_blocks=0)
        both = clip.visual(pictures, layers=(1, 4), alike_blocks=3)
    torch.testing.assert_close(both.summary, plain.summary, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(both.patches[0], plain.patches[0])  # the first block is before the V-V path
    assert (both.patches[1] - plain.patches[1]).abs().max() > 0.1


def test_the_v_v_path_gathers_what_each_block_adds_without_its_mlp(clip: Clip) -> None:
    pictures = torch.randn(1, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        before = clip.visual(pictures, layers=(2,), alike_blocks=0)
        stream = clip.visual.embedded(pictures)
        for block in clip.visual.transformer.blocks[:2]:
            stream = block(stream)
        torch.testing.assert_close(stream[:, 1:], before.patches[0])
        third, fourth = clip.visual.transformer.blocks[2:]
        added = third.attn.both(third.ln_1(stream))[1]
        after = third(stream)
        expected = stream + added + fourth.attn.both(fourth.ln_1(after))[1]
        found = clip.visual(pictures, layers=(3, 4), alike_blocks=2).patches
    torch.testing.assert_close(found[0], (stream + added)[:, 1:], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[1], expected[:, 1:], rtol=1e-5, atol=1e-5)


def test_places_are_stretched_for_larger_pictures(clip: Clip) -> None:
    places = clip.visual._places(11, 11)
    assert places.shape == (1 + 11 * 11, 128)
    torch.testing.assert_close(places[0], clip.visual.positional_embedding[0])
    square = clip.visual.positional_embedding[1:].view(8, 8, 128)
    # The middle of 11 is the middle of 8, which lies between its four middle places.
    torch.testing.assert_close(places[1:].view(11, 11, 128)[5, 5], square[3:5, 3:5].mean(dim=(0, 1)))


def test_deep_tokens_take_the_first_places_from_the_second_block_on(clip: Clip) -> None:
    generator = torch.Generator().manual_seed(6)
    words = torch.randn(1, 6, 64, generator=generator)
    deep = torch.randn(2, 64, generator=generator)
    ends = torch.tensor([5])
    blocks = clip.transformer.blocks
    with torch.no_grad():
        tokens = blocks[0](words + clip.positional_embedding[:6], causal=True)
        tokens[:, 1:3] = deep
        for block in blocks[1:]:
            tokens = block(tokens, causal=True)
        expected = clip.ln_final(tokens)[:, 5] @ clip.text_projection
        torch.testing.assert_close(clip.encode_words(words, ends, [deep]), expected)


def test_texts_hold_start_learnt_words_fixed_words_and_end(clip: Clip) -> None:
    prompts = Prompts.drawn(clip, seed=1)
    with torch.no_grad():
        start, fixed = (
            clip.token_embedding(torch.tensor([START])),
            clip.token_embedding(torch.tensor(DAMAGED_WORDS)),
        )
        words = torch.cat([start, prompts.damaged, fixed])[None]
        expected = clip.encode_words(words, torch.tensor([16]), list(prompts.deep))
        found = prompts.texts(clip)
    torch.testing.assert_close(found[1], functional.normalize(expected, dim=-1)[0], rtol=1e-5, atol=1e-5)
    assert len(prompts.deep) == 3  # a text tower of four blocks has room for three
    assert [tuple(tokens.shape) for tokens in prompts.deep] == [(4, 64)] * 3


def test_the_published_recipe_of_the_published_clip() -> None:
    large = small_shape(patch_px=14, grid=24, vision_layers=24)
    assert Recipe.published(large) == Recipe(side_px=518, layers=(24,), alike_blocks=19)
    assert Recipe.published(large, [24, 6, 12, 18]).layers == (6, 12, 18, 24)
    assert Recipe.published(small_shape()) == Recipe(side_px=SIDE_PX, layers=(4,), alike_blocks=3)
    with pytest.raises(ValueError, match=r"layers must lie in 1\.\.4"):
        Recipe.published(small_shape(), [5])


def test_the_fingerprint_is_of_the_weights(clip: Clip) -> None:
    assert draw_clip(small_shape()).fingerprint == clip.fingerprint
    assert draw_clip(small_shape(), seed=1).fingerprint != clip.fingerprint
