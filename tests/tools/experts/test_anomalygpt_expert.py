"""The map that AnomalyGPT hears, as an expert, on a small model that was learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tools.anomalygpt.speaking import CORNERS, Made, speaking
from tests.tools.clip.fixtures import one_thread
from tools.experts.anomalygpt import MOST_NORMALS, AnomalyGptExpert, Opened
from tools.experts.base import Scope
from tools.experts.shelf import load_fitted, save_fitted
from tools.file_digest import file_sha256
from tools.image import ImageStore
from tools.masks import Mask
from tools.types import Box, Pixels, UserLimits

__all__ = ["one_thread", "speaking"]


def read(path: Path) -> Pixels:
    images = ImageStore()
    return images.pixels(images.open(path))


@pytest.fixture(scope="module")
def expert(speaking: Made) -> AnomalyGptExpert:
    from tools.anomalygpt.opening import open_model

    model = open_model(speaking.folder, device="cpu")
    return AnomalyGptExpert(Opened(model, file_sha256(speaking.folder / "model.safetensors")))


@pytest.mark.parametrize("shots", [0, 1, 3])
@pytest.mark.parametrize("corner", range(4))
def test_a_blot_is_found_where_it_is_by_words_and_beside_good_parts(expert, speaking, shots, corner):
    fitted = expert.fit([read(path) for path in speaking.good[:shots]])
    measured = fitted.read(read(speaking.bad[corner]))
    assert measured.map_values.shape == (96, 96)
    assert measured.reading.zone != "normal"
    assert measured.reading.calibration.normals == shots
    assert measured.reading.regions[0].cell in {CORNERS[corner], "center"}
    row, column = np.unravel_index(measured.map_values.argmax(), measured.map_values.shape)
    assert (row > 48, column > 48) == (corner > 1, corner % 2 == 1)


@pytest.mark.parametrize("shots", [0, 1, 3])
def test_a_good_part_is_normal(expert, speaking, shots):
    fitted = expert.fit([read(path) for path in speaking.good[:shots]])
    assert fitted.read(read(speaking.good[3])).reading.zone == "normal"


def test_words_alone_raise_doubt_and_make_nothing_anomalous(expert, speaking):
    assert expert.fit([]).read(read(speaking.bad[0])).reading.zone == "uncertain"


def test_it_takes_a_few_good_parts_each_once(expert, speaking):
    good = [read(path) for path in speaking.good]
    assert expert.fit([good[0], good[0]]).calibration.normals == 1
    many = [*good, 255 - good[0], 255 - good[1]]
    assert expert.fit(many).calibration.normals == MOST_NORMALS
    assert expert.fit(good[:1]).extended(good[1:3]).calibration == expert.fit(good[:3]).calibration


def test_only_what_is_of_interest_counts(expert, speaking):
    left = Mask.of_box(Box(x0=0, y0=0, x1=48, y1=96), 96, 96)
    for normals in ([], [read(speaking.good[0])]):
        fitted = expert.fit(normals, Scope(roi=left))
        seen = fitted.read(read(speaking.bad[0])).map_values
        assert seen[:, 48:].max() == 0
        assert seen.max() > 2 * fitted.read(read(speaking.bad[1])).map_values.max()


def test_limits_of_a_user_hold(expert, speaking):
    fitted = expert.fit([read(speaking.good[0])]).with_limits(UserLimits(threshold=0.01))
    assert fitted.read(read(speaking.bad[0])).reading.zone == "anomalous"


@pytest.mark.parametrize("shots", [0, 1, 2])
def test_it_is_kept_and_measures_the_same_again(expert, speaking, tmp_path, shots):
    fitted = expert.fit(
        [read(path) for path in speaking.good[:shots]],
        Scope(roi=Mask.of_box(Box(x0=0, y0=0, x1=96, y1=90), 96, 96)),
    )
    save_fitted(fitted, expert, tmp_path)
    again = load_fitted(expert, tmp_path)
    query = read(speaking.bad[2])
    assert np.array_equal(again.read(query).map_values, fitted.read(query).map_values)
    assert again.calibration == fitted.calibration
