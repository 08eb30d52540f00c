"""What a model is told of a product before it judges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.brief import brief
from knowledge_base.load import Documents
from knowledge_base.tokens import estimated_tokens


def test_good_parts_come_first_and_actions_never(documents: Documents) -> None:
    file = documents.file_of("zipper")
    assert file is not None
    found = brief(file.passages(), 900)
    assert found[0].section == "normal"
    assert {passage.section for passage in found} == {"normal", "variation", "defect"}
    assert "zipper/residue/look" in [passage.id for passage in found]
    assert brief(file.passages(), 100)[0].id == "zipper/normal"
    assert brief(file.passages(), 3) == []


@given(most=st.integers(0, 3000))
def test_the_budget_holds_and_the_order_is_the_documents(documents: Documents, most: int) -> None:
    for product in ("zipper", "bare_pcb", "defect_families"):
        file = documents.file_of(product)
        assert file is not None
        order = [passage.id for passage in file.passages()]
        found = brief(file.passages(), most)
        assert sum(estimated_tokens(passage.text) for passage in found) <= most
        assert [order.index(passage.id) for passage in found] == sorted(order.index(p.id) for p in found)
