"""Fits on disk: a fit comes back as it was, and nothing stale or damaged is ever taken for one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

import numpy as np
import pytest

from tools.errors import ExpertError
from tools.experts.base import EVERYTHING, FittedState, Scope
from tools.experts.bench import ExpertBench
from tools.experts.shelf import FACTS, TENSORS, FitShelf, load_fitted, save_fitted
from tools.image import ImageStore
from tools.masks import Mask
from tools.types import UserLimits


@dataclass
class MeanColour:
    """The smallest expert there is: it knows the mean colour of each good image."""

    name: str = "mean-colour"
    version: str = "1"
    needs_normals: bool = True
    purpose: str = "compare colours"
    requirement: str = "nothing"
    fits: list[int] = field(default_factory=list)

    def obstacle(self):
        return None

    def fit(self, normals, scope=EVERYTHING):
        self.fits.append(len(normals))
        return FittedMean(self, np.array([image.mean(axis=(0, 1)) for image in normals], np.float32))

    def restore(self, state):
        return FittedMean(self, state.arrays["means"])


@dataclass
class FittedMean:
    expert: MeanColour
    means: np.ndarray
    limits: UserLimits | None = None

    def with_limits(self, limits):
        return FittedMean(self.expert, self.means, limits)

    def extended(self, normals):
        return FittedMean(self.expert, np.concatenate([self.means, self.expert.fit(normals).means]))

    def state(self):
        return FittedState({"means": self.means}, {"count": len(self.means)})


def fit(expert, seed=0, count=3):
    images = np.random.default_rng(seed).integers(0, 255, (count, 8, 8, 3), dtype=np.uint8)
    return expert.fit(list(images))


def test_a_fit_comes_back_as_it_was(tmp_path):
    expert = MeanColour()
    save_fitted(fit(expert), expert, tmp_path / "fit", normals=["a" * 64])
    assert np.array_equal(load_fitted(expert, tmp_path / "fit").means, fit(expert).means)
    assert json.loads((tmp_path / "fit" / FACTS).read_text())["normals_sha256"] == ["a" * 64]


def test_a_fit_of_another_version_is_refused_by_name(tmp_path):
    expert = MeanColour()
    save_fitted(fit(expert), expert, tmp_path)
    with pytest.raises(ExpertError, match="keeps mean-colour 1, not mean-colour 2: fit the expert again"):
        load_fitted(MeanColour(version="2"), tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / TENSORS).write_bytes(b"not tensors"),
        lambda folder: (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-3]),
        lambda folder: (folder / TENSORS).unlink(),
        lambda folder: (folder / FACTS).write_text("{"),
        lambda folder: (folder / FACTS).write_text("[]"),
        lambda folder: (folder / FACTS).write_text('{"format": 1}'),
        lambda folder: (folder / FACTS).write_bytes(b"\x80\x04pickle"),
        lambda folder: (folder / FACTS).unlink(),
    ],
)
def test_a_damaged_fit_is_refused_in_one_line_and_fitted_again(tmp_path, damage):
    expert, shelf = MeanColour(), FitShelf(tmp_path)
    shelf.keep(fit(expert), expert, ["a" * 64], EVERYTHING)
    (folder,) = tmp_path.iterdir()
    damage(folder)
    with pytest.raises(ExpertError) as caught:
        load_fitted(expert, folder)
    assert "\n" not in str(caught.value)
    assert "fit the expert again" in str(caught.value)
    assert shelf.find(expert, ["a" * 64], EVERYTHING) is None


def test_the_shelf_tells_images_their_order_scopes_and_versions_apart(tmp_path):
    expert, shelf = MeanColour(), FitShelf(tmp_path)
    shelf.keep(fit(expert), expert, ["a", "b"], EVERYTHING)
    assert shelf.find(expert, ["a", "b"], EVERYTHING) is not None
    assert shelf.find(expert, ["b", "a"], EVERYTHING) is None
    assert shelf.find(expert, ["a"], EVERYTHING) is None
    assert shelf.find(expert, ["a", "b"], Scope(product="flange")) is None
    assert shelf.find(expert, ["a", "b"], Scope(roi=Mask(np.ones((2, 2), bool)))) is None
    assert shelf.find(MeanColour(version="2"), ["a", "b"], EVERYTHING) is None


def test_what_was_not_used_for_longest_leaves_a_full_shelf(tmp_path):
    expert = MeanColour()
    FitShelf(tmp_path).keep(fit(expert), expert, ["a"], EVERYTHING)
    one = sum(file.stat().st_size for file in tmp_path.glob("*/*"))
    shelf = FitShelf(tmp_path, most_bytes=int(2.5 * one))
    shelf.keep(fit(expert), expert, ["b"], EVERYTHING)
    for file in tmp_path.glob(f"*/{FACTS}"):
        os.utime(file, (1, 1))
    assert shelf.find(expert, ["a"], EVERYTHING) is not None  # used again, so b is now the oldest
    shelf.keep(fit(expert), expert, ["c"], EVERYTHING)
    assert [name for name in "abc" if shelf.find(expert, [name], EVERYTHING)] == ["a", "c"]


def test_a_shelf_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_text("in the way")
    expert, shelf = MeanColour(), FitShelf(tmp_path / "file")
    shelf.keep(fit(expert), expert, ["a"], EVERYTHING)
    assert shelf.find(expert, ["a"], EVERYTHING) is None


@pytest.fixture
def images(tmp_path):
    return ImageStore(1_000_000, spool=tmp_path / "spool")


def pictures(images, count):
    rng = np.random.default_rng(3)
    return [images.add(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8), f"p{i}") for i in range(count)]


def test_another_run_finds_the_fit_of_an_earlier_one(tmp_path, images):
    refs, first, later = pictures(images, 2), MeanColour(), MeanColour()
    made = ExpertBench([first], images, shelf=FitShelf(tmp_path / "fits")).fitted(
        "mean-colour", refs, keep=True
    )
    found = ExpertBench([later], images, shelf=FitShelf(tmp_path / "fits")).fitted(
        "mean-colour", refs, keep=True
    )
    assert (first.fits, later.fits) == ([2], [])
    assert np.array_equal(made.means, found.means)


def test_what_will_not_be_wanted_again_is_not_kept(tmp_path, images):
    refs = pictures(images, 1)
    bench = ExpertBench([MeanColour()], images, shelf=FitShelf(tmp_path / "fits"))
    bench.fitted("mean-colour", refs)
    truth = Scope(truth=Mask(np.ones((8, 8), bool)))
    bench.fitted("mean-colour", refs, truth, keep=True)
    assert not (tmp_path / "fits").exists()


def test_more_good_images_extend_what_is_known(tmp_path, images):
    refs, expert = pictures(images, 5), MeanColour()
    bench = ExpertBench([expert], images, shelf=FitShelf(tmp_path / "fits"))
    bench.extended("mean-colour", [], refs[:3])
    grown = bench.extended("mean-colour", refs[:3], refs[3:])
    assert expert.fits == [3, 2]
    later = MeanColour()
    found = ExpertBench([later], images, shelf=FitShelf(tmp_path / "fits")).fitted(
        "mean-colour", refs, keep=True
    )
    assert later.fits == []
    assert np.array_equal(found.means, grown.means)


def test_limits_of_the_user_do_not_stay_with_the_fit(images):
    bench = ExpertBench([MeanColour()], images)
    refs = pictures(images, 1)
    limited = bench.fitted("mean-colour", refs, limits=UserLimits(sensitivity=2))
    assert limited.limits == UserLimits(sensitivity=2)
    assert bench.fitted("mean-colour", refs).limits is None
