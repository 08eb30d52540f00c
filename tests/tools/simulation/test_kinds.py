"""CutPaste, Perlin and geometric defects keep their own rules; and where the part is, is found."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.simulation.parts import blank, plate, weave
from tools.simulation.cutpaste import (
    AREAS,
    RATIOS,
    SCAR_LENGTHS,
    SCAR_OF_PX,
    SCAR_WIDTHS,
    cutpaste_patch,
    cutpaste_scar,
)
from tools.simulation.geometric import geometric
from tools.simulation.part import GoodPart
from tools.simulation.perlin import NOISE_FROM, OPACITIES, perlin, perlin_noise
from tools.simulation.simulate import SimulationOptions, simulate
from tools.simulation.visible import marked


def drafts(make, count=60):
    return [draft for seed in range(count) if (draft := make(np.random.default_rng(seed))) is not None]


def test_patches_of_cutpaste_have_the_areas_and_ratios_of_the_paper():
    part = GoodPart(weave(0, width=640, height=640))
    for draft in drafts(lambda rng: cutpaste_patch(part, rng)):
        x0, y0, x1, y1 = draft.facts["pasted_xyxy"]
        assert AREAS[0] * 0.95 <= (x1 - x0) * (y1 - y0) / (part.width * part.height) <= AREAS[1] * 1.05
        assert RATIOS[0] * 0.95 <= (y1 - y0) / (x1 - x0) <= RATIOS[1] * 1.05


def test_scars_are_thin_and_grow_with_the_picture():
    for side in (256, 512):
        part, scale = GoodPart(weave(0, width=side, height=side)), side / SCAR_OF_PX
        for draft in drafts(lambda rng, part=part: cutpaste_scar(part, rng)):
            assert SCAR_WIDTHS[0] * scale - 1 <= draft.facts["width_px"] <= SCAR_WIDTHS[1] * scale + 1
            assert SCAR_LENGTHS[0] * scale - 1 <= draft.facts["length_px"] <= SCAR_LENGTHS[1] * scale + 1
            assert abs(draft.facts["turn_deg"]) <= 45
            found = marked(part.pixels, draft)
            if found is not None:
                most = (draft.facts["width_px"] + 2) * (draft.facts["length_px"] + 2)
                assert found.mask.sum() <= most


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(8, 200),
    width=st.integers(8, 200),
    cells=st.tuples(st.sampled_from([1, 2, 4, 8, 32]), st.sampled_from([1, 2, 4, 8, 32])),
    seed=st.integers(0, 2**32),
)
def test_noise_is_bounded_and_vanishes_at_the_corners_of_its_cells(height, width, cells, seed):
    noise = perlin_noise(height, width, cells, np.random.default_rng(seed))
    assert noise.shape == (height, width)
    assert np.abs(noise).max() <= 1 + 1e-6


def test_noise_is_that_of_the_definition():
    rng = np.random.default_rng(4)
    noise = perlin_noise(24, 40, (3, 5), np.random.default_rng(4))
    angles = rng.uniform(0, 2 * np.pi, (4, 6))
    for row, column in ((0, 0), (5, 17), (23, 39), (12, 8)):
        y, x = (row + 0.5) * 3 / 24, (column + 0.5) * 5 / 40
        i, j = int(y), int(x)
        total = 0.0
        for down in (0, 1):
            for across in (0, 1):
                dy, dx = y - i - down, x - j - across
                weight = np.prod(
                    [1 - (6 * abs(d) ** 5 - 15 * abs(d) ** 4 + 10 * abs(d) ** 3) for d in (dy, dx)]
                )
                angle = angles[i + down, j + across]
                total += weight * (np.sin(angle) * dy + np.cos(angle) * dx)
        assert noise[row, column] == pytest.approx(2**0.5 * total, abs=1e-5)


def test_the_texture_shows_through_with_the_opacity_that_is_told():
    part = GoodPart(blank(100), background="none")
    white = np.full((50, 50, 3), 255, np.uint8)
    shown = 0
    for draft in drafts(lambda rng: perlin(part, [], [white], rng)):
        assert OPACITIES[0] <= draft.facts["opacity"] <= OPACITIES[1]
        over = draft.pixels[(draft.pixels != 100).any(axis=2)].astype(float)
        if len(over):
            shown += 1
            assert np.ptp(over, axis=0).max() == 0  # one colour, as of the texture
            texture = 100 + (over[0] - 100) / draft.facts["opacity"]
            assert texture.min() > -6
            assert texture.max() < 261
    assert shown > 40
    assert NOISE_FROM == 0.5


def test_textures_of_ones_own_are_taken_and_nothing_else():
    part, other = GoodPart(plate(0)), GoodPart(plate(1))
    options = SimulationOptions(textures=[weave(5)])
    assert {simulate(part, [other], "perlin", seed, options).facts["texture"] for seed in range(8)} == {
        "given"
    }
    without = {simulate(part, [other], "perlin", seed).facts["texture"] for seed in range(25)}
    assert without == {"other part", "drawn"}


def test_every_geometric_variety_is_drawn():
    part = GoodPart(plate(0))
    found = drafts(lambda rng: geometric(part, rng), 150)
    assert {draft.variety for draft in found} == {"missing", "extra", "shifted", "turned", "bent"}


def test_what_is_missing_is_filled_with_the_ground_around_it():
    part = GoodPart(plate(0))
    for draft in drafts(lambda rng: geometric(part, rng), 120):
        if draft.variety != "missing" or draft.place[3] - draft.place[1] < 30:  # a slot lies on its screw
            continue
        x0, y0, x1, y1 = draft.place
        middle = draft.pixels[
            (y0 + y1) // 2 - 2 : (y0 + y1) // 2 + 3, (x0 + x1) // 2 - 2 : (x0 + x1) // 2 + 3
        ]
        assert np.abs(middle.reshape(-1, 3).mean(axis=0) - (150, 146, 140)).max() < 20


def test_what_is_extra_is_a_copy_on_free_ground():
    part = GoodPart(plate(0))
    copies = [draft for draft in drafts(lambda rng: geometric(part, rng), 120) if draft.variety == "extra"]
    assert copies
    for draft in copies:
        x0, y0, x1, y1 = draft.facts["placed_xyxy"]
        assert np.abs(part.pixels[y0:y1, x0:x1].astype(int) - (150, 146, 140)).mean() < 15
        fx0, fy0, fx1, fy1 = draft.facts["component_xyxy"]
        middle = np.s_[(y1 - y0) // 2 - 1 : (y1 - y0) // 2 + 2, (x1 - x0) // 3 : (x1 - x0) * 2 // 3]
        copy = draft.pixels[y0:y1, x0:x1][middle].astype(int)
        assert np.abs(copy - part.pixels[fy0:fy1, fx0:fx1][middle]).mean() < 12


def test_a_texture_without_edges_allows_bending_only_where_there_are_some():
    part = GoodPart(cv2.GaussianBlur(weave(0), (0, 0), 6))
    assert not part.edges.any()
    lined = cv2.GaussianBlur(weave(0), (0, 0), 6)
    cv2.line(lined, (0, 0), (319, 239), (0, 0, 0), 3)
    assert {draft.variety for draft in drafts(lambda rng: geometric(GoodPart(lined), rng), 20)} == {"bent"}


@pytest.mark.parametrize("level", [22, 120, 205, 250])
def test_a_part_before_an_even_background_is_found(level):
    picture = blank(level)
    part = (20, 20, 20) if level > 60 else (160, 160, 160)
    cv2.circle(picture, (160, 120), 70, part, -1)
    cv2.circle(picture, (160, 120), 20, (level,) * 3, -1)  # within the part: no background
    found = GoodPart(picture).foreground
    expected = cv2.circle(np.zeros((240, 320), np.uint8), (160, 120), 70, 1, -1) > 0
    assert (found & expected).sum() > 0.95 * (found | expected).sum()


def test_the_grain_of_a_texture_is_no_component():
    """Streaks of a directed weave look like small components; a button sewn on it is one."""
    grain = np.random.default_rng(7).normal(0, 1, (240, 320)).astype(np.float32)
    streaks = cv2.GaussianBlur(grain, (0, 0), sigmaX=4, sigmaY=1.2)
    rough = 110 + 25 * streaks / streaks.std()
    woven = np.repeat(np.clip(rough, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    assert GoodPart(woven).is_texture
    assert not GoodPart(woven).components
    cv2.circle(woven, (160, 120), 16, (240, 235, 120), -1, cv2.LINE_AA)
    (button,) = GoodPart(woven).components
    assert abs(button.box.centre[0] - 160) < 4
    assert abs(button.box.centre[1] - 120) < 4


def test_what_fills_the_picture_is_a_texture():
    assert GoodPart(weave(0)).is_texture
    assert GoodPart(blank(220)).is_texture
    assert not GoodPart(plate(0)).is_texture
    assert GoodPart(plate(0), background="none").is_texture
    bright = GoodPart(255 - plate(0), background="dark")
    assert bright.is_texture  # no background of that brightness
