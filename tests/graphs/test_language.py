"""Sentences in every language that the product speaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphs import words
from graphs.language.catalog import LANGUAGES, Catalog
from tools.types import Region

ROOT = Path(__file__).parents[2]
STEMS = sorted(
    {
        file.with_name(file.name.removesuffix(".en.yaml"))
        for package in ("graphs", "agent")
        for file in (ROOT / package).rglob("*.en.yaml")
    }
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: stem.name)
def test_every_sentence_is_there_in_every_language_with_the_same_places(stem):
    catalog = Catalog(stem)
    assert catalog.names("zh") == catalog.names("en")
    assert {name: catalog.places("zh", name) for name in catalog.names("zh")} == {
        name: catalog.places("en", name) for name in catalog.names("en")
    }


def test_another_text_is_another_version(tmp_path):
    for language in LANGUAGES:
        (tmp_path / f"a.{language}.yaml").write_text("hello: Hello {name}\n")
        (tmp_path / f"b.{language}.yaml").write_text("hello: Hello, {name}\n")
    first, second = Catalog(tmp_path / "a"), Catalog(tmp_path / "b")
    assert first.say("en", "hello", name="you") == "Hello you"
    assert first.digest("en") != second.digest("en")
    assert re.fullmatch("[0-9a-f]{12}", first.digest("en"))
    with pytest.raises(KeyError):
        first.say("en", "hello")


def test_a_reading_is_told_in_both_languages(reading_in):
    english = words.describe_reading(reading_in("anomalous"))
    assert english == (
        "Expert pair measured 9.00, above the threshold 4.00: more than good parts show. "
        "Reliability high: eight good images."
    )
    chinese = words.describe_reading(reading_in("uncertain"), language="zh")
    assert CHINESE.search(chinese)
    assert "3.50" in chinese
    assert "基于 8 张良品" in chinese


def test_a_region_is_told_with_its_size_in_mm_and_how_it_lies(region):
    lying = region.model_copy(update={"orientation_deg": 30.0, "change": "missing"})
    assert words.describe_region(lying, mm_per_px=0.05) == (
        "40x10 px (2 x 0.5 mm) at the center, 0.13 % of the image, 4.0 times as long as wide, "
        "falling to the right at 30 degrees, darker than the reference by 60 grey levels, "
        "without the structure that the reference has there"
    )
    assert "位于中央" in words.describe_region(lying, language="zh")


@pytest.mark.parametrize(
    ("angle", "said"),
    [
        (0, "horizontally"),
        (175, "horizontally"),
        (88, "vertically"),
        (45, "falling to the right at 45"),
        (150, "rising to the right at 30"),
    ],
)
def test_angles_are_told_as_a_person_sees_them(angle, said):
    """Image coordinates run downwards, so that an angle towards y falls."""
    assert said in words.say_lying(angle)


def test_the_extent_is_that_of_the_turned_rectangle():
    diagonal = Region.model_validate(
        {
            "box": {"x0": 0, "y0": 0, "x1": 101, "y1": 101},
            "contour": ((0, 0), (100, 100), (98, 100), (0, 2)),
            "cell": "top left",
            "area_px": 200,
            "area_fraction": 0.01,
            "peak": 1.0,
            "peak_xy": (50, 50),
            "elongation": 50.0,
            "orientation_deg": 45.0,
        }
    )
    extent = words.extent_of(diagonal, 0.1)
    assert extent.length_px == pytest.approx(142, abs=2)
    assert extent.breadth_px == pytest.approx(2.4, abs=0.3)
    assert (extent.width_mm, extent.area_mm2, extent.orientation_deg) == (10.1, 2.0, 45.0)
    assert words.extent_of(diagonal).width_mm is None
