"""`agent train prompts --method dapo`, and inspections with what it keeps, as a user runs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from agent import Inspector
from agent.cli.train import train
from agent.errors import AgentError
from agent.training.dapo import DapoRun, train_dapo
from tests.tools.clip.fixtures import one_thread
from tests.tools.clip.small_clip import draw_clip, draw_part, small_shape, write_parts, write_weights
from tests.tools.experts.dapo.drawn import TYPES, damaged, write_typed
from tools.errors import ToolError

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(draw_clip(small_shape()), tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_typed(tmp_path_factory.mktemp("plates") / "plate")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(train, ["prompts", "--method", "dapo", *map(str, arguments)])


@pytest.fixture(scope="module")
def learnt(weights: Path, plates: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """Folder of prompts that were learnt by the command."""
    out = tmp_path_factory.mktemp("out")
    common = ("--data", plates, "--weights", weights, "--out", out, "--device", "cpu", "--batch-size", 4)
    ran = run(*common, "--lr", 0.003, "--epochs", 20)
    assert ran.exit_code == 0, ran.output
    lines = ran.stdout.splitlines()
    assert lines[0].startswith(f"18 pictures, 12 of them damaged, in {plates} (MVTec AD)")
    assert lines[1] == "types, with pictures learnt from: scratch 6, stain 6"
    assert lines[2].startswith("epoch 1/20  image loss ")
    assert lines[-1] == f"to inspect with it: export AGENT_DAPO_PROMPTS={out}/dapo.safetensors"
    assert {path.name for path in out.iterdir()} == {"dapo.safetensors", "MODEL_CARD.md"}
    return out


@pytest.fixture
def shown(tmp_path: Path) -> Callable[[str], tuple[Path, list[Path]]]:
    """A damaged part never learnt from, and six good ones."""

    def draw(kind: str) -> tuple[Path, list[Path]]:
        good = [tmp_path / f"good{seed}.png" for seed in range(600, 606)]
        for path, seed in zip(good, range(600, 606), strict=True):
            Image.fromarray(draw_part(seed)).save(path)
        Image.fromarray(damaged(505, kind)[0]).save(tmp_path / f"{kind}.png")
        return tmp_path / f"{kind}.png", good

    return draw


@pytest.mark.parametrize("kind", TYPES)
def test_the_report_names_the_type_and_all_chances(
    agent, learnt, weights, shown, monkeypatch, tmp_path, kind
):
    monkeypatch.setenv("AGENT_ANOMALYCLIP_WEIGHTS", str(weights))
    monkeypatch.setenv("AGENT_DAPO_PROMPTS", str(learnt / "dapo.safetensors"))
    query, good = shown(kind)
    given = [part for path in good for part in ("-t", path)]
    ran = agent("inspect", "-i", query, *given, "--expert", "dapo", "--out", tmp_path / "reports")
    assert ran.status == 0, ran.err
    (file,) = (tmp_path / "reports").glob("*/report.json")
    report = json.loads(file.read_text())
    assert report["faults"] == []
    assert report["verdict"] == "anomalous"
    region = report["readings"][0]["regions"][0]
    assert region["types"][0]["type"] == kind
    assert sum(chance["probability"] for chance in region["types"]) == pytest.approx(1)
    defect = report["defects"][0]
    assert "types:dapo" in defect["evidence"]
    assert defect["type"] == kind
    assert defect["type_confidence"] == pytest.approx(region["types"][0]["probability"])
    assert f"The expert dapo calls it {kind}" in defect["description"]


def test_types_that_were_never_learnt_can_be_named(learnt, weights, shown, data_dir):
    query, good = shown("stain")
    named = {"anomalyclip_weights": weights, "dapo_prompts": learnt / "dapo.safetensors"}
    settings = {**named, "data_dir": data_dir, "expert": "dapo", "dapo_types": "rust, oil spot,dent"}
    with Inspector.from_settings(**settings) as inspector:
        report = inspector.inspect(query, good)
    (chances,) = {
        tuple(sorted(chance.type for chance in region.types)) for region in report.readings[0].regions
    }
    assert chances == ("dent", "oil spot", "rust")
    named_as = {chance.type for defect in report.defects for chance in defect.alternatives}
    named_as |= {defect.type for defect in report.defects if defect.type_confidence is not None}
    assert named_as <= {"dent", "oil spot", "rust"}
    assert named_as


def test_without_a_good_image_dapo_is_taken_and_a_person_decides(agent, learnt, weights, shown, monkeypatch):
    monkeypatch.setenv("AGENT_ANOMALYCLIP_WEIGHTS", str(weights))
    monkeypatch.setenv("AGENT_DAPO_PROMPTS", str(learnt / "dapo.safetensors"))
    query, _ = shown("stain")
    report = json.loads(agent("inspect", "-i", query, "--format", "json").out)
    assert report["readings"][0]["expert"] == "dapo"
    assert report["verdict"] == "review"
    assert report["readings"][0]["regions"][0]["types"][0]["type"] == "stain"


def test_doctor_says_what_dapo_lacks(agent):
    lines = agent("doctor").out.splitlines()
    at = next(number for number, line in enumerate(lines) if "expert dapo" in line)
    assert lines[at].startswith("missing")


def test_prompts_that_cannot_be_used_are_told_in_the_report(agent, weights, shown, monkeypatch, tmp_path):
    (tmp_path / "none.safetensors").write_bytes(b"nothing")
    monkeypatch.setenv("AGENT_ANOMALYCLIP_WEIGHTS", str(weights))
    monkeypatch.setenv("AGENT_DAPO_PROMPTS", str(tmp_path / "none.safetensors"))
    query, _ = shown("stain")
    report = json.loads(agent("inspect", "-i", query, "--expert", "dapo", "--format", "json").out)
    (fault,) = report["faults"]
    assert fault["kind"] == "expert_unavailable"
    assert "learn it again" in fault["message"]
    assert report["verdict"] == "review"


def test_learning_goes_on_only_as_it_began(weights: Path, plates: Path, tmp_path: Path) -> None:
    common = ("--data", plates, "--weights", weights, "--out", tmp_path / "out", "--device", "cpu")
    assert run(*common, "--epochs", 1).exit_code == 0
    assert "go on with --resume" in str(run(*common, "--epochs", 2).exception)
    assert "has 1 epochs already" in str(run(*common, "--epochs", 1, "--resume").exception)
    other = run(*common, "--epochs", 2, "--resume", "--type", "stain=dirt")
    assert "was learnt with types" in str(other.exception)
    more = run(*common, "--epochs", 2, "--resume")
    assert more.exit_code == 0, more.output
    assert "epoch 2/2" in more.stdout
    assert "epoch 1/2" not in more.stdout


def test_what_cannot_be_done_is_said_before_anything_is_learnt(
    weights: Path, plates: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def refusal(*more: object, **changes: object) -> str:
        options = {"data": plates, "weights": weights, "out": out, "epochs": 1, "device": "cpu", **changes}
        result = run(*(part for name, value in options.items() for part in (f"--{name}", value)), *more)
        assert isinstance(result.exception, AgentError | ToolError), result.output
        assert "\n" not in str(result.exception)
        return str(result.exception)

    assert "there is no folder" in refusal(data=tmp_path / "nowhere")
    assert "--layer is nothing that --method dapo knows" in refusal("--layer", 2)
    assert "--memory-gb is nothing that --method dapo knows" in refusal("--memory-gb", 1)
    assert "is not KIND=NAME" in refusal("--type", "stain")
    assert "is not KIND=NAME" in refusal("--type", "stain=a", "--type", "stain=b")
    assert "no type 'dent' to rename" in refusal("--type", "dent=a")
    assert "--validation" in refusal("--patience", 1)
    assert "choose another --out" in refusal(out=plates / "test" / "good" / "0.png" / "out")
    (tmp_path / "whole" / "test" / "good").mkdir(parents=True)
    Image.fromarray(draw_part(1)).save(tmp_path / "whole" / "test" / "good" / "0.png")
    assert "no damaged pictures" in refusal(data=tmp_path / "whole")
    assert not (out / "dapo.safetensors").exists()


def test_options_of_dapo_are_refused_for_anomalyclip(weights: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "parts")
    arguments = ("prompts", "--data", parts, "--weights", weights, "--out", tmp_path / "out", "--type", "a=b")
    ran = CliRunner().invoke(train, list(map(str, arguments)))
    assert "--type is nothing that --method anomalyclip knows" in str(ran.exception)


def test_ctrl_c_keeps_the_last_finished_epoch(weights: Path, plates: Path, tmp_path: Path) -> None:
    said: list[str] = []

    class Impatient:
        def say(self, line: str) -> None:
            said.append(line)

        @contextmanager
        def steps(self, what: str, total: int) -> Iterator[Callable[[], None]]:
            left = iter(range(3 + 1 if what == "learning prompts" else total))

            def tick() -> None:
                if next(left, None) is None:
                    raise KeyboardInterrupt

            yield tick

    asked = DapoRun(data=plates, weights=weights, out=tmp_path / "out", epochs=3, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train_dapo(asked, Impatient())
    assert said[-1].startswith("epoch 1/3")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"dapo.safetensors", "MODEL_CARD.md"}
    assert "The prompts of epoch 1 are used" in (tmp_path / "out" / "MODEL_CARD.md").read_text()
