"""What the documents may say, what they do say, and what an engineer reads when one is wrong."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.errors import DocumentInvalid
from knowledge_base.load import SHIPPED_DOCUMENTS, Documents, load_document, load_documents
from knowledge_base.schema import ACTION_KINDS, SECTIONS, ProductDocument, name_key

GOOD: dict[str, Any] = {
    "schema_version": 1,
    "id": "gasket",
    "name": "Rubber gasket",
    "normal": "A black ring of even width.",
    "variation": ["Talc leaves a grey bloom."],
    "imaging": ["Use backlight for the outline."],
    "defects": [
        {
            "id": "tear",
            "name": "Tear",
            "family": "structural",
            "look": "A ragged slit through the ring.",
            "where": "At the parting line.",
            "traits": {"polarity": "either", "shape": "elongated", "extent": "small", "material": "missing"},
            "severity": "critical",
            "severity_guide": "Any tear leaks, so all are critical.",
            "causes": [{"step": "demoulding", "text": "Pulled out too hot."}],
            "effects": ["The joint leaks."],
            "actions": [{"kind": kind, "text": f"An action for {kind}."} for kind in ACTION_KINDS],
            "confirm": "Stretch the ring by a tenth.",
        }
    ],
}


MMAD_CLASSES = {
    *("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw"),
    *("tile", "toothbrush", "transistor", "wood", "zipper"),
    *("breakfast_box", "juice_bottle", "pushpins", "screw_bag", "splicing_connectors"),
    *("candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2"),
    *("pcb1", "pcb2", "pcb3", "pcb4", "pipe_fryum"),
    *("cigarette_box", "drink_bottle", "drink_can", "food_bottle", "food_box", "food_package"),
}
OTHER_PRODUCTS = {
    *("assembled_pcb", "bare_pcb", "blister_pack", "casting", "machined_flange", "magnetic_tile"),
    *("semiconductor_die", "solar_cell", "weld", "woven_fabric"),
}


def write(folder: Path, content: Any, name: str = "gasket.yaml") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_ids_sources_and_kinds_are_what_reports_cite(tmp_path: Path) -> None:
    found = load_documents(write(tmp_path, GOOD).parent).passages
    assert [(p.id, p.section, p.defect, p.kind) for p in found] == [
        ("gasket/normal", "normal", None, None),
        ("gasket/variation-1", "variation", None, None),
        ("gasket/imaging-1", "imaging", None, None),
        ("gasket/tear/look", "defect", "tear", None),
        ("gasket/tear/severity", "defect", "tear", "critical"),
        ("gasket/tear/cause-1", "cause", "tear", "demoulding"),
        ("gasket/tear/effect-1", "effect", "tear", None),
        ("gasket/tear/action-containment-1", "action", "tear", "containment"),
        ("gasket/tear/action-correction-1", "action", "tear", "correction"),
        ("gasket/tear/action-prevention-1", "action", "tear", "prevention"),
        ("gasket/tear/confirm", "confirm", "tear", None),
    ]
    assert found[5].source == f"{tmp_path.name}/gasket.yaml, defects > tear > causes"
    assert found[5].text == "Pulled out too hot."


def test_the_shipped_documents_cover_the_products(documents: Documents) -> None:
    assert {d.id for d in documents.products} == MMAD_CLASSES | OTHER_PRODUCTS
    assert [d.id for d in documents.general] == ["defect_families"]
    families = {defect.family for d in documents.general for defect in d.defects}
    assert families == {"surface", "structural", "contamination", "dimensional", "assembly", "print"}
    board = documents.get("bare_pcb")
    assert board is not None
    assert {defect.id for defect in board.defects} >= {
        "open-circuit",
        "short-circuit",
        "mousebite",
        "spur",
        "spurious-copper",
        "pin-hole",
        "misregistration",
        "mask-scratch",
    }


def test_passage_ids_are_unique_and_sections_known(documents: Documents) -> None:
    counts = Counter(p.id for p in documents.passages)
    assert [id_ for id_, n in counts.items() if n > 1] == []
    assert {p.section for p in documents.passages} == set(SECTIONS) - {"text"}  # that is for files


def test_every_defect_has_depth(documents: Documents) -> None:
    for document in (*documents.products, *documents.general):
        for defect in document.defects:
            assert 2 <= len(defect.causes) <= 4, (document.id, defect.id)
            assert {action.kind for action in defect.actions} == set(ACTION_KINDS)
            assert len(f"{defect.look} {defect.where}".split()) >= 20, (document.id, defect.id)


def test_no_sentence_stands_in_two_places(documents: Documents) -> None:
    homes: dict[str, set[str]] = {}
    for passage in documents.passages:
        for sentence in re.split(r"(?<=[.;!?])\s+", passage.text):
            if len(sentence.split()) > 3:
                homes.setdefault(name_key(sentence), set()).add(passage.id)
    assert {key: ids for key, ids in homes.items() if len(ids) > 1} == {}


def test_documents_are_not_one_paragraph_with_another_noun(documents: Documents) -> None:
    """Two passages of different documents share less than half of their runs of three words."""

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[a-z]+", text.lower())
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    known = [(p.product, p.id, runs(p.text)) for p in documents.passages]
    alike = [
        (a, b)
        for i, (product, a, mine) in enumerate(known)
        for other, b, theirs in known[i + 1 :]
        if product != other and len(mine) > 5 and len(mine & theirs) > 0.5 * min(len(mine), len(theirs))
    ]
    assert alike == []


def broken(**changes: Any) -> dict[str, Any]:
    content = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *parents, last = path.split("__")
        target: Any = content
        for step in parents:
            target = target[int(step) if step.isdigit() else step]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (broken(normal=None), ["normal: Field required"]),
        (broken(schema_version=2), ["schema_version"]),
        (broken(id="Rubber Gasket"), ["id: String should match pattern"]),
        (broken(colour="black"), ["colour: Extra inputs are not permitted"]),
        (broken(defects__0__traits__polarity="dim"), ["defects > tear > traits > polarity"]),
        (broken(defects__0__severity="bad"), ["defects > tear > severity", "'minor', 'major' or 'critical'"]),
        (broken(defects__0__causes__0__text="  "), ["defects > tear > causes > 1 > text"]),
        (
            broken(defects__0__actions=GOOD["defects"][0]["actions"][:1]),
            ["defects > tear: defect 'tear' has no correction and no prevention action"],
        ),
        (broken(defects=[GOOD["defects"][0]] * 2), ["defect id 'tear' is used twice"]),
        (
            broken(defects=[GOOD["defects"][0], {**GOOD["defects"][0], "id": "rip", "name": "TEAR"}]),
            ["'TEAR' names both 'tear' and 'rip'"],
        ),
        (broken(defects=[]), ["defects"]),
        ("", ["holds no fields"]),
        ("- a\n- b\n", ["holds no fields"]),
        ("id: [unclosed\nname: x\n", ["line 2"]),
        ("id: a\nid: b\n", ["line 2", "'id' is given twice"]),
        ("id: !!python/object/apply:os.system [true]\n", ["could not determine a constructor"]),
        ("x: " + "[" * 50_000, ["nested too deeply"]),
    ],
)
def test_a_wrong_document_is_refused_by_file_and_field(tmp_path: Path, content: Any, said: list[str]) -> None:
    with pytest.raises(DocumentInvalid) as caught:
        load_document(write(tmp_path, content))
    message = str(caught.value)
    assert message.startswith("gasket.yaml:")
    assert "\n" not in message
    assert [part for part in said if part not in message] == []


def test_yaml_aliases_cannot_blow_up(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 8)}]\n" for i in range(12)
    )
    with pytest.raises(DocumentInvalid, match="line 2: aliases"):
        load_document(write(tmp_path, bomb))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: Fläche".encode("latin-1"))
    with pytest.raises(DocumentInvalid, match=r"latin\.yaml: is not UTF-8"):
        load_document(tmp_path / "latin.yaml")
    with pytest.raises(DocumentInvalid, match=r"absent\.yaml: cannot be read"):
        load_document(tmp_path / "absent.yaml")
    with pytest.raises(DocumentInvalid, match="no product documents"):
        load_documents(tmp_path / "nowhere")
    (tmp_path / "huge.yaml").write_bytes(b"#" * 2_000_001)
    with pytest.raises(DocumentInvalid, match=r"huge\.yaml: too large"):
        load_document(tmp_path / "huge.yaml")


def test_two_documents_cannot_share_a_name(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, broken(id="seal", name="Seal", synonyms=["rubber GASKET"]), "seal.yaml")
    with pytest.raises(DocumentInvalid, match=r"seal\.yaml: 'rubbergasket' already names .*gasket\.yaml"):
        load_documents(tmp_path)


def test_adding_a_cause_keeps_every_other_id_and_text(tmp_path: Path) -> None:
    before = {p.id: p.digest for p in ProductDocument.model_validate(GOOD).passages("f")}
    grown = copy.deepcopy(GOOD)
    grown["defects"][0]["causes"].append({"step": "curing", "text": "Cured too short."})
    after = {p.id: p.digest for p in ProductDocument.model_validate(grown).passages("f")}
    assert {id_: after[id_] for id_ in before} == before
    assert after.keys() - before.keys() == {"gasket/tear/cause-2"}


@given(st.text())
def test_any_text_is_kept_word_for_word_or_refused(text: str) -> None:
    content = copy.deepcopy(GOOD)
    content["normal"] = text
    if len(text.strip()) < 10:
        return
    document = ProductDocument.model_validate(content)
    assert next(iter(document.passages("f"))).text.strip() == text.strip()


def test_the_shipped_folder_is_inside_the_package() -> None:
    assert SHIPPED_DOCUMENTS.parent.name == "knowledge_base"


def test_a_document_of_ones_own_comes_before_ours(tmp_path: Path) -> None:
    shipped, own = tmp_path / "documents", tmp_path / "own"
    shipped.mkdir()
    own.mkdir()
    write(shipped, GOOD)
    write(shipped, broken(id="seal", name="Shaft seal"), "seal.yaml")
    assert load_documents(shipped, tmp_path / "absent").get("gasket") is not None
    write(own, broken(normal="A green ring of uneven width."))
    found = load_documents(shipped, own)
    texts = {passage.id: passage for passage in found.passages}
    assert texts["gasket/normal"].text == "A green ring of uneven width."
    assert (texts["gasket/normal"].document, texts["gasket/normal"].library) == ("own/gasket", "own")
    assert texts["seal/normal"].library == "shipped"
    write(own, GOOD, "again.yaml")
    with pytest.raises(DocumentInvalid, match=r"'gasket' is the id of own/again\.yaml, too"):
        load_documents(shipped, own)


def test_rules_of_the_layout_are_passages_and_are_checked(tmp_path: Path) -> None:
    rule = {
        "id": "holes",
        "kind": "count",
        "component": "bolt hole",
        "text": "Four bolt holes.",
        "minimum": 4,
    }
    document = load_document(write(tmp_path, broken(layout=[{**rule, "defect": "tear"}])))
    passage = next(p for p in document.passages("f") if p.section == "layout")
    assert (passage.id, passage.kind, passage.text) == ("gasket/layout-holes", "count", "Four bolt holes.")
    for change, said in (
        ({"minimum": None}, "counts, and has no minimum"),
        ({"maximum": 3}, "minimum above its maximum"),
        ({"kind": "position"}, "is no count"),
        ({"defect": "rip"}, "names defect 'rip', which is not described"),
    ):
        with pytest.raises(DocumentInvalid, match=said):
            load_document(write(tmp_path, broken(layout=[{**rule, **change}])))
    with pytest.raises(DocumentInvalid, match="rule id 'holes' is used twice"):
        load_document(write(tmp_path, broken(layout=[rule, rule])))


def test_rules_of_printed_text_hold_a_pattern_that_is_compiled_on_loading(tmp_path: Path) -> None:
    rule = {
        "id": "date",
        "kind": "text",
        "component": "date code",
        "text": "The lid carries a date code.",
        "pattern": r"EXP 20\d\d/[01]\d",
        "varies": True,
    }
    document = load_document(write(tmp_path, broken(layout=[rule])))
    (loaded,) = document.layout
    assert loaded.varies
    assert loaded.regex is not None
    assert loaded.regex.search("LOT 7  EXP2027/05")
    assert not loaded.regex.search("EXP 27/05")
    for change, said in (
        ({"kind": "match"}, "is not of text, and has a pattern or varies"),
        ({"pattern": "(EXP"}, "is no regular expression"),
        ({"pattern": "(E+)+X"}, "write the repetition out"),
        ({"pattern": "x" * 121}, "1 to 120 characters, got 121"),
        ({"pattern": 7}, "pattern"),
        ({"minimum": 1}, "is no count"),
    ):
        with pytest.raises(DocumentInvalid, match=said):
            load_document(write(tmp_path, broken(layout=[{**rule, **change}])))
