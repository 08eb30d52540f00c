"""Maps and probabilities, and the losses they are learnt by, against arithmetic."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from tests.tools.clip.small_clip import SIDE_PX, damage, draw_part
from tools.clip.model import Clip
from tools.experts.anomalyclip.model import AnomalyClip, Features, compare, features
from tools.experts.anomalyclip.prompts import Prompts
from tools.experts.anomalyclip.settings import Recipe
from tools.experts.prompted.maps import at_pixels
from tools.learning.map_losses import dice_loss, focal_loss, image_loss, pixel_loss


def unit(*values: float) -> torch.Tensor:
    return functional.normalize(torch.tensor(values, dtype=torch.float32), dim=-1)


def test_probabilities_by_hand() -> None:
    """Two texts at right angles; a picture along the damaged one, and patches along either."""
    texts = torch.eye(2)
    patches = torch.stack([unit(1, 0), unit(0, 1), unit(1, 1), unit(1, 0)])
    found = compare(Features(whole=unit(0, 1)[None], patches=patches[None, None]), texts)
    torch.testing.assert_close(found.logits, torch.tensor([[0.0, 1 / 0.07]]))
    sure = 1 / (1 + math.exp(-1 / 0.07))
    torch.testing.assert_close(found.maps[0, 0, 1], torch.tensor([[1 - sure, sure], [0.5, 1 - sure]]))
    torch.testing.assert_close(found.maps.sum(dim=2), torch.ones(1, 1, 2, 2))


def test_a_look_is_the_mean_of_its_layers_smoothed(clip: Clip) -> None:
    recipe = Recipe(side_px=SIDE_PX, layers=(2, 4), alike_blocks=3)
    texts = Prompts.drawn(clip, seed=3).texts(clip).detach()
    part = draw_part(1)
    look = AnomalyClip(clip, texts, recipe).look([part])[0]
    compared = compare(features(clip, [part], recipe), texts)
    assert look.damaged == pytest.approx(float(compared.logits.softmax(dim=-1)[0, 1]), abs=1e-6)
    layers = [at_pixels(layer, SIDE_PX)[0, 1].numpy() for layer in compared.maps]
    expected = cv2.GaussianBlur(np.mean(layers, axis=0), (33, 33), 4.0, borderType=cv2.BORDER_REFLECT)
    np.testing.assert_allclose(look.map_values, expected, atol=1e-6)
    assert look.map_values.dtype == np.float32
    # The paper's (s_damaged + 1 - s_good) / 2 is the probability of the damaged text, since both add up to 1.
    both = at_pixels(compared.maps[0], SIDE_PX)[0]
    torch.testing.assert_close((both[1] + 1 - both[0]) / 2, both[1])


def test_pictures_are_squeezed_and_normalised_as_published(clip: Clip) -> None:
    recipe = Recipe(side_px=SIDE_PX, layers=(4,), alike_blocks=3)
    part = draw_part(2, side_px=80)[:50]
    resized = np.asarray(Image.fromarray(part).resize((64, 64), Image.Resampling.BICUBIC)) / 255
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    batch = torch.tensor(((resized - mean) / std).transpose(2, 0, 1)[None], dtype=torch.float32)
    seen = clip.visual(batch, layers=(4,), alike_blocks=3)
    found = features(clip, [part], recipe)
    # The class token is projected without CLIP's last norm, as the published prompts expect.
    whole = functional.normalize(seen.summary @ clip.visual.proj, dim=-1)
    torch.testing.assert_close(found.whole, whole, rtol=1e-4, atol=1e-5)
    assert found.patches.shape == (1, 1, 64, 32)
    torch.testing.assert_close(found.patches.norm(dim=-1), torch.ones(1, 1, 64))


def test_a_batch_gives_what_its_pictures_give_alone(clip: Clip) -> None:
    model = AnomalyClip(
        clip, Prompts.drawn(clip, seed=3).texts(clip), Recipe(side_px=SIDE_PX, layers=(4,), alike_blocks=3)
    )
    pictures = [draw_part(1), damage(draw_part(2, side_px=120), 2)[0], draw_part(3)[:30]]
    for together, picture in zip(model.look(pictures), pictures, strict=True):
        alone = model.look([picture])[0]
        assert together.damaged == pytest.approx(alone.damaged, abs=1e-5)
        np.testing.assert_allclose(together.map_values, alone.map_values, atol=1e-5)


def test_maps_become_pixels_bilinearly() -> None:
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    pixels = at_pixels(ramp, 8)[0, 0]
    torch.testing.assert_close(pixels[3], torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]))


def test_focal_loss_by_hand() -> None:
    chances = torch.tensor([[[[0.2, 0.9]], [[0.8, 0.1]]]])  # (1, 2, 1, 2): good, then damaged
    mask = torch.tensor([[[1.0, 0.0]]])
    expected = (0.2**2 * -math.log(0.8) + 0.1**2 * -math.log(0.9)) / 2
    assert float(focal_loss(chances, mask.long())) == pytest.approx(expected, rel=1e-3)


def test_dice_loss_by_hand() -> None:
    chances = torch.tensor([[[0.5, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    mask = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    first = 1 - (2 * 1.5 + 1) / (1.5 + 2 + 1)
    assert float(dice_loss(chances, mask)) == pytest.approx((first + 0) / 2)


def test_the_right_answer_costs_next_to_nothing_and_the_wrong_one_much() -> None:
    mask = torch.zeros(2, 8, 8)
    mask[0, 2:6, 2:6] = 1
    right = torch.stack([1 - mask, mask], dim=1)
    assert float(pixel_loss(right, mask.long())) == pytest.approx(0, abs=1e-3)
    wrong = float(pixel_loss(right.flip(1), mask.long()))
    assert wrong > 5
    assert math.isfinite(wrong)


def test_image_loss_is_of_the_damaged_text() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    right = image_loss(logits, torch.tensor([False, True]))
    assert float(right) == pytest.approx(math.log(1 + math.exp(-3)))
    assert float(image_loss(logits, torch.tensor([True, False]))) > 3
