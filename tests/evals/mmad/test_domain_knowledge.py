"""MMAD's domain knowledge is looked up by the class of the image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.errors import DatasetInvalid
from evals.mmad.domain_knowledge import DomainKnowledge
from evals.types import Case


def _case(dataset: str, category: str) -> Case:
    return Case(
        image=f"{dataset}/{category}/image/x/0.png",
        path=Path("0.png"),
        dataset=dataset,
        category=category,
        questions=(),
    )


def test_the_look_up_turns_ds_mvtec_into_mvtec(tmp_path):
    file = tmp_path / "domain_knowledge.json"
    file.write_text(json.dumps({"MVTec": {"bottle": {"good": "Round.", "broken": "Cracked."}}}))
    knowledge = DomainKnowledge(file)
    assert knowledge.of(_case("DS-MVTec", "bottle")) == {"good": "Round.", "broken": "Cracked."}


def test_a_class_that_it_does_not_know_is_said(tmp_path):
    file = tmp_path / "domain_knowledge.json"
    file.write_text(json.dumps({"MVTec": {"bottle": {"good": "Round."}}}))
    with pytest.raises(DatasetInvalid, match=r"says nothing of VisA/candle; use --knowledge"):
        DomainKnowledge(file).of(_case("VisA", "candle"))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"MVTec": {"bottle": ["good"]}}', b"{", b"\xff\xfe"])
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "domain_knowledge.json"
    file.write_bytes(content)
    with pytest.raises(DatasetInvalid) as caught:
        DomainKnowledge(file)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_which_option_names_it(tmp_path):
    with pytest.raises(DatasetInvalid, match="--domain-knowledge FILE"):
        DomainKnowledge(tmp_path / "none.json")
