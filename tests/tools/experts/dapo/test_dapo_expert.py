"""DAPO as an expert: zones as AnomalyCLIP's, and each region with the chances of its types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.tools.clip.small_clip import draw_part
from tests.tools.experts.dapo.drawn import TYPES, Learnt, damaged
from tools.errors import ExpertUnavailable
from tools.experts.base import EVERYTHING, Expert, Scope
from tools.experts.dapo.expert import DapoExpert
from tools.experts.prompted.looking import Frame, Sight
from tools.experts.prompted.type_shares import with_types
from tools.experts.shelf import load_fitted, save_fitted
from tools.masks import Mask
from tools.regions import find_regions
from tools.types import Box


@pytest.fixture(scope="module")
def expert(learnt: Learnt) -> DapoExpert:
    return DapoExpert(learnt.weights, learnt.prompts, device="cpu")


def test_it_keeps_the_protocol(expert: DapoExpert) -> None:
    kept: Expert = expert
    assert kept.name == "dapo"
    assert not kept.needs_normals
    assert kept.obstacle() is None


def test_what_is_missing_is_said_with_what_brings_it(learnt: Learnt, tmp_path: Path) -> None:
    unprompted = DapoExpert(learnt.weights)
    assert "agent train prompts --method dapo" in (unprompted.obstacle() or "")
    assert "AGENT_DAPO_PROMPTS" in (unprompted.obstacle() or "")
    with pytest.raises(ExpertUnavailable, match="there is no file"):
        DapoExpert(learnt.weights, tmp_path / "none").fit([])


def test_whether_it_can_run_is_known_without_torch() -> None:
    code = (
        "import sys; from tools.experts.dapo.expert import DapoExpert; "
        "DapoExpert(types=('a',)).obstacle(); DapoExpert().version; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", TYPES)
def test_a_region_carries_the_chances_of_its_types(expert: DapoExpert, kind: str) -> None:
    picture, marked = damaged(505, kind)
    fitted = expert.fit([draw_part(seed) for seed in range(600, 606)])
    reading = fitted.read(picture).reading
    assert reading.zone == "anomalous"
    region = reading.regions[0]
    x, y = region.peak_xy
    assert marked[y, x]
    assert region.types[0].type == kind
    assert {chance.type for chance in region.types} == set(TYPES)
    chances = [chance.probability for chance in region.types]
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) == pytest.approx(1)


def test_without_a_good_image_it_claims_no_more_than_it_leans_to(expert: DapoExpert) -> None:
    reading = expert.fit([]).read(damaged(505, "stain")[0]).reading
    assert reading.zone == "uncertain"
    assert reading.regions
    assert all(region.types for region in reading.regions)
    assert any("No good image was given" in note for note in reading.notes)


def test_other_types_make_another_version_and_are_told(learnt: Learnt) -> None:
    named = DapoExpert(learnt.weights, learnt.prompts, types=["rust", "hole"], device="cpu")
    assert named.version != DapoExpert(learnt.weights, learnt.prompts).version
    assert named.version != DapoExpert(learnt.weights, learnt.prompts, types=["hole", "rust"]).version
    region = named.fit([]).read(damaged(505, "stain")[0]).reading.regions[0]
    assert {chance.type for chance in region.types} == {"rust", "hole"}


def test_a_fit_is_kept_and_comes_back(expert: DapoExpert, tmp_path: Path) -> None:
    fitted = expert.fit([draw_part(600)], Scope(roi=Mask.of_box(Box(x0=0, y0=0, x1=96, y1=80), 96, 96)))
    save_fitted(fitted, expert, tmp_path / "fit")
    again = load_fitted(expert, tmp_path / "fit")
    picture = damaged(505, "stain")[0]
    drop = {"seconds", "timings_s"}
    one, other = (found.read(picture).reading.model_dump(exclude=drop) for found in (fitted, again))
    assert one == other
    assert expert.fit([], EVERYTHING).name == "dapo"


def test_shares_are_of_the_pixels_of_the_region_wherever_it_lies() -> None:
    """Two regions in a picture of another size than the maps, with a region of interest."""
    type_maps = np.zeros((3, 8, 8), np.float32)
    type_maps[0, :, :4], type_maps[1, :, 4:], type_maps[2] = 0.6, 0.3, 0.1
    picture = np.zeros((60, 100, 3), np.uint8)
    frame = Frame(Mask.of_box(Box(x0=20, y0=10, x1=100, y1=50), 100, 60))
    map_values = np.zeros((60, 100), np.float32)
    map_values[20:30, 22:40] = 0.7
    map_values[40:41, 90:93] = 0.6
    sight = Sight(0.9, 0.7, map_values, ("one", "two", "three"), type_maps)
    left, right = find_regions(map_values, low=0.5, high=0.5, min_area_px=1)
    found = with_types(left, sight, frame, picture)
    assert [chance.type for chance in found.types] == ["one", "three", "two"]
    assert found.types[0].probability == pytest.approx(0.6 / 0.7)
    found = with_types(right, sight, frame, picture)
    assert [chance.type for chance in found.types] == ["two", "three", "one"]
    assert found.types[0].probability == pytest.approx(0.75)
    untyped = Sight(0.9, 0.7, map_values, (), np.zeros((0, 1, 1), np.float32))
    assert with_types(left, untyped, frame, picture) is left
    nothing = Sight(0.9, 0.7, map_values, ("one", "two"), np.zeros((2, 8, 8), np.float32))
    assert [chance.probability for chance in with_types(left, nothing, frame, picture).types] == [0.5, 0.5]
