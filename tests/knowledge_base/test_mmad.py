"""MMAD's domain knowledge: what is taken, what is skipped, and files that are something else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.errors import DocumentInvalid
from knowledge_base.mmad import import_mmad
from knowledge_base.schema import SECTIONS

SMALL = {
    "MVTec": {
        "widget": {
            "good": " <Normal Characteristics>\n Description: An even ring.\n ",
            "bent_tooth": " <Bent Tooth>\n Description: A tooth leans.",
        }
    },
    "VisA": {
        "board": {
            "bad": "Several.\n\n <Burn>\n Description: Dark.\n\n <Gap>\n Description: Open.",
            "good": "Green.",
        }
    },
}


def written(folder: Path, content: object) -> Path:
    path = folder / "domain_knowledge.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_class_is_a_document_and_an_entry_a_passage(tmp_path):
    imported = import_mmad(written(tmp_path, SMALL))
    assert [(c.dataset, c.name, c.entries) for c in imported.classes] == [
        ("MVTec", "widget", 2),
        ("VisA", "board", 2),
    ]
    assert imported.skipped == ()
    widget, board = imported.sources
    assert (widget.key, widget.library, widget.product) == ("mmad/MVTec/widget", "mmad", "widget")
    good, bent = widget.passages()
    assert (good.id, good.section, good.defect) == ("mmad/MVTec/widget/good", "normal", None)
    assert good.text == "<Normal Characteristics>\nDescription: An even ring."
    assert (bent.section, bent.defect, bent.heading) == ("defect", "bent-tooth", "widget: bent tooth")
    assert bent.source == "domain_knowledge.json, MVTec > widget > bent_tooth"
    assert {passage.document for passage in board.passages()} == {board.key}


def test_an_entry_of_several_defects_falls_into_them_in_order(tmp_path):
    _, board = import_mmad(written(tmp_path, SMALL)).sources
    assert [(p.id, p.text) for p in board.passages()] == [
        ("mmad/VisA/board/bad/1", "Several."),
        ("mmad/VisA/board/bad/2", "<Burn>\nDescription: Dark."),
        ("mmad/VisA/board/bad/3", "<Gap>\nDescription: Open."),
        ("mmad/VisA/board/good", "Green."),
    ]


def test_the_folder_of_the_file_will_do(tmp_path):
    assert import_mmad(written(tmp_path, SMALL).parent).classes == import_mmad(tmp_path).classes


def test_a_digest_changes_with_its_class_only(tmp_path):
    before = import_mmad(written(tmp_path, SMALL)).sources
    changed = {**SMALL, "VisA": {"board": {"good": "Blue."}}}
    after = import_mmad(written(tmp_path, changed)).sources
    assert [a.digest == b.digest for a, b in zip(before, after, strict=True)] == [True, False]


def test_odd_entries_are_skipped_and_said(tmp_path):
    odd = {
        "MVTec": {
            "widget": {"good": "Even.", "n": 3, "e": " \u200b", "../up": "x", "long": "x" * 60_000},
            "none": {},
            "x/y": {"a": "b"},
        },
        "list": ["a"],
        "": {"a": {"b": "c"}},
    }
    imported = import_mmad(written(tmp_path, odd))
    assert [source.key for source in imported.sources] == ["mmad/MVTec/widget"]
    assert imported.skipped == (
        "MVTec > widget > n: is no text",
        "MVTec > widget > e: is empty",
        "MVTec > widget > ../up: its name is unusual",
        "MVTec > widget > long: is longer than 50000 characters",
        "MVTec > none: holds no entries",
        "MVTec > x/y: its name is unusual",
        "list: holds no entries",
        "(no name): its name is unusual",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no JSON"),
        ('{"a": ', "is no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "holds no dataset"),
        ("{}", "holds no dataset"),
        ('{"a": {"b": {"c": 1}}}', r"holds no dataset .* \(a > b > c: is no text\)"),
        ('{"a": {"b": {"c": "x", "c": "y"}}}', "given twice"),
        ('{"a/0.png": {"conversation": []}}', "holds no dataset"),
    ],
)
def test_another_file_is_refused(tmp_path, content, message):
    with pytest.raises(DocumentInvalid, match=message):
        import_mmad(written(tmp_path, content))


def test_binary_missing_and_huge_files_are_refused(tmp_path):
    with pytest.raises(DocumentInvalid, match="cannot be read"):
        import_mmad(tmp_path / "none.json")
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DocumentInvalid, match="is no JSON"):
        import_mmad(path)
    with path.open("wb") as file:
        file.truncate(30_000_000)
    with pytest.raises(DocumentInvalid, match="has over 20 MB"):
        import_mmad(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(content=JSON)
def test_any_json_is_taken_or_refused(tmp_path_factory, content):
    path = written(tmp_path_factory.mktemp("any"), content)
    try:
        imported = import_mmad(path)
    except DocumentInvalid:
        return
    passages = [passage for source in imported.sources for passage in source.passages()]
    assert len({passage.id for passage in passages}) == len(passages) > 0
    assert {passage.section for passage in passages} <= set(SECTIONS)


@pytest.mark.data
def test_the_benchmark_s_own_file():
    folder = os.environ.get("INSPECTION_DATA")
    path = Path(folder or "", "mmad", "domain_knowledge.json")
    if not folder or not path.exists():
        pytest.skip("set INSPECTION_DATA to the folder with mmad/domain_knowledge.json")
    imported = import_mmad(path)
    assert len(imported.classes) == len(imported.sources) == 38
    assert imported.skipped == ()
    assert sum(c.entries for c in imported.classes) == 146
    content = json.loads(path.read_text())
    for source, found in zip(imported.sources, imported.classes, strict=True):
        joined = " ".join(passage.text for passage in source.passages())
        assert joined.split() == " ".join(content[found.dataset][found.name].values()).split()
        assert [p.section for p in source.passages()].count("normal") == 1
