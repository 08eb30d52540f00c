"""`agent train prompts`, through the command as a user runs it, on a small CLIP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli.train import train
from agent.errors import AgentError
from agent.training.anomalyclip import AnomalyClipRun, train_anomalyclip
from tests.tools.clip.small_clip import draw_clip, small_shape, write_parts, write_weights
from tools.errors import ToolError
from tools.experts.anomalyclip.expert import AnomalyClipExpert
from tools.image import ImageStore


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(draw_clip(small_shape()), tmp_path_factory.mktemp("clip"))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine cost small tensors a hundredfold."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    return write_parts(tmp_path / "parts")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(train, ["prompts", *map(str, arguments)])


def test_prompts_are_learnt_kept_and_used(weights: Path, parts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ("--data", parts, "--weights", weights, "--out", out, "--device", "cpu", "--lr", 0.01)
    first = run(*common, "--epochs", 2)
    assert first.exit_code == 0, first.output
    lines = first.stdout.splitlines()
    assert lines[0].startswith(f"12 pictures, 6 of them damaged, in {parts}")
    assert [line.split("  ")[0] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert lines[-1] == f"to inspect with it: export AGENT_ANOMALYCLIP_PROMPTS={out}/prompts.safetensors"
    card = json.loads((out / "prompts.json").read_text())
    assert card["batch_size"] == 8
    assert card["seed"] == 111
    assert card["data"]["damaged"] == 6
    assert len(card["losses"]) == 2

    more = run(*common, "--epochs", 3, "--resume")
    assert more.exit_code == 0, more.output
    assert "epoch 3/3" in more.stdout
    assert "epoch 2/3" not in more.stdout

    expert = AnomalyClipExpert(weights, out / "prompts.safetensors", device="cpu")
    images = ImageStore()
    measured = expert.fit([]).read(images.pixels(images.open(parts / "bad" / "0.png")))
    assert measured.map_values.shape == (96, 96)


def test_what_cannot_be_done_is_said_before_anything_is_learnt(
    weights: Path, parts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def refusal(*more: str, **changes: object) -> str:
        options = {"data": parts, "weights": weights, "out": out, "epochs": 1, "device": "cpu", **changes}
        flags = [
            part for name, value in options.items() for part in (f"--{name}", value) if value is not None
        ]
        result = run(*flags, *more)
        assert isinstance(result.exception, AgentError | ToolError), result.output
        assert "\n" not in str(result.exception)
        return str(result.exception)

    assert "there is no folder" in refusal(data=tmp_path / "nowhere")
    assert "AGENT_ANOMALYCLIP_WEIGHTS" in refusal(weights=tmp_path / "nowhere.pt")
    assert "cannot be read as weights" in refusal(weights=parts / "good" / "0.png")
    assert "to go on from" in refusal("--resume")
    assert "layers must lie in 1..4" in refusal(layer=9)
    assert "give --validation" in refusal(patience=2)
    assert "2 good ones at least" in refusal(limit=2, validation=0.5)
    (tmp_path / "file").touch()
    assert "choose another --out" in refusal(out=tmp_path / "file" / "out")
    assert not (out / "prompts.safetensors").exists()


def test_learning_goes_on_only_as_it_began(weights: Path, parts: Path, tmp_path: Path) -> None:
    common = ("--data", parts, "--weights", weights, "--out", tmp_path / "out", "--device", "cpu")
    assert run(*common, "--epochs", 1).exit_code == 0
    again = run(*common, "--epochs", 1)
    assert "go on with --resume" in str(again.exception)
    done = run(*common, "--epochs", 1, "--resume")
    assert "has 1 epochs already" in str(done.exception)
    other = run(*common, "--epochs", 2, "--resume", "--batch-size", 3)
    assert "was learnt with batch_size 8, not 3" in str(other.exception)
    fewer = run(*common, "--epochs", 2, "--resume", "--limit", 4)
    assert "was learnt with data" in str(fewer.exception)


def test_ctrl_c_keeps_the_last_finished_epoch(weights: Path, parts: Path, tmp_path: Path) -> None:
    said: list[str] = []

    class Impatient:
        def say(self, line: str) -> None:
            said.append(line)

        @contextmanager
        def steps(self, what: str, total: int) -> Iterator[Callable[[], None]]:
            left = iter(range(12 + 5 if what == "learning prompts" else total))

            def tick() -> None:
                if next(left, None) is None:
                    raise KeyboardInterrupt

            yield tick

    asked = AnomalyClipRun(data=parts, weights=weights, out=tmp_path / "out", epochs=3, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train_anomalyclip(asked, Impatient())
    assert said[-1].startswith("epoch 1/3")
    card = json.loads((tmp_path / "out" / "prompts.json").read_text())
    assert len(card["losses"]) == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"prompts.safetensors", "prompts.json"}


def test_the_epoch_that_judges_best_is_used(
    weights: Path, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools.experts.anomalyclip.training import AnomalyClipLearner

    scores = iter([-2.0, -1.0, -1.5, -3.0, 0.0])
    monkeypatch.setattr(AnomalyClipLearner, "score", lambda *_: next(scores))
    out, log = tmp_path / "out", tmp_path / "log"
    common = ("--data", parts, "--weights", weights, "--out", out, "--device", "cpu")
    judged = (*common, "--validation", 0.3, "--patience", 2, "--log", log)
    done = run(*judged, "--epochs", 9)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.rsplit("  ")[-1] for line in lines[1:5]] == [
        "held-out loss 2.0000 (best)",
        "held-out loss 1.0000 (best)",
        "held-out loss 1.5000",
        "held-out loss 3.0000",
    ]
    assert lines[5] == (
        "learning ended after epoch 4; the prompts of epoch 2 are used, the best on held-out pictures"
    )
    card = json.loads((out / "prompts.json").read_text())
    assert (card["validation"], card["best_epoch"]) == (0.3, 2)
    assert [losses["score"] for losses in card["losses"]] == [-2.0, -1.0, -1.5, -3.0]
    assert any(path.name.startswith("events.") for path in log.iterdir())
    again = run(*judged, "--epochs", 9, "--resume")
    assert again.exit_code == 0, again.output
    assert "epoch 5" not in again.stdout
    assert "learning ended after epoch 4" in again.stdout
    assert "was learnt with validation 0.3, not 0.0" in str(run(*common, "--epochs", 9, "--resume").exception)


def test_simulated_defects_teach_prompts(
    agent: Callable[..., Any], weights: Path, parts: Path, tmp_path: Path
) -> None:
    simulated, out = tmp_path / "simulated", tmp_path / "out"
    assert agent("simulate", parts / "good", "--out", simulated, "--count", 8, "--kind", "perlin").status == 0
    common = ("--data", simulated, "--weights", weights, "--out", out, "--device", "cpu", "--lr", 0.01)
    learnt = run(*common, "--epochs", 4, "--validation", 0.25)
    assert learnt.exit_code == 0, learnt.output
    assert learnt.stdout.startswith("14 pictures, 8 of them damaged")
    losses = json.loads((out / "prompts.json").read_text())["losses"]
    assert losses[-1]["score"] > losses[0]["score"]


def test_half_precision_on_a_cpu_is_bfloat16(weights: Path, parts: Path, tmp_path: Path) -> None:
    common = ("--data", parts, "--weights", weights, "--device", "cpu", "--epochs", 1)
    learnt = run(*common, "--out", tmp_path / "bf16", "--precision", "bf16")
    assert learnt.exit_code == 0, learnt.output
    assert json.loads((tmp_path / "bf16" / "prompts.json").read_text())["precision"] == "bf16"
    refused = run(*common, "--out", tmp_path / "fp16", "--precision", "fp16")
    assert isinstance(refused.exception, ToolError)
    assert "fp16 takes a GPU" in str(refused.exception)


def test_the_help_names_every_option() -> None:
    text = run("--help").stdout
    for option in ("--method", "--data", "--weights", "--out", "--epochs", "--batch-size", "--lr", "--seed"):
        assert option in text
    for option in ("--validation", "--patience", "--precision", "--log", "--resume"):
        assert text.count(f"{option} ") == 1, option
    assert "111" in text
