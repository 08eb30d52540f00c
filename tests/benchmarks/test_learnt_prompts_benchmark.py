"""The small CLIP is made, kept and taken again; the comparison of learnt prompts runs and its table is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.learnt_prompts import (
    ANOMALYCLIP,
    ANOMALYCLIP_ALIKE,
    DAPO,
    FIXED,
    FIXED_ALIKE,
    Sizes,
    measured,
    report,
)
from benchmarks.rendered.measuring import FIGURES, Seen, interval, judged, shown
from benchmarks.rendered.sets import products

TINY: dict[str, Any] = {"width": 64, "layers": 2, "text_width": 64, "text_layers": 2, "word_epochs": 1}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clip() -> Any:
    from benchmarks.rendered.first_weights import drawn_clip
    from benchmarks.rendered.pretraining import Pretraining

    return drawn_clip(Pretraining(**TINY).shape, 0).requires_grad_(False).eval()


def test_a_small_clip_is_made_once_and_opens(tmp_path: Path) -> None:
    from benchmarks.rendered.groups import shelf
    from benchmarks.rendered.pretraining import Pretraining, pretrained
    from benchmarks.small_clip import learnt
    from tools.clip.files import load_clip

    settings = Pretraining(**TINY, pairs=1, colours=2, groups=1, epochs=2, batch_groups=2)
    epochs: list[float] = []
    made = pretrained(settings, tmp_path, epoch=lambda done: epochs.append(done.record.losses["places"]))
    assert len(epochs) == 2
    again = pretrained(settings, tmp_path, epoch=lambda _: pytest.fail("made twice"))
    assert again == made
    said = learnt(load_clip(made), shelf(products("choosing")[:2], 0))
    assert all(f"its {question}" in said for question in ("shape", "surface", "colour", "state"))


def test_pretraining_that_was_stopped_comes_to_the_same_clip(tmp_path: Path) -> None:
    from benchmarks.rendered.pretraining import Pretraining, pretrained
    from tools.clip.files import load_clip

    settings = Pretraining(**TINY, pairs=1, colours=1, groups=2, epochs=2)
    whole = pretrained(settings, tmp_path / "whole")

    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrained(settings, tmp_path / "stopped", epoch=stop)
    resumed = pretrained(settings, tmp_path / "stopped")
    assert load_clip(resumed).fingerprint == load_clip(whole).fingerprint


def test_every_method_gives_every_figure_that_it_has(clip: Any) -> None:
    sizes = Sizes(learnt_good=2, learnt_flawed=1, judged_good=2, judged_flawed=1, products=2)
    told = measured(clip, "choosing", sizes, seeds=2, epochs=1, tell=lambda _: None)
    assert {name: values.shape for name, values in told.items()} == {
        **dict.fromkeys((FIXED, FIXED_ALIKE), (1, 2, 4)),
        **dict.fromkeys((ANOMALYCLIP, DAPO, ANOMALYCLIP_ALIKE), (2, 2, 4)),
    }
    assert np.isnan(told[ANOMALYCLIP][..., 3]).all()  # it tells no types
    for name, values in told.items():
        known = values[..., : 3 if name in {ANOMALYCLIP, ANOMALYCLIP_ALIKE} else 4]
        assert ((known >= 0) & (known <= 1)).all()


def test_a_method_that_knows_the_masks_is_perfect_and_one_that_inverts_them_is_not() -> None:
    product = products("held-out")[0]
    pictures = shown(product, good=3, flawed=1, seed=0)

    def knowing(sign: float) -> Any:
        return lambda *_: [
            Seen(sign * one.mask.any(), np.float32(sign) * one.mask.astype(np.float32), one.kind)
            for one in pictures
        ]

    assert judged(knowing(1.0), product, pictures) == [1.0, 1.0, 1.0, 1.0]
    assert judged(knowing(-1.0), product, pictures)[:2] == [0.0, 0.0]


def test_the_report_says_what_the_figures_say() -> None:
    rng = np.random.default_rng(0)
    fixed = 0.6 + 0.05 * rng.random((1, 16, 4))
    better = fixed + 0.2 + 0.01 * rng.random((5, 16, 4))
    told = {FIXED: fixed, FIXED_ALIKE: fixed, ANOMALYCLIP: fixed, ANOMALYCLIP_ALIKE: fixed, DAPO: better}
    lines = report(told).splitlines()
    assert all(figure in lines[1] for figure in FIGURES)
    margin = next(line for line in lines if line.startswith(f"{DAPO} - {FIXED}"))
    assert margin.count("+20.") == 12  # the mean and both ends of each of four figures


def test_intervals_hold_the_mean_and_grow_with_the_spread() -> None:
    rng = np.random.default_rng(1)
    near, far = (0.7 + spread * rng.standard_normal((5, 16)) for spread in (0.01, 0.1))
    for values in (near, far):
        mean, low, high = interval(values)
        assert low < mean < high
    assert interval(far)[2] - interval(far)[1] > 4 * (interval(near)[2] - interval(near)[1])
