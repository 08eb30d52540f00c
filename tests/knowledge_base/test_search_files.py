"""What a search finds in files and in MMAD's knowledge, beside product documents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from knowledge_base.candidates import codes_in
from knowledge_base.embeddings import MiniLmEmbeddings
from knowledge_base.load import Documents
from knowledge_base.schema import PassageText
from knowledge_base.search import KnowledgeBase
from knowledge_base.sources import Source
from knowledge_base.store import KnowledgeStore
from knowledge_base.tokens import estimated_tokens

REPRINT = "Burr height is measured with a stylus over four places of the rim."


def a_source(key: str, product: str | None, *texts: str, section: str = "text") -> Source:
    library = key.partition("/")[0]
    passages = [
        PassageText.model_validate(
            {
                "id": f"{key}/{i}",
                "document": key,
                "library": library,
                "product": product,
                "section": section,
                "page": i,
                "source": f"{key}.pdf, page {i}",
                "heading": key.rpartition("/")[2],
                "text": text,
            }
        )
        for i, text in enumerate(texts, 1)
    ]
    return Source(key, library, key, f"/{key}.pdf", product, " ".join(texts), lambda: iter(passages))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def knowledge(
    documents: Documents, minilm: MiniLmEmbeddings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KnowledgeBase]:
    few = Documents(documents.file_of(id_) for id_ in ("zipper", "machined_flange", "defect_families"))
    store = KnowledgeStore(tmp_path_factory.mktemp("index"))
    store.add(
        [
            a_source(
                "files/handbook",
                None,
                "Orders KX-2207 are shipped in crates of forty.",
                REPRINT,
                "The canteen opens at noon.",
            ),
            a_source("files/reprint", None, REPRINT),
            a_source("files/gasket", "rubber gasket", "Blisters in the gasket come from trapped moisture."),
            a_source(
                "mmad/MVTec/zipper", "zipper", "Good zippers close.", "Teeth may be broken.", section="defect"
            ),
            a_source("mmad/Other/zipper", "zipper", "Another data set.", section="normal"),
        ],
        minilm,
    )
    knowledge = KnowledgeBase(few, store, minilm)
    yield knowledge
    knowledge.close()


def test_files_are_cited_by_page_and_only_once(knowledge: KnowledgeBase) -> None:
    found = knowledge.search("how do I measure the height of a burr")
    (cited,) = [p for p in found if p.text == REPRINT]
    assert (cited.library, cited.general, cited.product) == ("files", False, None)
    assert cited.source.endswith(f"page {cited.page}")


@pytest.mark.parametrize("ask", ["KX-2207", "xy zzz kx-2207 qq"])
def test_a_part_number_is_found_however_little_it_means(knowledge: KnowledgeBase, ask: str) -> None:
    assert "KX-2207" in knowledge.search(ask)[0].text
    assert knowledge.search(ask.replace("2207", "2208").replace("K", "Q").replace("k", "q")) == []


def test_files_about_a_product_are_found_by_its_name_alone(knowledge: KnowledgeBase) -> None:
    ask = "why are there blisters"
    about = knowledge.search(ask, product="Rubber-Gasket")
    assert about[0].product == "rubber gasket"
    assert {p.product for p in about} <= {"rubber gasket", "defect_families", None}
    assert "rubber gasket" not in {p.product for p in knowledge.search(ask, product="zip")}
    assert {p.library for p in knowledge.search(ask, product="rubber gasket", libraries=["files"])} == {
        "files"
    }
    assert knowledge.has_files_about("rubber gasket")
    assert not knowledge.has_files_about("zip")


def test_what_names_the_defects_of_test_images_must_be_asked_for(knowledge: KnowledgeBase) -> None:
    for product in (None, "zip"):
        assert "mmad" not in {p.library for p in knowledge.search("broken teeth", product=product, limit=50)}
    found = knowledge.search("broken teeth", libraries=["mmad"])
    assert found[0].text == "Teeth may be broken."
    assert {p.library for p in found} == {"mmad"}


def test_a_class_is_looked_up_whole_and_in_order(knowledge: KnowledgeBase) -> None:
    found = knowledge.class_keyed("MVTec/zipper")
    assert [p.text for p in found] == ["Good zippers close.", "Teeth may be broken."]
    assert {p.score for p in found} == {1.0}
    assert len(knowledge.class_keyed("Zipper")) == 3
    assert knowledge.class_keyed("VisA/zipper") == []
    assert knowledge.class_keyed("") == []


def test_unknown_libraries_are_a_mistake(knowledge: KnowledgeBase) -> None:
    with pytest.raises(ValueError, match="no library"):
        knowledge.search("burr", libraries=["web"])  # type: ignore[list-item]


def test_a_budget_bounds_what_is_returned(knowledge: KnowledgeBase) -> None:
    free = knowledge.search("burr at the rim", limit=10)
    assert sum(estimated_tokens(p.text) for p in free) > 60
    tight = knowledge.search("burr at the rim", limit=10, most_tokens=60)
    assert 0 < sum(estimated_tokens(p.text) for p in tight) <= 60
    assert [p for p in free if p in tight] == tight
    assert knowledge.search("burr at the rim", most_tokens=0) == []


@pytest.mark.parametrize("code", ["KX-2207", "e07", "pcb1", "4711-02", "316L-4", "M8x40", "120034"])
def test_codes_are_known_by_their_digits(code: str) -> None:
    assert codes_in(f"Is {code.upper()}, as such, all right?") == {code.casefold()}


@pytest.mark.parametrize(
    "size", ["2 mm", "2mm", "0.5 mm", "5 percent", "100%", "in 2022", "3-4 mm", "20kV", "x", ""]
)
def test_sizes_counts_and_years_are_no_codes(size: str) -> None:
    assert codes_in(f"a gap of {size}.") == set()
