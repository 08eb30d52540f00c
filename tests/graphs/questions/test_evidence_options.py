"""Which defect an option speaks of, what its words claim, and how likely a defect is by its traits."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.findings.kinds import OUTLINES, SURFACES
from graphs.findings.likelihood import defect_probabilities
from graphs.findings.look import look_of
from graphs.findings.surface import surface_probabilities
from graphs.questions.claims import agreement
from graphs.questions.guess import Guess, no_ground
from graphs.questions.likeness import KeptDirections
from graphs.questions.objects import from_product
from graphs.questions.options import aspect_of, meanings, texts_of
from graphs.questions.question import MultipleChoice
from graphs.report import KnowledgePassage
from knowledge_base.embeddings import MiniLmEmbeddings
from knowledge_base.load import load_documents
from knowledge_base.schema import Traits
from tools.appearance import Appearance

WORDS = ("hole", "scratch", "stain", "leather", "bottle", "red", "seal", "leak")


def counted(texts):
    """Directions by which of a few words a text has."""
    rows = np.array([[0.1 + (word in text.casefold()) for word in WORDS] for text in texts], np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def encode():
    return KeptDirections(MiniLmEmbeddings(threads=1).encode)


@pytest.fixture(scope="module")
def documents():
    return load_documents()


def asked(subtask, text="What is it?", options=("One", "Two")):
    return MultipleChoice(subtask=subtask, text=text, options=dict(zip("ABCDEFG", options, strict=False)))


@pytest.mark.parametrize(
    ("subtask", "text", "aspect"),
    [
        ("Defect Classification", "What is the type of the defect?", "names"),
        ("Defect Description", "What is the appearance of the defect?", "look"),
        ("Defect Analysis", "What is the effect of the defect?", "effects"),
        ("Defect Analysis", "What may the defect cause?", "effects"),
        ("Defect Analysis", "What could be the cause of this defect?", "causes"),
        ("Defect Analysis", "What is the likely cause?", "causes"),
        ("Defect Analysis", "What could have caused this defect?", "causes"),
        ("Defect Analysis", "Why did the defect arise?", "causes"),
        ("Defect Analysis", "Which corrective action helps?", "actions"),
        ("Defect Analysis", "What is its impact, and what caused it?", "effects"),
    ],
)
def test_what_a_question_asks_for(subtask, text, aspect):
    assert aspect_of(asked(subtask, text)) == aspect


@pytest.mark.parametrize(
    ("product", "aspect", "options"),
    [
        (
            "carpet",
            "names",
            {"Color stain.": "color-stain", "Cut.": "cut", "Hole.": "hole", "Thread.": "loose-thread"},
        ),
        (
            "bottle",
            "names",
            {"Broken large": "large-chip", "Broken small": "small-chip", "Contamination": "contamination"},
        ),
        (
            "carpet",
            "look",
            {"A bright silver fragment lies on the weave": "metal-contamination", "A straight slit": "cut"},
        ),
        (
            "cable",
            "names",
            {"Bent wire": "bent-wire", "Cable swap": "swapped-cores", "Missing wire": "missing-wire"},
        ),
        ("screw", "names", {"Thread side damage": "thread-side", "Scratch on the neck": "scratch-neck"}),
    ],
)
def test_options_mean_documented_defects_in_other_words(product, aspect, options, documents, encode):
    known = documents.get(product).defects
    table = meanings(tuple(options), [texts_of(defect, aspect) for defect in known], encode)
    assert [known[row.argmax()].id for row in table] == list(options.values())
    assert table.sum(axis=1) == pytest.approx(np.ones(len(options)))


def test_an_option_like_two_defects_means_the_one_that_is_left():
    """ "Stain or hole" is like both; the other option means the hole."""
    table = meanings(["a hole", "a hole or a stain"], [["hole"], ["stain"]], counted)
    assert table[1, 1] > 0.6


@given(st.lists(st.text(max_size=60), min_size=2, max_size=6), st.integers(1, 5))
def test_any_options_have_meanings(options, count):
    table = meanings(options, [[WORDS[i], WORDS[i + 1]] for i in range(count)], counted)
    assert table.shape == (len(options), count)
    assert np.isfinite(table).all()
    assert table.sum(axis=1) == pytest.approx(np.ones(len(options)))


def traits(**decided):
    return Traits(**{"polarity": "either", "shape": "any", "extent": "any", "material": "n/a", **decided})


def known(**decided):
    return SimpleNamespace(id="it", traits=traits(**decided))


def test_documented_topologies_agree_with_the_documented_material(documents):
    """What parts, bites or opens takes material away, what bridges or sticks out adds some."""
    decided = [
        (document.id, defect.id, defect.traits)
        for document in documents.products
        for defect in document.defects
        if defect.traits.topology != "any"
    ]
    assert len(decided) > 20
    for product, defect, its in decided:
        expected = "missing" if its.topology in {"gap", "bite", "hole"} else "added"
        assert its.material == expected, (product, defect)


def test_traits_that_agree_make_a_defect_likely(region):
    scratch, spot = known(shape="elongated", polarity="darker"), known(shape="compact")
    found = defect_probabilities([scratch, spot, known()], region, None)
    assert found[0] > found[2] > found[1]
    assert found.sum() == pytest.approx(1)


def test_the_form_of_the_pattern_decides_between_like_traits(region):
    forms = {"gap": 0.8, "bridge": 0.1, "bite": 0.025, "bump": 0.025, "hole": 0.025, "island": 0.025}
    gap, hole, added = known(topology="gap"), known(topology="hole"), known(material="added")
    found = defect_probabilities([gap, hole, added], region, forms)
    assert found.argmax() == 0
    assert found[0] > 0.75


def test_nothing_known_has_no_probabilities(region):
    assert defect_probabilities([], region, None).shape == (0,)


def test_a_contradicted_word_costs_and_an_agreeing_one_wins_nothing(region):
    grey = np.full((480, 640, 3), 128, np.uint8)
    look = look_of(region, grey)
    assert look.hue is None
    assert agreement("A dark thin line", look) == pytest.approx(1)
    assert agreement("Something on the part", look) == 1
    assert agreement("A bright line", look) < 0.5
    assert agreement("A round spot", look) < 0.8
    assert agreement("A line without any white rim", look) == pytest.approx(1)
    assert agreement("A red line", look) == 1  # in a grey picture colour cannot tell


def test_colour_words_are_held_against_the_hue(region):
    picture = np.full((480, 640, 3), 200, np.uint8)
    picture[195:215, 295:345] = (190, 30, 30)
    look = look_of(region, picture)
    assert look.hue == "red"
    assert agreement("A reddish stain", look) == 1
    assert agreement("A green stain", look) < 0.5


@given(st.text(max_size=200))
def test_any_words_are_held_against_a_look(text):
    look = SimpleNamespace(
        hue="red",
        coloured=True,
        slenderness=1.5,
        region=SimpleNamespace(polarity="darker", grey_difference=-40.0, elongation=1.2, area_fraction=0.01),
    )
    assert 0 < agreement(text, look) <= 1


def measured(**changes):
    usual = {"slenderness": 1.0, "area_fraction": 1e-3, "lightness": -60.0, "colour_shift": 2.0}
    return Appearance(**{**usual, **changes})


@pytest.mark.parametrize(
    ("kind", "change", "seen"),
    [
        ("line", "added", measured(slenderness=9.0, lightness=70.0)),
        ("point", "added", measured(area_fraction=4e-5, lightness=-110.0)),
        ("stain", "added", measured(area_fraction=8e-3, lightness=-35.0, colour_shift=14.0)),
        ("absence", "missing", measured(area_fraction=2e-2, lightness=90.0)),
    ],
)
def test_kinds_on_surfaces_are_told_by_how_they_measure(kind, change, seen, region):
    found = surface_probabilities(region.model_copy(update={"change": change}), seen)
    assert found.sum() == pytest.approx(1)
    assert SURFACES[found.argmax()].id == kind


def test_one_odd_measurement_does_not_silence_the_others(region):
    found = surface_probabilities(region, measured(slenderness=1e6, area_fraction=1e-9, lightness=0.0))
    assert np.isfinite(found).all()
    assert found.min() > 0


def test_kinds_name_what_may_be_asked_for_and_nothing_twice():
    for kinds in (OUTLINES, SURFACES):
        assert len({kind.id for kind in kinds}) == len(kinds)
        for kind in kinds:
            for aspect in ("names", "look", "effects", "causes", "actions"):
                assert kind.texts(aspect)
    assert [kind.traits.topology for kind in OUTLINES] == [kind.id for kind in OUTLINES]


def test_the_product_is_known_by_its_names(documents, encode):
    board = documents.get("bare_pcb")
    question = asked(
        "Object Classification", options=("Wooden board.", "Leather.", "Printed circuit board.", "Zipper.")
    )
    chosen = from_product(question, (board.id, board.name, *board.synonyms), (), encode).chosen()
    assert chosen.letter == "C"
    assert chosen.probabilities["C"] > 0.8


def test_details_are_answered_from_what_documents_say_of_the_good_part():
    passages = [
        KnowledgePassage(id="b/normal", source="b", text="It is red.", score=1.0),
        KnowledgePassage(id="b/hole/look", source="b", text="A hole with a leak.", score=1.0),
    ]
    question = asked(
        "Object Analysis", "What is it like there?", ("It is red as told", "It has a hole and a leak")
    )
    assert from_product(question, ("bottle",), passages, counted).chosen().letter == "A"


def test_guesses_are_distributions_and_even_ones_are_chance():
    assert Guess({"A": 1.0, "B": 3.0}, "Why.").chosen().probabilities == {"A": 0.25, "B": 0.75}
    chance = no_ground(("A", "B", "C"), "Nothing speaks for any.").chosen()
    assert (chance.letter, chance.by) == ("A", "chance")
    for broken in (0.0, math.inf, math.nan):
        chosen = Guess({"A": broken, "B": broken}, "Why.").chosen()
        assert chosen.by == "chance"
        assert sum(chosen.probabilities.values()) == pytest.approx(1)


def test_texts_are_encoded_once():
    calls = []

    def encode(texts):
        calls.append(list(texts))
        return counted(texts)

    kept = KeptDirections(encode)
    assert kept(["hole", "stain", "hole"]).shape == (3, len(WORDS))
    assert np.array_equal(kept(["stain"]), counted(["stain"]))
    assert calls == [["hole", "stain"]]
