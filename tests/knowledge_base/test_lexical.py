"""Full text: stems, codes, filters and text that looks like syntax."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge_base.filters import Filter
from knowledge_base.store import KnowledgeStore
from tests.knowledge_base.store_kit import Words, passage, source

TEXTS = {
    "scratch": "Scratches run across the machined sealing surface.",
    "code": "Use gasket FKM-7731/B with grease ISO 6743-9 only.",
    "umlaut": "Späne bleiben an der Düse hängen; naïve façade.",
    "syntax": 'Say text:"rust" AND (product:* OR -seam)^2 [a TO b] \\\\ ~ in the form.',
    "rust": "Rust rust rust on the bore.",
    "rare": "Rust on one thread of the bore after a long time in the wet store of the supplier, not wiped.",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeStore]:
    store = KnowledgeStore(tmp_path_factory.mktemp("lexical"))
    plain = [passage(key, text, heading="Part") for key, text in TEXTS.items()]
    store.add(
        [
            source("files/a", *plain),
            source("files/b", passage("head", "Look here.", heading="Zipper: residue")),
        ],
        Words(),
    )
    yield store
    store.close()


def found(store: KnowledgeStore, query: str, **sets: object) -> list[str]:
    where = Filter(**{name: frozenset(values) for name, values in sets.items()})  # type: ignore[call-overload, arg-type]
    return [hit.passage.id.rpartition("/")[2] for hit in store.lexical(query, limit=9, where=where)]


def test_words_are_found_by_their_stems_in_any_case(store: KnowledgeStore) -> None:
    assert found(store, "scratched SURFACES") == ["scratch"]
    assert found(store, "seals") == ["scratch"]


@pytest.mark.parametrize("query", ["FKM-7731/B", "fkm 7731", "7731", "6743", "gasket (FKM-7731/B)"])
def test_codes_and_part_numbers_are_found(store: KnowledgeStore, query: str) -> None:
    assert found(store, query)[0] == "code"


def test_accents_do_not_count(store: KnowledgeStore) -> None:
    assert found(store, "Duse") == found(store, "düse") == found(store, "facade") == ["umlaut"]


def test_headings_are_searched_too(store: KnowledgeStore) -> None:
    assert found(store, "zipper") == found(store, "residues on zippers") == ["head"]


def test_more_of_a_word_in_less_text_comes_first(store: KnowledgeStore) -> None:
    hits = store.lexical("rust", limit=9)
    order = [hit.passage.id for hit in hits]
    assert order[0] == "thing/rust"
    assert order.index("thing/rare") > order.index("thing/syntax")  # which is shorter
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[-1].score > 0


@pytest.mark.parametrize("query", ["", "  ", "the of and", "?!", "\x00", "\ud800", "🔧", "qqqq zzzz"])
def test_nothing_is_found_by_nothing(store: KnowledgeStore, query: str) -> None:
    assert found(store, query) == []


def test_text_that_looks_like_syntax_is_words(store: KnowledgeStore) -> None:
    assert found(store, 'section:"defect"') == found(store, "library:files") == []
    assert "syntax" in found(store, 'text:"rust" AND')
    assert found(store, "scratches AND nothing") == found(store, "+scratches -surface") == ["scratch"]
    assert (
        found(store, "scr*")
        == found(store, "/.*/")
        == found(store, "[a TO z]")
        == found(store, "scrtch~")
        == []
    )
    assert found(store, "bore" * 20_000) == []
    assert found(store, "bore " * 20_000) == found(store, "bore")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(), product=st.text())
def test_no_text_breaks_a_search(store: KnowledgeStore, query: str, product: str) -> None:
    for hit in store.lexical(query, limit=3, where=Filter(products=frozenset({product, "thing", None}))):
        assert hit.passage.text in {*TEXTS.values(), "Look here."}
    assert len(store.lexical(f"{query} rust", limit=9)) >= 2


@given(words=st.lists(st.sampled_from(["rust", "bore", "thread", "wet", "seam", "scratch"]), min_size=1))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_words_and_how_often_they_come_do_not_matter(
    store: KnowledgeStore, words: list[str]
) -> None:
    assert found(store, " ".join(words)) == found(store, " ".join(sorted(set(words))))
