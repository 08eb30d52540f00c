"""The map beside good parts: nothing learnt, and a planted defect is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.tools.anomalygpt.speaking import CORNERS
from tests.tools.anomalygpt.tiny import blotted
from tests.tools.clip.small_clip import draw_part
from tools.anomalygpt.encoder import see
from tools.anomalygpt.memory_bank import turned, unlike
from tools.anomalygpt.settings import Recipe
from tools.clip.model import Clip
from tools.masks import Mask
from tools.types import MapValues, Pixels

MAP_PX = 64


def beside(clip: Clip, picture: Pixels, *good: Pixels) -> MapValues:
    recipe = Recipe.published(clip.shape)
    bank = see(clip, recipe, turned(good)).patches.flatten(1, 2)
    return unlike(see(clip, recipe, [picture]).patches[:, 0], bank, MAP_PX).numpy()


def test_a_good_part_is_shown_in_four_directions() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    first, *others = turned([picture])
    assert np.array_equal(first, picture)
    assert {one.tobytes() for one in others} == {np.rot90(picture, by).tobytes() for by in (1, 2, 3)}


def test_by_hand() -> None:
    """Two blocks, four patches: one is like none of the bank, one like half of it, two are in it."""
    across, up = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 0.2])
    first = torch.stack([across, up, across, -across])
    second = torch.stack([across, across, across, across])
    patches, good = torch.stack([first, second]), torch.stack([across[None], across[None]])
    corners = unlike(patches, good, MAP_PX)[[0, 0, -1, -1], [0, -1, 0, -1]]
    # An opposite is no further than a right angle: the map ends at 1.
    assert torch.allclose(corners, torch.tensor([0.0, 0.5, 0.0, 0.5]), atol=1e-6)


def test_a_part_beside_itself_is_like_it(clip: Clip) -> None:
    plate = draw_part(3)
    assert float(beside(clip, plate, plate).max()) < 1e-5
    assert float(beside(clip, np.rot90(plate).copy(), plate).max()) < 1e-5


@pytest.mark.parametrize("corner", range(4))
def test_a_planted_defect_is_found(clip: Clip, corner: int) -> None:
    """By a CLIP of random weights, whose attention spreads every blot over the whole picture."""
    good = [draw_part(seed) for seed in range(2)]
    plate = draw_part(50 + corner)
    picture, mask = blotted(plate, corner)
    found = beside(clip, picture, *good)
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    place = f"{('top', 'bottom')[2 * row // MAP_PX]} {('left', 'right')[2 * column // MAP_PX]}"
    assert place == CORNERS[corner]
    marked = Mask(mask > 0).sized(MAP_PX, MAP_PX)
    assert found[marked].mean() > 1.1 * found[~marked].mean()
    assert found.max() > 2 * beside(clip, plate, *good).max()
