"""Types that an expert gives its regions, and what they and the documents make of a defect."""

from __future__ import annotations

import pytest

from graphs.findings.learnt import name_by_expert
from graphs.findings.naming import Naming
from graphs.inspection.defects import Terms
from graphs.inspection.learnt_types import named_by_types
from graphs.report import Defect
from knowledge_base.load import load_documents
from tools.types import ImageRef, Region, TypeChance

NOTHING_KNOWN = Naming(())


def typed(region: Region, **chances: float) -> Region:
    types = tuple(TypeChance(type=name, probability=likely) for name, likely in chances.items())
    return region.model_copy(update={"types": types})


@pytest.fixture
def defect(region: Region) -> Defect:
    return Defect(
        type="anomaly",
        description="A dark line.",
        box_xyxy_px=region.box.xyxy,
        cell="center",
        area_fraction=0.001,
        severity="unknown",
        confidence=0.9,
        support="expert_only",
        evidence=("region:dapo:1",),
    )


def test_a_region_without_types_gives_no_name(region: Region) -> None:
    assert name_by_expert(region, NOTHING_KNOWN, "dapo") is None


def test_where_no_document_speaks_the_chances_are_the_experts(region: Region) -> None:
    name = name_by_expert(typed(region, scratch=0.7, stain=0.2, dent=0.1), NOTHING_KNOWN, "dapo")
    assert name is not None
    assert dict(name.ranked) == pytest.approx({"scratch": 0.7, "stain": 0.2, "dent": 0.1})
    assert name.sure
    assert name.source == "types:dapo"


def test_documents_count_by_half_and_give_the_name_that_they_know(region: Region) -> None:
    board = next(one for one in load_documents().products if one.id == "bare_pcb")
    first, second = board.defects[:2]
    named = Naming(((first, 0.9), (second, 0.1)))
    name = name_by_expert(typed(region, **{second.name: 0.6, first.name: 0.4}), named, "dapo")
    assert name is not None
    assert name.ranked[0][0] == first.name  # 0.4 * 0.9 ** 0.5 > 0.6 * 0.1 ** 0.5
    assert name.documented == first
    assert sum(likely for _, likely in name.ranked) == pytest.approx(1)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "The expert dapo calls it scratch (70.0 %)."), ("zh", "检测器 dapo 判定为 scratch")],
)
def test_a_clear_type_names_the_defect(
    region: Region, defect: Defect, image: ImageRef, language, said: str
) -> None:
    name = name_by_expert(typed(region, scratch=0.7, stain=0.3), NOTHING_KNOWN, "dapo")
    assert name is not None
    ((found, _),) = named_by_types([(defect, ())], "dapo", {1: name}, Terms(image, language))
    assert found.type == "scratch"
    assert found.type_confidence == pytest.approx(0.7)
    assert said in found.description
    assert "types:dapo" in found.evidence


def test_types_close_together_are_alternatives(region: Region, defect: Defect, image: ImageRef) -> None:
    name = name_by_expert(typed(region, scratch=0.5, stain=0.45, dent=0.05), NOTHING_KNOWN, "dapo")
    assert name is not None
    ((found, _),) = named_by_types([(defect, ())], "dapo", {1: name}, Terms(image))
    assert found.type == "anomaly"
    assert found.type_confidence is None
    assert [chance.type for chance in found.alternatives] == ["scratch", "stain"]
    assert "By the expert dapo it may be: scratch (50.0 %), stain (45.0 %)." in found.description


def test_regions_of_another_expert_keep_their_names(region: Region, defect: Defect, image: ImageRef) -> None:
    name = name_by_expert(typed(region, scratch=1.0), NOTHING_KNOWN, "dapo")
    assert name is not None
    ((found, _),) = named_by_types([(defect, ())], "pair", {1: name}, Terms(image))
    assert found == defect
