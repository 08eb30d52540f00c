"""AnomalyGPT beside its map with a threshold: what counts as right, and the whole at a tiny size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.anomalygpt import (
    ANSWERS,
    FIGURES,
    THRESHOLD,
    Asked,
    Said,
    best_threshold,
    by_answer,
    by_threshold,
    judged_pictures,
    measured,
    report,
    rightly,
)
from benchmarks.rendered.folder import write_products
from benchmarks.rendered.sets import products


def test_the_threshold_is_the_one_that_parts_best() -> None:
    assert best_threshold([0.1, 0.2, 0.5], [0.4, 0.6, 0.7]) in (0.4, 0.6)
    assert best_threshold([0.1, 0.2], [0.8, 0.9]) == 0.8
    assert best_threshold([0.5], [0.1]) in (0.1, np.inf)  # nothing better than a guess
    with pytest.raises(ValueError, match="good and damaged"):
        best_threshold([], [0.1])


def test_a_map_says_the_cell_of_its_peak() -> None:
    found = np.zeros((9, 9), np.float32)
    found[7, 1] = 0.6
    assert by_threshold(found, 0.5) == Said(damaged=True, cell="bottom left")
    assert not by_threshold(found, 0.7).damaged


def test_an_answer_says_its_word_and_its_first_cell() -> None:
    said = by_answer("Yes, there are 2 anomalies in the image, at the left and center of the image.")
    assert said == Said(damaged=True, cell="left")
    assert by_answer("No, there is no anomaly in the image.") == Said(damaged=False, cell=None)


def test_knowing_all_is_right_and_saying_yes_to_all_is_half_right() -> None:
    pictures = judged_pictures(products("choosing")[0], 1, 0, 0)
    assert sum(bool(one.cells) for one in pictures) == len(pictures) // 2 == 8
    knowing = [Said(bool(one.cells), one.cells[0] if one.cells else None) for one in pictures]
    assert rightly(knowing, pictures) == [1.0, 1.0]
    assert rightly([Said(damaged=True, cell=None)] * 16, pictures) == [0.5, 0.0]
    assert rightly([by_answer("It may be damaged.")] * 16, pictures) == [0.0, 0.0]


def test_good_parts_beside_are_not_the_pictures_that_are_judged() -> None:
    pictures = judged_pictures(products("choosing")[0], 1, 2, 0)
    assert len(pictures) == 16
    assert len(pictures[0].normals) == 2
    for one in pictures:
        assert all((one.shown.pixels != normal).any() for normal in one.normals)


def test_a_tiny_run_learns_answers_and_is_told_in_a_table(tmp_path: Path) -> None:
    import torch

    from benchmarks.rendered.first_weights import drawn_clip
    from benchmarks.rendered.pretraining import Pretraining
    from benchmarks.rendered.small_lm import SmallLm, pretrained_lm

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    tiny: dict[str, Any] = {"width": 64, "layers": 2, "text_width": 64, "text_layers": 2}
    clip = drawn_clip(Pretraining(**tiny).shape, 0).requires_grad_(False).eval()
    small = SmallLm(width=32, layers=1, heads=2, dialogues=32, epochs=1)
    lm = pretrained_lm(small, tmp_path)
    assert pretrained_lm(small, tmp_path, epoch=lambda _: pytest.fail("made twice")) == lm
    pictures = judged_pictures(products("choosing")[0], 1, 1, 1)
    asked = Asked(1, [pictures], pictures)
    folder = write_products(tmp_path / "learning", products("learning")[:1], good=8, flawed=1, seed=0)
    (told,) = measured(clip, lm, folder, [asked], seeds=1, epochs=1)
    torch.set_num_threads(before)
    assert {way: values.shape for way, values in told.items()} == {THRESHOLD: (1, 1, 2), ANSWERS: (1, 1, 2)}
    lines = report(told, 1).splitlines()
    assert all(figure in lines[1] for figure in FIGURES)
    assert lines[-1].startswith(f"{ANSWERS} - {THRESHOLD}")
