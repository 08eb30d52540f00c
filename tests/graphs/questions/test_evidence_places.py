"""Words of place, in the many wordings that data sets use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.questions.place import Place, density_at, places_in
from tools.types import Box, Region

SIZE = (300, 300)
CELLS = {
    "top left": (0, 0),
    "top": (1, 0),
    "top right": (2, 0),
    "left": (0, 1),
    "center": (1, 1),
    "right": (2, 1),
    "bottom left": (0, 2),
    "bottom": (1, 2),
    "bottom right": (2, 2),
}


def region_at(x: float, y: float, side: int = 10, peak: float = 5.0) -> Region:
    """A square region whose centre lies at shares of width and height."""
    left, top = round(x * SIZE[0] - side / 2), round(y * SIZE[1] - side / 2)
    box = Box(x0=left, y0=top, x1=left + side, y1=top + side)
    corners = ((left, top), (left + side - 1, top), (left + side - 1, top + side - 1), (left, top + side - 1))
    return Region(
        box=box,
        contour=corners,
        cell="center",
        area_px=side**2,
        area_fraction=side**2 / (SIZE[0] * SIZE[1]),
        peak=peak,
        peak_xy=(left, top),
        elongation=1.0,
    )


def best(options: list[str], *regions: Region) -> str:
    weights = np.full(len(regions), 1 / len(regions))
    return max(options, key=lambda option: density_at(places_in(option), regions, weights, SIZE))


@pytest.mark.parametrize("truth", CELLS)
def test_of_all_nine_cells_the_right_one_wins(truth: str) -> None:
    column, row = CELLS[truth]
    for dx in (0.05, 0.165, 0.28):
        for dy in (0.05, 0.165, 0.28):
            there = region_at(column / 3 + dx, row / 3 + dy)
            assert best([f"{name.capitalize()}." for name in CELLS], there) == f"{truth.capitalize()}."


@pytest.mark.parametrize(
    ("wordings", "centre"),
    [
        (
            ["In the upper left corner", "Top-left", "top left part of the bottle", "Left upper area"],
            (0.15, 0.15),
        ),
        (["On the left side", "Left edge of the image", "center-left", "Middle left"], (0.12, 0.5)),
        (["In the lower right corner.", "bottom-right quadrant", "Near the bottom right"], (0.85, 0.85)),
        (["In the center", "The central region", "middle of the picture", "At the centre"], (0.5, 0.5)),
        (["Bottom center", "lower middle part", "the bottom", "At the lower edge"], (0.5, 0.88)),
    ],
)
def test_many_wordings_mean_one_place(wordings: list[str], centre: tuple[float, float]) -> None:
    elsewhere = ["Top right corner", "On the right side", "Upper middle"]
    for wording in wordings:
        assert best([*elsewhere, wording], region_at(*centre)) == wording


def test_the_nearest_wins_where_no_option_is_right() -> None:
    options = ["Top left.", "Top right.", "Bottom.", "Right."]
    assert best(options, region_at(0.45, 0.7)) == "Bottom."


def test_a_part_of_the_object_beats_a_wrong_place_and_loses_to_the_right_one() -> None:
    there = region_at(0.85, 0.85)
    assert best(["On the neck of the bottle", "In the top left corner"], there) == "On the neck of the bottle"
    assert best(["On the neck of the bottle", "In the lower right"], there) == "In the lower right"


def test_several_places_want_several_regions() -> None:
    options = ["At the top and the bottom", "At the top", "On the left side"]
    assert best(options, region_at(0.5, 0.1), region_at(0.5, 0.9)) == "At the top and the bottom"
    assert best(options, region_at(0.5, 0.1)) == "At the top"


def test_everywhere_is_for_what_spans_the_picture() -> None:
    options = ["All over the surface", "In the center"]
    assert best(options, region_at(0.5, 0.5, side=20)) == "In the center"
    assert best(options, *(region_at(x, y) for x in (0.05, 0.95) for y in (0.05, 0.5, 0.95))) == options[0]


def test_rim_corners_and_inside() -> None:
    options = ["At the edge of the part", "Inside the part", "In the corners"]
    assert best(options, region_at(0.5, 0.06)) == "At the edge of the part"
    assert best(options, region_at(0.6, 0.35)) == "Inside the part"
    assert best(options, region_at(0.06, 0.06), region_at(0.94, 0.94)) == "In the corners"


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("upper and lower left", [((0, 1 / 3), (0, 1 / 3)), ((0, 1 / 3), (2 / 3, 1))]),
        ("right half, near the bottom", [((0.5, 1), (0.5, 1))]),
        ("left half", [((0, 0.5), (0, 1))]),
        ("slightly above the center", [((1 / 3, 2 / 3), (0.2, 0.5))]),
        ("on the head of the screw", []),
        ("", []),
    ],
)
def test_phrases(text: str, spans: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    assert [(place.across, place.down) for place in places_in(text)] == spans


@pytest.mark.parametrize(
    "text", ["Left", "Top right", "edge", "corners", "center", "upper half", "whole", "inner"]
)
def test_a_density_has_mean_one(text: str) -> None:
    (place,) = places_in(text)
    steps = (np.arange(200) + 0.5) / 200
    points = np.stack([axis.ravel() for axis in np.meshgrid(steps, steps)], axis=1)
    assert float(place.density(points).mean()) == pytest.approx(1, abs=0.02)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    places = places_in(text)
    assert all(isinstance(place, Place) for place in places)
    value = density_at(places, [region_at(0.5, 0.5)], np.ones(1), SIZE)
    assert np.isfinite(value)
    assert value > 0


def test_a_place_needs_a_region() -> None:
    with pytest.raises(ValueError, match="at least one region"):
        density_at(places_in("Left"), [], np.ones(0), SIZE)
