"""What holds for every simulated defect, of whatever kind."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.simulation.parts import blank, plate, weave
from tools.errors import NothingVisible, SimulationError, SimulationImpossible
from tools.simulation.part import LEAST_SIDE_PX, GoodPart
from tools.simulation.simulate import MIXTURE, simulate
from tools.simulation.types import KINDS
from tools.simulation.visible import LABEL_FROM, LEAST_AREA, SPECK_AREA, VISIBLE_LEVELS, change_of

PICTURES = {"plate": plate, "weave": weave}


@pytest.fixture(scope="module")
def parts():
    return {name: [GoodPart(draw(number)) for number in range(2)] for name, draw in PICTURES.items()}


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_pixels_and_others_do_not(parts, picture, kind):
    part, other = parts[picture]
    first = simulate(part, [other], kind, 5)
    again = simulate(GoodPart(part.pixels.copy()), [GoodPart(other.pixels.copy())], kind, 5)
    assert np.array_equal(first.pixels, again.pixels)
    assert np.array_equal(first.mask, again.mask)
    assert np.array_equal(first.label, again.label)
    assert (first.variety, first.facts) == (again.variety, again.facts)
    assert not np.array_equal(first.pixels, simulate(part, [other], kind, 6).pixels)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_the_mask_is_what_changed_visibly(parts, picture, kind, seed):
    part, other = parts[picture]
    before = part.pixels.copy()
    drawn = simulate(part, [other], kind, seed)
    assert np.array_equal(part.pixels, before), "the good picture was written to"
    assert drawn.pixels.shape == part.pixels.shape
    assert drawn.pixels.dtype == np.uint8
    assert drawn.mask.shape == drawn.label.shape == part.pixels.shape[:2]
    assert drawn.mask.mean() >= LEAST_AREA
    assert all(box.x1 <= part.width and box.y1 <= part.height for box in drawn.boxes)
    assert np.array_equal(drawn.label > LABEL_FROM, drawn.mask)
    assert drawn.label.min() >= 0
    assert drawn.label.max() <= 1

    change = change_of(part.pixels, drawn.pixels, 3)
    least = (
        VISIBLE_LEVELS
        if kind != "nsa"
        else (7 - 3 * np.log(7 / 3) if part.is_texture else 24 - 12 * np.log(7 / 3))
    )
    outside = change[~drawn.mask]
    assert (outside >= least).mean() < 2e-4, "something visible is not of the mask"
    assert (change[drawn.mask] >= least - 1).mean() > 0.97, "something of the mask is not to be seen"
    pieces = [box.area_px for box in drawn.boxes]
    assert min(pieces) >= SPECK_AREA * part.width * part.height


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_far_from_the_defect_is_untouched(parts, kind):
    part, other = parts["plate"]
    drawn = simulate(part, [other], kind, 3)
    touched = (drawn.pixels != part.pixels).any(axis=2)
    assert touched[drawn.mask].mean() > 0.95
    y, x = np.nonzero(touched)
    if kind in ("cutpaste", "geometric"):
        assert (y.max() - y.min()) * (x.max() - x.min()) < 0.4 * part.width * part.height
    if kind == "perlin":
        assert not (touched & ~part.foreground).any()


@pytest.mark.parametrize("kind", ["nsa", "cutpaste", "perlin"])
def test_defects_lie_on_the_part(parts, kind):
    part, other = parts["plate"]
    on_part = [simulate(part, [other], kind, seed).mask for seed in range(20)]
    assert all((mask & part.foreground).any() for mask in on_part)
    shares = [(mask & part.foreground).sum() / mask.sum() for mask in on_part]
    assert np.mean(shares) > part.foreground.mean()


def test_a_grey_part_stays_grey(parts):
    part, other = parts["weave"]
    for seed, kind in enumerate(KINDS):
        assert np.ptp(simulate(part, [other], kind, seed).pixels, axis=2).max() == 0


def test_without_another_picture_the_part_itself_is_taken_and_this_is_said(parts):
    part, _ = parts["plate"]
    drawn = simulate(part, [], "nsa", 0)
    assert any("no other good picture" in note for note in drawn.notes)
    assert not simulate(part, [part], "nsa", 0).notes


def test_other_pictures_may_have_another_size(parts):
    part, _ = parts["plate"]
    for size in ((1000, 700), (80, 64), (64, 900)):
        other = GoodPart(plate(3, width=size[0], height=size[1]))
        for kind in ("nsa", "perlin"):
            assert simulate(part, [other], kind, 1).mask.any()


def test_a_mixture_draws_by_its_weights(parts):
    part, other = parts["plate"]
    kinds = [simulate(part, [other], MIXTURE, seed).kind for seed in range(120)]
    for kind, share in MIXTURE.items():
        assert abs(kinds.count(kind) / len(kinds) - share) < 0.13
    assert {simulate(part, [other], {"perlin": 2, "nsa": 0}, seed).kind for seed in range(5)} == {"perlin"}


def test_a_mixture_passes_over_what_the_part_does_not_allow_and_says_so():
    part, other = GoodPart(blank(90)), GoodPart(blank(200))
    with pytest.raises(SimulationImpossible, match="no separate components and no edges"):
        simulate(part, [other], "geometric", 0)
    drawn = simulate(part, [other], {"geometric": 1e9, "perlin": 1}, 0)
    assert drawn.kind == "perlin"
    assert drawn.notes[0].startswith("geometric passed over: the part has no separate components")


def test_what_cannot_be_seen_is_said_to_be_so():
    part = GoodPart(blank())
    with pytest.raises(NothingVisible, match="none gave a defect that can be seen"):
        simulate(part, [part], "nsa", 0)
    with pytest.raises(SimulationError):
        simulate(part, [part], {"nsa": 1, "geometric": 1}, 0)


def test_no_kind_at_all_is_refused(parts):
    with pytest.raises(ValueError, match="no kind has a weight over 0"):
        simulate(parts["plate"][0], [], {"nsa": 0}, 0)


def test_a_tiny_picture_is_refused():
    with pytest.raises(SimulationImpossible, match=f"63x200 px is too small.*{LEAST_SIDE_PX} px"):
        GoodPart(np.zeros((200, 63, 3), np.uint8))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(64, 64), (64, 300), (301, 65), (97, 83)])
def test_small_and_odd_pictures_do(kind, size):
    part, other = (
        GoodPart(plate(0, width=size[0], height=size[1])),
        GoodPart(plate(1, width=size[0], height=size[1])),
    )
    for seed in range(6):
        drawn = simulate(part, [other], kind, seed)
        assert drawn.mask.any()
        assert drawn.pixels.shape == part.pixels.shape
