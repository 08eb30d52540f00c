"""Templates that a benchmark moves show nothing but the part, elsewhere; queries only lose their border."""

from __future__ import annotations

import numpy as np

from benchmarks.reasoning import inset, with_moved_templates
from evals.mmad.dataset import read_mmad
from tests.evals.mmad_folder import write_mmad
from tools.experts.registration import register
from tools.image import ImageStore


def test_every_template_moves_and_no_query_does(tmp_path):
    root = write_mmad(tmp_path / "data", images=4, size_px=128)
    moved = with_moved_templates(root, tmp_path / "moved", seed=0)
    images = ImageStore()
    for before, after in zip(read_mmad(root).cases, read_mmad(moved).cases, strict=True):
        query, cut = (images.pixels(images.open(case.path)) for case in (before, after))
        np.testing.assert_array_equal(cut, inset(query))
        for old, new in zip(before.templates("random", 8), after.templates("random", 8), strict=True):
            was, now = inset(images.pixels(images.open(old))), images.pixels(images.open(new))
            assert was.shape == now.shape == cut.shape
            shift = register(now, was).motion @ (cut.shape[1] / 2, cut.shape[0] / 2, 1)
            assert 1 < np.hypot(*(shift - (cut.shape[1] / 2, cut.shape[0] / 2))) < 8


def test_the_same_seed_moves_templates_the_same_way(tmp_path):
    root = write_mmad(tmp_path / "data", images=2, size_px=128)
    first, again, other = (
        with_moved_templates(root, tmp_path / name, seed) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    template = read_mmad(first).cases[0].templates("random", 1)[0].relative_to(first)
    assert (first / template).read_bytes() == (again / template).read_bytes()
    assert (first / template).read_bytes() != (other / template).read_bytes()
