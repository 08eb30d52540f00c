"""Charts show the numbers that they are given, where they belong, and never a number that is not there."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.mmad.calibration import Bin
from evals.mmad.risk import risk_coverage
from evals.report.calibration_curve import calibration_curve
from evals.report.confusion import confusion
from evals.report.heat_map import colour, heat_map, ink_on
from evals.report.radar import MOST_PUBLISHED, Outline, radar
from evals.report.risk_curve import risk_curve

AXES = ["Anomaly Detection", "Defect Classification", "Object", "Defect Analysis"]
SVG = "{http://www.w3.org/2000/svg}"


def shapes(drawn: str, kind: str, css: str = "") -> list[ET.Element]:
    """Shapes of a kind whose classes hold all of `css`."""
    root = ET.fromstring(drawn)
    return [each for each in root.iter(SVG + kind) if {*css.split()} <= {*each.get("class", "").split()}]


def points(shape: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in shape.get("points", "").split())]


def words(drawn: str) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(drawn).iter(SVG + "text")]


# --- radar


def test_a_full_outline_reaches_as_far_as_its_values() -> None:
    drawn = radar(AXES, [Outline("this run", [100, 50, 0, 25], "run")])
    (shape,) = shapes(drawn, "polygon", "outline run")
    rim = points(shapes(drawn, "polygon", "grid")[-1])
    centre_x, centre_y = points(shapes(drawn, "polyline", "grid")[0])[0]
    for value, (x, y), (rim_x, rim_y) in zip([100, 50, 0, 25], points(shape), rim, strict=True):
        assert x - centre_x == pytest.approx((rim_x - centre_x) * value / 100, abs=0.1)
        assert y - centre_y == pytest.approx((rim_y - centre_y) * value / 100, abs=0.1)


def test_a_missing_value_is_a_gap_and_not_a_zero() -> None:
    drawn = radar(AXES, [Outline("this run", [80, None, 60, 70], "run")])
    assert not shapes(drawn, "polygon", "outline")
    (open_line,) = shapes(drawn, "polyline", "outline open run")[:1]
    assert len(points(open_line)) == 3
    centre = points(shapes(drawn, "polyline", "grid")[0])[0]
    assert centre not in points(open_line)
    assert "Defect Classification" not in ET.fromstring(drawn).get("aria-label", "")


def test_a_value_between_two_gaps_is_still_a_dot() -> None:
    drawn = radar(AXES, [Outline("this run", [None, 80, None, 40], "run")])
    titles = [dot.findtext(SVG + "title") for dot in shapes(drawn, "circle", "run")]
    assert titles[:2] == ["this run: 80.0 %", "this run: 40.0 %"]


def test_intervals_are_drawn_along_their_axis() -> None:
    ends = [(70.0, 90.0), None, None, None]
    drawn = radar(AXES, [Outline("this run", [80, None, None, None], "run", ends)])
    (whisker,) = shapes(drawn, "polyline", "whisker")
    (_, lower), (_, upper) = points(whisker)
    assert lower > upper  # the first axis points upwards


def test_the_run_lies_above_what_it_is_compared_with_and_all_are_named() -> None:
    others = [Outline(f"row {number}", [50] * 4, "published") for number in range(MOST_PUBLISHED)]
    drawn = radar(AXES, [Outline("mine", [80] * 4, "run"), *others, Outline("guessing", [25] * 4, "chance")])
    kinds = [shape.get("class") for shape in shapes(drawn, "polygon", "outline")]
    assert kinds[-1] == "outline run"
    assert len(set(kinds)) == MOST_PUBLISHED + 2
    assert {"mine", "guessing", *(other.name for other in others)} <= set(words(drawn))


@pytest.mark.parametrize(
    ("axes", "outlines"),
    [
        (AXES[:2], [Outline("mine", [1, 2], "run")]),
        (AXES, [Outline("mine", [1, 2, 3], "run")]),
        (AXES, [Outline("mine", [1, 2, 3, 4], "run", [(0, 1)])]),
        (AXES, [Outline(str(n), [1, 2, 3, 4], "published") for n in range(MOST_PUBLISHED + 1)]),
    ],
)
def test_what_does_not_fit_is_refused(axes: list[str], outlines: list[Outline]) -> None:
    with pytest.raises(ValueError, match=r"radar|value"):
        radar(axes, outlines)


# --- heat map


def test_each_cell_has_its_number_and_the_colour_of_it() -> None:
    drawn = heat_map(["VisA"], ["Anomaly Detection", "Average"], [[25.0, 100.0]])
    assert {"VisA", "Anomaly", "Detection", "Average", "25.0", "100.0"} <= set(words(drawn))
    assert "rgb(59,76,192)" in drawn
    assert "rgb(180,4,38)" in drawn


def test_what_was_not_asked_is_empty_and_not_cold() -> None:
    drawn = heat_map(["VisA"], ["Average"], [[None]])
    (cell,) = shapes(drawn, "rect", "empty")
    assert cell.findtext(SVG + "title") == "VisA, Average: not asked"
    assert "0.0" not in words(drawn)


@given(st.floats(-50, 150))
def test_numbers_can_be_read_on_every_colour(value: float) -> None:
    background = colour(value)
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in background)
    ]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    ink = 1.0 if ink_on(background) == "light" else 0.0
    assert (max(luminance, ink) + 0.05) / (min(luminance, ink) + 0.05) >= 4.5  # WCAG 2, level AA


def test_colours_get_warmer_with_accuracy() -> None:
    warmth = [colour(value)[0] - colour(value)[2] for value in range(25, 101)]
    assert warmth == sorted(warmth)
    assert colour(0) == colour(25)


def test_ragged_values_are_refused() -> None:
    with pytest.raises(ValueError, match="2 x 1"):
        heat_map(["a", "b"], ["c"], [[1.0], [1.0, 2.0]])


# --- calibration


def test_a_calibrated_answerer_lies_on_the_diagonal() -> None:
    drawn = calibration_curve([Bin(answers=10, probability=p, right=p) for p in (0.25, 0.55, 0.95)])
    (diagonal,) = shapes(drawn, "polyline", "diagonal")
    (x0, y0), (x1, y1) = points(diagonal)
    (curve,) = shapes(drawn, "polyline", "outline")
    for x, y in points(curve):
        assert (x - x0) / (x1 - x0) == pytest.approx((y - y0) / (y1 - y0), abs=0.01)


def test_an_overconfident_answerer_lies_below_it() -> None:
    drawn = calibration_curve([Bin(answers=10, probability=0.9, right=0.5)])
    (dot,) = shapes(drawn, "circle", "run")
    (diagonal,) = shapes(drawn, "polyline", "diagonal")
    (x0, y0), (x1, y1) = points(diagonal)
    on_line = y0 + (float(dot.get("cx", "")) - x0) / (x1 - x0) * (y1 - y0)
    assert float(dot.get("cy", "")) > on_line + 50
    assert dot.findtext(SVG + "title") == "stated 90.0 %, right 50.0 % of 10 answers"


def test_bars_tell_how_many_answers_stand_behind_a_point_and_never_vanish() -> None:
    drawn = calibration_curve(
        [Bin(answers=1, probability=0.05, right=0), Bin(answers=40_000, probability=1.0, right=1)]
    )
    low, high = (float(bar.get("height", "")) for bar in shapes(drawn, "rect", "bar"))
    assert 1 <= low < high


def test_no_probabilities_are_said_to_be_none() -> None:
    drawn = calibration_curve([])
    assert "no probabilities were told" in words(drawn)
    assert not shapes(drawn, "polyline", "diagonal")


# --- confusion


def test_counts_stand_in_the_row_of_the_right_and_the_column_of_the_given_letter() -> None:
    drawn = confusion({("A", "A"): 30, ("A", "B"): 10, ("B", "B"): 7, ("B", None): 1})
    says = [cell.findtext(SVG + "title") for cell in ET.fromstring(drawn).iter(SVG + "rect")]
    assert says == [
        "30 of 40 (75.0 %) where A was right: A",
        "10 of 40 (25.0 %) where A was right: B",
        "0 of 40 (0.0 %) where A was right: no letter",
        "0 of 8 (0.0 %) where B was right: A",
        "7 of 8 (87.5 %) where B was right: B",
        "1 of 8 (12.5 %) where B was right: no letter",
    ]
    assert len(shapes(drawn, "rect", "correct")) == 2


def test_a_habit_shows_as_a_dark_column() -> None:
    drawn = confusion({("A", "A"): 5, ("B", "A"): 500})
    opacity = [re.search(r"fill-opacity: ([\d.]+)", cell.get("style", "")) for cell in shapes(drawn, "rect")]
    assert [found and found[1] for found in opacity] == ["0.65", "0.00", "0.65", "0.00"]


def test_letters_beyond_what_fits_are_counted_in_words() -> None:
    drawn = confusion({(letter, letter): 2 for letter in "ABCDEFGHIJ"})
    assert "and 4 with other letters" in words(drawn)


# --- whatever the names say

HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"/><svg onload=alert(1)>',
        "a\u202eb\x1b[31m\x00",
        "&amp;<b>",
        "x" * 5000,
        "",
    ]
) | st.text(max_size=40)


class Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}


@given(HOSTILE)
def test_names_are_shown_and_do_nothing(name: str) -> None:
    drawn = (
        radar([name] * 3, [Outline(name, [1, 2, 3], "run")])
        + heat_map([name], [name], [[50.0]])
        + confusion({(name, name): 1, (name, None): 2})
    )
    page = Page(drawn)
    assert page.elements <= {"svg", "text", "title", "polygon", "polyline", "circle", "rect"}
    assert not any(attribute.startswith("on") for attribute in page.attributes)
    assert not re.search(r"[\x00-\x08\x1b\u202e]", drawn)


# --- risk and coverage


def test_the_risk_curve_starts_at_the_surest_answer_and_ends_at_all_of_them() -> None:
    drawn = risk_curve(risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])))
    (curve,) = shapes(drawn, "polyline", "outline run")
    xs, ys = zip(*points(curve), strict=True)
    assert len(xs) == 4
    assert list(xs) == sorted(xs)
    assert (
        ys[0] == ys[1] > ys[3] > ys[2]
    )  # no fault among the surest two; of three one is wrong, of all a fourth
    assert "at 5 % wrong 50 % can count" in str(ET.fromstring(drawn).get("aria-label"))
    assert "the surest 25 % (from 0.90 on): 0.0 % wrong" in [
        "".join(each.itertext()) for each in shapes(drawn, "circle")
    ]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200))
def test_the_risk_curve_stays_within_its_frame(told: list[tuple[float, bool]]) -> None:
    sure, right = zip(*told, strict=True)
    drawn = risk_curve(risk_coverage(np.array(sure), np.array(right, bool)))
    grid = [point for each in shapes(drawn, "polyline", "grid") for point in points(each)]
    for x, y in points(shapes(drawn, "polyline", "outline run")[0]):
        assert min(place[0] for place in grid) <= x <= max(place[0] for place in grid)
        assert min(place[1] for place in grid) <= y <= max(place[1] for place in grid)
