"""What every expert on an anomalib model does, whichever model it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.errors import ExpertError
from tools.experts.anomalib_models import AnomalibPatchCoreExpert, AnomalibPatchCoreOptions
from tools.experts.base import FittedState, Scope
from tools.experts.shelf import load_fitted, save_fitted
from tools.masks import Mask
from tools.types import Box, Pixels, UserLimits

pytestmark = pytest.mark.xdist_group("anomalib")

NAMES = ("embedded", "convolutional", "transformer", "dino", "masked dino", "winclip")
ALIKE = {"rtol": 1e-3, "atol": 1e-5}

Surface = Callable[..., Pixels]


@pytest.fixture(scope="module")
def goods(surface: Surface) -> list[Pixels]:
    return [surface(seed, 112, 160) for seed in range(4)]


@pytest.fixture(params=NAMES)
def expert(request: pytest.FixtureRequest, experts: dict[str, Any]) -> Any:
    return experts[request.param]


@pytest.fixture(params=["embedded", "convolutional", "dino"])
def seeing(request: pytest.FixtureRequest, experts: dict[str, Any]) -> Any:
    """Random weights see differences only where they are local; of the others more than that cannot be asked."""
    return experts[request.param]


def flawed(image: Pixels) -> Pixels:
    """A checkered patch around (120, 50)."""
    image = image.copy()
    rows, columns = np.mgrid[30:70, 100:140]
    image[30:70, 100:140] = np.where((rows // 4 + columns // 4) % 2, 255, 0)[..., None].astype(np.uint8)
    return image


@pytest.mark.parametrize("count", [1, 3])
def test_a_flaw_is_found(seeing: Any, goods: list[Pixels], count: int) -> None:
    fitted = seeing.fit(goods[:count])
    good, bad = fitted.read(goods[3]), fitted.read(flawed(goods[3]))
    assert fitted.calibration.normals == count
    assert fitted.calibration.wanted == 16 - count
    assert bad.reading.score > good.reading.score
    assert bad.reading.zone != "normal"
    assert bad.map_values[30:70, 100:140].mean() > 1.2 * bad.map_values[:, :60].mean()
    box = bad.reading.regions[0].box
    assert box.x0 < 120 < box.x1
    assert box.y0 < 50 < box.y1


def test_a_reading_says_what_it_is(expert: Any, goods: list[Pixels]) -> None:
    measured = expert.fit(goods[:1]).read(goods[3])
    assert measured.reading.expert == expert.name
    assert measured.map_values.shape == (112, 160)
    assert measured.map_values.dtype == np.float32
    assert set(measured.reading.timings_s) == {"features", "search", "regions"}
    assert measured.reading.seconds == pytest.approx(sum(measured.reading.timings_s.values()))


def test_what_is_known_is_normal(expert: Any, goods: list[Pixels]) -> None:
    again = expert.fit(goods[:2]).read(goods[0]).reading
    assert again.zone == "normal"
    assert again.regions == ()


def test_alone_or_together_images_measure_the_same(
    expert: Any, goods: list[Pixels], surface: Surface
) -> None:
    fitted = expert.fit(goods[:2])
    images = [goods[2], surface(9, 160, 112), flawed(goods[3]), goods[3]]
    together = fitted.read_batch(images)
    for image, measured in zip(images, together, strict=True):
        alone = fitted.read(image)
        assert measured.reading.zone == alone.reading.zone
        assert measured.reading.score == pytest.approx(alone.reading.score, rel=1e-3)
        np.testing.assert_allclose(measured.map_values, alone.map_values, **ALIKE)
    assert fitted.read_batch([]) == []


def test_a_fit_comes_back_from_disk_to_the_bit(expert: Any, goods: list[Pixels], tmp_path: Path) -> None:
    scope = Scope(roi=Mask.of_box(Box(x0=40, y0=10, x1=150, y1=100), 160, 112), product="steel")
    fitted = expert.fit(goods[:2], scope)
    save_fitted(fitted, expert, tmp_path)
    again = load_fitted(expert, tmp_path)
    for image in (goods[3], flawed(goods[3])):
        before, after = fitted.read(image), again.read(image)
        assert np.array_equal(before.map_values, after.map_values)
        assert before.reading.model_dump(exclude={"seconds", "timings_s"}) == after.reading.model_dump(
            exclude={"seconds", "timings_s"}
        )
    grown, grown_again = (one.extended(goods[2:3]).calibration for one in (fitted, again))
    assert grown == grown_again


def test_more_good_images_are_added_and_the_known_not_seen_again(
    expert: Any, goods: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = expert.fit(goods[:1])
    seen: list[int] = []
    see = one._detector.see
    monkeypatch.setattr(
        type(one._detector),
        "see",
        lambda _, images, roi, **learning: (seen.append(len(images)), see(images, roi, **learning))[1],
    )
    three = one.extended(goods[:3])
    monkeypatch.undo()
    assert seen == [2]
    at_once = expert.fit(goods[:3])
    assert three.calibration.normals == 3
    assert three.calibration.method == at_once.calibration.method
    assert three.calibration.uncertain_from == pytest.approx(at_once.calibration.uncertain_from, rel=1e-3)
    np.testing.assert_allclose(three.read(goods[3]).map_values, at_once.read(goods[3]).map_values, **ALIKE)
    assert one.extended(goods[:1]) is one
    assert one.calibration.normals == 1


def test_one_picture_given_twice_counts_once(expert: Any, goods: list[Pixels]) -> None:
    assert expert.fit([goods[0], goods[0].copy()]).calibration.normals == 1


def test_nothing_outside_the_region_of_interest_is_learnt_or_measured(
    expert: Any, goods: list[Pixels]
) -> None:
    roi = Mask.of_box(Box(x0=0, y0=0, x1=64, y1=112), 160, 112)
    fitted = expert.fit(goods[:2], Scope(roi=roi))
    measured = fitted.read(flawed(goods[3]))
    assert not measured.map_values[:, 64:].any()
    assert measured.map_values[:, :64].any()
    assert all(region.box.x1 <= 64 for region in measured.reading.regions)
    arrays = fitted.state().arrays
    kept = arrays["0.kept"]
    assert 0.3 < kept.mean() <= 0.5
    if "0.rows" in arrays:
        assert len(arrays["0.rows"]) <= kept.sum() < kept.size


def test_a_flaw_outside_the_region_of_interest_does_not_count(seeing: Any, goods: list[Pixels]) -> None:
    roi = Mask.of_box(Box(x0=0, y0=0, x1=64, y1=112), 160, 112)
    inside = seeing.fit(goods[:2], Scope(roi=roi)).read(flawed(goods[3])).reading.score
    assert inside < 0.8 * seeing.fit(goods[:2]).read(flawed(goods[3])).reading.score


def test_an_empty_region_of_interest_is_refused(expert: Any, goods: list[Pixels]) -> None:
    with pytest.raises(ExpertError, match="region of interest is empty"):
        expert.fit(goods[:1], Scope(roi=Mask(np.zeros((112, 160), bool))))


def test_a_users_limits_move_the_zones_and_stay_out_of_the_state(expert: Any, goods: list[Pixels]) -> None:
    fitted = expert.fit(goods[:3])
    score = fitted.read(goods[3]).reading.score
    strict = fitted.with_limits(UserLimits(threshold=score * 0.9))
    reading = strict.read(goods[3]).reading
    assert (reading.zone, reading.score, reading.threshold) == ("anomalous", score, score * 0.9)
    assert "threshold" in (reading.calibration.set_by_user or "")
    lenient = fitted.with_limits(UserLimits(sensitivity=0.1)).read(flawed(goods[3])).reading
    assert lenient.threshold > reading.threshold
    assert expert.restore(strict.state()).calibration == fitted.calibration
    assert strict.extended(goods[3:4]).calibration.anomalous_from == score * 0.9


def test_it_says_what_it_is(expert: Any) -> None:
    assert expert.obstacle() is None
    assert expert.purpose[0].islower()
    assert not expert.purpose.endswith(".")
    assert expert.requirement
    assert expert.version == expert.version


def test_the_version_follows_options_and_weights(
    timm_folder: Callable[..., Path], convolutional: Path, experts: dict[str, Any]
) -> None:
    fewer = AnomalibPatchCoreExpert(f"local-dir:{convolutional}", AnomalibPatchCoreOptions(bank_rows=10))
    others = AnomalibPatchCoreExpert(f"local-dir:{timm_folder('test_resnet', seed=1)}")
    copied = AnomalibPatchCoreExpert(f"local-dir:{timm_folder('test_resnet')}")
    known = experts["convolutional"].version
    assert len({known, fewer.version, others.version}) == 3
    assert copied.version == known


@pytest.mark.parametrize("spoil", ["missing", "dtype", "shape", "nan", "count", "limits", "roi", "product"])
def test_a_state_that_is_none_is_refused(expert: Any, goods: list[Pixels], spoil: str) -> None:
    state = expert.fit(goods[:2]).state()
    arrays, facts = dict(state.arrays), dict(state.facts)
    name = "1.patches" if "1.patches" in arrays else "1.rows"
    match spoil:
        case "missing":
            del arrays[name]
        case "dtype":
            arrays[name] = arrays[name].astype(np.float64)
        case "shape":
            arrays[name] = arrays[name][:-1]
        case "nan":
            arrays[name] = np.full_like(arrays[name], np.nan)
        case "count":
            facts["sights"] = 7
        case "limits":
            facts["score"] = {**facts["score"], "spread": -1}
        case "roi":
            arrays["roi"] = np.zeros((3, 3), np.float32)
        case "product":
            facts["product"] = ["steel"]
    with pytest.raises((KeyError, ValueError, TypeError)):
        expert.restore(FittedState(arrays, facts))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "winclip"])
def test_no_good_image_is_refused_where_one_is_needed(experts: dict[str, Any], name: str) -> None:
    assert experts[name].needs_normals
    with pytest.raises(ValueError, match="at least one good image"):
        experts[name].fit([])


def test_a_tiny_and_a_long_image_are_measured_and_said_to_be_so(
    experts: dict[str, Any], goods: list[Pixels]
) -> None:
    fitted = experts["convolutional"].fit(goods[:1])
    tiny = fitted.read(goods[1][:3, :4])
    assert tiny.map_values.shape == (3, 4)
    assert any("was enlarged" in note for note in tiny.reading.notes)
    long = fitted.read(np.ascontiguousarray(goods[1][:4]))
    assert any("not the shape of the good images" in note for note in long.reading.notes)
