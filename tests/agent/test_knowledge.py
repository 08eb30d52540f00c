"""What the agent knows: `agent kb`, and what a report says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
import yaml
from click.testing import CliRunner, Result

from agent import Inspector
from agent.cli.main import cli
from agent.errors import UsageError
from agent.settings import Settings
from agent.wiring import open_embeddings, open_profiles
from knowledge_base.errors import KnowledgeError
from knowledge_base.load import SHIPPED_DOCUMENTS
from tools.experts.calibration import perturbations

SPEC = """# Gasket G-417 specification

## Normal appearance

The ring is matt black, 42 mm outside, with one moulding line inside.

## Causes of flash

Worn mould parting edges let rubber out, which shows as a thin fin.
"""


@pytest.fixture
def home(tmp_path: Path, data_dir: Path, knowledge_index: Path) -> Path:
    """A data folder of one's own, with the documents indexed already."""
    home = tmp_path / "home"
    shutil.copytree(knowledge_index, home / "knowledge")
    if (data_dir / "models").is_dir():
        shutil.copytree(data_dir / "models", home / "models")
    return home


@pytest.fixture
def kb(home: Path):
    def run(*arguments: object) -> Result:
        given = ["kb", *map(str, arguments), "--data-dir", str(home)]
        return CliRunner().invoke(cli, given, catch_exceptions=True)

    return run


def told(result: Result) -> object:
    assert result.exit_code == 0, result.output + str(result.exception)
    return json.loads(result.stdout)


def test_a_question_is_answered_with_sources(kb):
    found = told(kb("search", "white residue along the zipper tape", "--json"))
    assert found[0]["id"] == "zipper/residue/look"
    assert found[0]["source"] == (
        "documents/zipper.yaml, defects > residue or contamination on the tape > look, where"
    )
    shown = kb("search", "white residue along the zipper tape", "--product", "zip")
    assert "zipper/residue/look" in shown.stdout
    assert "from documents/zipper.yaml" in shown.stdout
    silent = kb("search", "who won the football match")
    assert (silent.exit_code, silent.stdout) == (0, "")
    assert "no passage answers this" in silent.stderr


def test_files_are_added_found_by_heading_and_taken_away(kb, tmp_path):
    (tmp_path / "specs").mkdir()
    spec = tmp_path / "specs" / "g417.md"
    spec.write_text(SPEC, encoding="utf-8")
    (tmp_path / "specs" / "broken.pdf").write_text("no PDF")
    added = kb("add", tmp_path / "specs", "--product", "rubber gasket", "--json")
    report = told(added)
    assert (report["added"], len(report["failed"])) == (1, 1)
    assert "broken.pdf" in added.stderr
    (found, *_) = told(kb("search", "why is there a fin", "--product", "Rubber Gasket", "--json"))
    assert (found["section"], found["library"]) == ("cause", "files")
    assert found["source"] == "g417.md, Gasket G-417 specification > Causes of flash"
    again = told(kb("add", spec.parent, "--product", "rubber gasket", "--json"))
    assert (again["added"], again["unchanged"]) == (0, 1)
    (listed,) = told(kb("list", "--library", "files", "--json"))
    assert (listed["title"], listed["product"]) == ("g417.md", "rubber gasket")
    assert told(kb("remove", spec, "--json"))["removed"] == [listed["key"]]
    assert told(kb("list", "--library", "files", "--json")) == []
    assert spec.exists()


def test_a_product_document_of_ones_own_takes_the_place_of_ours_until_it_is_removed(kb, tmp_path, home):
    document = yaml.safe_load((SHIPPED_DOCUMENTS / "zipper.yaml").read_text(encoding="utf-8"))
    document["normal"] = "Our zips are pink, and their teeth are made of brass."
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert told(kb("add", tmp_path / "mine.yaml", "--json"))["product_documents"] == ["zipper"]
    (found, *_) = told(kb("search", "pink brass teeth", "--product", "zipper", "--json"))
    assert (found["id"], found["library"]) == ("zipper/normal", "own")
    told(kb("remove", "own/zipper", "--json"))
    assert not list((home / "documents").iterdir())
    passages = told(kb("search", "how does a good zip look", "--product", "zipper", "--json"))
    assert {passage["library"] for passage in passages} == {"shipped"}


def test_a_wrong_product_document_is_refused_by_field_and_nothing_is_kept(kb, tmp_path, home):
    (tmp_path / "mine.yaml").write_text("schema_version: 1\nid: gasket\nname: Gasket\n", encoding="utf-8")
    refused = kb("add", tmp_path / "mine.yaml")
    assert isinstance(refused.exception, UsageError)
    assert "mine.yaml: normal: Field required" in refused.stderr
    assert not (home / "documents").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "nowhere.pdf"), "nowhere.pdf does not exist"),
        (("remove", "nothing"), "no document named 'nothing'"),
        (("remove", "shipped/zipper"), "comes with this package"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(kb, arguments, said):
    result = kb(*arguments)
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)


@pytest.mark.parametrize("arguments", [("add",), ("remove",)])
def test_nothing_named_is_bad_usage(kb, arguments):
    assert kb(*arguments).exit_code == 2


def test_stats_count_products_and_libraries(kb):
    stats = told(kb("stats", "--json"))
    assert stats["libraries"]["shipped"][0] == 49
    assert stats["products"]["zipper"] == {"shipped": stats["products"]["zipper"]["shipped"]}
    assert stats["model"].startswith("all-MiniLM-L6-v2")
    shown = kb("stats").stdout
    assert "zipper" in shown
    assert "all-MiniLM-L6-v2" in shown


def test_an_import_of_the_benchmark_is_said_to_be_near_oracle_and_kept_apart(kb, tmp_path):
    entries = {
        "good": " <Normal> Description: Evenly spaced metal teeth.",
        "broken_teeth": " <Broken Teeth>\n Description: A gap where a tooth of the zipper is missing.",
    }
    (tmp_path / "domain_knowledge.json").write_text(json.dumps({"MVTec": {"zipper": entries}}))
    shown = kb("import-mmad", tmp_path / "domain_knowledge.json")
    assert shown.exit_code == 0, shown.output
    assert "1 classes" in shown.stdout
    assert "near-oracle" in shown.stdout
    question = "a gap where a tooth of the zipper is missing"
    assert "mmad" not in {p["library"] for p in told(kb("search", question, "--json"))}
    (found, *_) = told(kb("search", question, "--library", "mmad", "--json"))
    assert found["id"].startswith("mmad/MVTec/zipper/broken_teeth")
    assert told(kb("stats", "--json"))["products"]["zipper"]["mmad"] == 2
    assert told(kb("remove", "--library", "mmad", "--json"))["removed"] == ["mmad/MVTec/zipper"]


@pytest.mark.data
def test_all_classes_of_the_benchmark_are_imported(kb, boards_dir):
    told(kb("import-mmad", boards_dir / "mmad" / "domain_knowledge.json", "--json"))
    products = told(kb("stats", "--json"))["products"]
    assert sum("mmad" in held for held in products.values()) == 38


def test_a_documented_product_is_explained_with_sources(examples, home):
    with Inspector.from_settings(data_dir=home) as inspector:
        folder = examples / "bare_pcb"
        report = inspector.inspect(folder / "short.jpg", folder / "good.jpg", product="PCBs")
    assert report.product == "bare_pcb"
    assert report.verdict == "anomalous"
    assert report.defects[0].causes
    assert report.recommendations
    assert report.knowledge_note == ""
    assert report.cited <= {passage.id for passage in report.knowledge}
    assert all(id_.startswith("bare_pcb/") for id_ in report.cited)
    assert any(passage.id == "bare_pcb/normal" for passage in report.knowledge)


def test_an_unknown_product_is_said_to_be_unknown_and_nothing_is_invented(examples, home):
    with Inspector.from_settings(data_dir=home) as inspector:
        folder = examples / "bare_pcb"
        report = inspector.inspect(folder / "short.jpg", folder / "good.jpg", product="flux capacitor")
    assert report.verdict == "anomalous"
    assert report.knowledge_note == (
        "No knowledge was found about 'flux capacitor', so that no cause is named and nothing is recommended."
    )
    assert not report.recommendations
    assert not any(defect.causes for defect in report.defects)


def test_knowledge_switched_off_is_said(examples, home):
    with Inspector.from_settings(data_dir=home, knowledge=False) as inspector:
        folder = examples / "bare_pcb"
        report = inspector.inspect(folder / "short.jpg", folder / "good.jpg", product="bare_pcb")
    assert report.knowledge_note.startswith("Domain knowledge was switched off")
    assert not report.knowledge


def test_files_about_a_product_are_consulted_and_advise_nothing_on_a_measurement_alone(
    kb, examples, home, tmp_path
):
    (tmp_path / "spec.md").write_text(SPEC.replace("Gasket G-417", "Capacitor"), encoding="utf-8")
    told(kb("add", tmp_path / "spec.md", "--product", "flux capacitor", "--json"))
    with Inspector.from_settings(data_dir=home) as inspector:
        folder = examples / "bare_pcb"
        report = inspector.inspect(folder / "short.jpg", folder / "good.jpg", product="Flux Capacitor")
    assert any(passage.source.startswith("spec.md") for passage in report.knowledge)
    assert not report.recommendations
    assert "nothing tells which of their causes and actions fits" in report.knowledge_note


def test_embedding_models_are_chosen_by_setting_and_an_index_of_another_is_refused(home, kb):
    with pytest.raises(UsageError, match="no embedding model 'word2vec'"):
        open_embeddings(Settings.resolve({"embedding_model": "word2vec"}))
    assert open_embeddings(Settings.resolve({"embedding_model": "openai:m"})).name == "openai:m"
    refused = kb("search", "zip", "--embedding-model", "openai:m")
    assert isinstance(refused.exception, KnowledgeError)
    assert "was built with the embedding model all-MiniLM-L6-v2" in str(refused.exception)


def test_a_product_on_record_is_recognised_by_its_picture(examples, home, tmp_path):
    profiles = open_profiles(Settings.resolve({"data_dir": home}))
    for product in ("bare_pcb", "machined_flange"):
        files = [tmp_path / f"{product}-{number}.png" for number in range(3)]
        good = cv2.imread(str(examples / product / "good.jpg"))
        for file, copy in zip(files, perturbations(good, count=3), strict=True):
            cv2.imwrite(str(file), copy)
        profiles.add(product, files)
    with Inspector.from_settings(data_dir=home) as inspector:
        report = inspector.inspect(examples / "machined_flange" / "scratch.jpg")
        other = inspector.inspect(examples / "blister_pack" / "good.jpg")
    assert report.product == "machined_flange"
    assert report.template is not None
    assert any("recognised by its good images on record" in step.reason for step in report.plan)
    assert (other.product, other.verdict) == (None, "review")
