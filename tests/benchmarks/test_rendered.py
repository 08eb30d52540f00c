"""Rendered products: masks say what changed, seeds say what is drawn, roles keep products apart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rendered.captions import ADJECTIVES, DAMAGED, GOOD, NOUNS, caption
from benchmarks.rendered.drawing import LEAST_PX, MOST_SHARE, SEEN_LEVELS, draw
from benchmarks.rendered.flaws import FLAWS
from benchmarks.rendered.folder import write_products
from benchmarks.rendered.scene import Product
from benchmarks.rendered.sets import ROLES, pairs, products
from benchmarks.rendered.shapes import SHAPES
from benchmarks.rendered.surfaces import COLOURS, SURFACES
from tools.image import ImageStore
from tools.marked.layouts import check_examples, find_examples

NUT = Product("nut", "brushed", "blue")


@pytest.mark.parametrize("kind", FLAWS)
def test_the_mask_is_where_a_flaw_changed_the_picture(kind: str) -> None:
    for number, (shape, surface, colour) in enumerate(zip(SHAPES, SURFACES, COLOURS, strict=False)):
        picture = draw(Product(shape, surface, colour), kind, number)
        change = np.abs(picture.pixels.astype(int) - picture.good).max(axis=2)
        assert change[picture.mask].min() >= SEEN_LEVELS - 1  # rounding
        assert change[~picture.mask].max() <= SEEN_LEVELS + 1
        assert LEAST_PX <= picture.mask.sum() <= MOST_SHARE * picture.mask.size


def test_a_good_piece_has_no_mask() -> None:
    picture = draw(NUT, None, 3)
    assert not picture.mask.any()
    np.testing.assert_array_equal(picture.pixels, picture.good)


def test_a_seed_draws_the_same_again_and_another_seed_another() -> None:
    first, again, other = (draw(NUT, "dent", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert (first.pixels != other.pixels).mean() > 0.5


def test_every_product_can_have_every_flaw() -> None:
    for shape in SHAPES:
        for kind in FLAWS:
            assert draw(Product(shape, "matt", "grey"), kind, "any").mask.any()


def test_roles_share_no_shape_with_surface_and_pretraining_knows_each_of_both() -> None:
    for one, other in combinations(ROLES, 2):
        assert not set(pairs(one)) & set(pairs(other))
        assert not set(products(one)) & set(products(other))
    assert sum(len(pairs(role)) for role in ROLES) == len(SHAPES) * len(SURFACES)
    assert {shape for shape, _ in pairs("pretraining")} == set(SHAPES)
    assert {surface for _, surface in pairs("pretraining")} == set(SURFACES)


def test_captions_say_the_state_of_the_part_and_no_other() -> None:
    rng = np.random.default_rng(0)
    said = {kind: " ".join(caption(NUT, kind, rng) for _ in range(200)) for kind in (None, *FLAWS)}
    assert not any(word in said[None] for word in (*DAMAGED, *NOUNS.values()))
    for kind in FLAWS:
        assert NOUNS[kind] in said[kind]
        assert not any(f" {word} " in said[kind] for word in (*GOOD, "without"))
        others = [word for other in FLAWS if other != kind for word in ADJECTIVES[other]]
        assert not any(f" {word} " in said[kind] for word in others)


def test_a_written_folder_is_what_trainers_read(tmp_path: Path) -> None:
    write_products(tmp_path, products("held-out")[:2], good=2, flawed=1, seed=0)
    marked = find_examples(tmp_path)
    assert marked.layout == "MVTec AD"
    assert (len(marked.examples), marked.damaged) == (2 * (2 + len(FLAWS)), 2 * len(FLAWS))
    assert check_examples(marked, ImageStore()).damaged == marked.damaged
