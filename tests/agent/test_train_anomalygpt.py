"""`agent train anomalygpt`, through the command as a user runs it, on small models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli.train import train
from agent.errors import AgentError
from tests.tools.anomalygpt.tiny import write_lm, write_marked
from tests.tools.clip.fixtures import one_thread
from tests.tools.clip.small_clip import draw_clip, small_shape, write_weights
from tools.errors import ToolError

__all__ = ["one_thread"]


@dataclass(frozen=True)
class Bases:
    weights: Path
    lm: Path


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    folder = tmp_path_factory.mktemp("bases")
    return Bases(write_weights(draw_clip(small_shape()), folder), write_lm(folder / "lm"))


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    return write_marked(tmp_path / "plates")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(train, ["anomalygpt", *map(str, arguments)])


def given(bases: Bases, plates: Path, out: Path, *more: object) -> tuple[object, ...]:
    # 96 px leave 3x3 after the paper's five halvings.
    frozen = ("--weights", bases.weights, "--lm", bases.lm, "--device", "cpu", "--map-px", 96)
    return ("--data", plates, "--out", out, *frozen, "--batch-size", 4, *more)


def test_it_is_learnt_kept_gone_on_with_and_opened(bases: Bases, plates: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(*given(bases, plates, out, "--epochs", 1))
    assert first.exit_code == 0, first.output
    lines = first.stdout.splitlines()
    assert lines[0].startswith(f"8 pictures, 4 of them damaged, in {plates}")
    assert lines[1].startswith("no instructions on other pictures")
    assert lines[2].startswith("epoch 1/1  answers loss")
    assert lines[-1] == f"to inspect with it: agent inspect --reasoner anomalygpt:{out}"
    assert "frozen" in (out / "MODEL_CARD.md").read_text()

    more = run(*given(bases, plates, out, "--epochs", 2, "--resume"))
    assert more.exit_code == 0, more.output
    assert "epoch 2/2" in more.stdout
    assert "epoch 1/2" not in more.stdout

    from tools.anomalygpt.opening import open_model
    from tools.image import ImageStore

    images = ImageStore()
    model = open_model(out, device="cpu")
    picture = images.pixels(images.open(plates / "bad" / "0.png"))
    assert model.look(picture).path == "zero-shot"
    assert model.look(picture, [picture]).map_values.shape == (96, 96)
    assert isinstance(model.answer(picture), str)


def test_instructions_are_asked_between(bases: Bases, plates: Path, tmp_path: Path) -> None:
    told = {"picture": "good/0.png", "question": "Is it a plate?", "answer": "Yes."}
    asked = plates / "instructions.jsonl"
    asked.write_text(json.dumps(told) + "\n\n")
    result = run(*given(bases, plates, tmp_path / "out", "--epochs", 1, "--instructions", asked))
    assert result.exit_code == 0, result.output
    assert "1 instruction, asked in every second step" in result.stdout
    assert "instructions loss" in result.stdout

    asked.write_text(json.dumps({**told, "answer": "No."}) + "\n")
    more = ("--epochs", 2, "--resume", "--instructions", asked)
    assert "another instructions" in str(run(*given(bases, plates, tmp_path / "out", *more)).exception)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "is no instruction"),
        ('{"picture": "good/0.png", "question": "?"}', "is no instruction"),
        ('{"picture": "../../x.png", "question": "?", "answer": "No."}', "there is no picture"),
        ("[" * 5000, "is no instruction"),
    ],
)
def test_a_line_that_is_no_instruction_is_named(
    bases: Bases, plates: Path, tmp_path: Path, line: str, said: str
) -> None:
    asked = plates / "instructions.jsonl"
    asked.write_text(f"{line}\n")
    result = run(*given(bases, plates, tmp_path / "out", "--instructions", asked))
    assert isinstance(result.exception, ToolError)
    assert said in str(result.exception)
    assert "line 1" in str(result.exception)
    assert "\n" not in str(result.exception)


def test_good_pictures_alone_teach_by_defects_drawn_into_them(bases: Bases, tmp_path: Path) -> None:
    line = tmp_path / "line"
    for product in ("plate", "sheet"):
        write_marked(line / product)
        (line / product / "bad" / "0.png").write_bytes(b"")  # nobody looks there
    more = ("--simulate", "cutpaste", "--epochs", 2, "--validation", 0.3)
    result = run(*given(bases, line, tmp_path / "out", *more))
    assert result.exit_code == 0, result.output
    said = "8 pictures, in half of which a defect is drawn each time (cutpaste), in"
    assert result.stdout.startswith(f"{said} {line} (good pictures)")
    assert "held-out loss" in result.stdout
    told = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "8 pictures (good pictures), defects drawn into half of them (cutpaste)" in told
    assert "2 held out" in told


def test_folders_without_good_pictures_are_refused(bases: Bases, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (empty, tmp_path / "none"):
        error = run(*given(bases, folder, tmp_path / "out", "--simulate", "nsa")).exception
        assert isinstance(error, AgentError)
        assert str(folder) in str(error)
        assert "\n" not in str(error)


def test_what_cannot_be_done_is_said_in_a_line(bases: Bases, plates: Path, tmp_path: Path) -> None:
    def refusal(*more: object, out: Path = tmp_path / "out") -> str:
        error = run(*given(bases, plates, out, "--epochs", 1, *more)).exception
        assert isinstance(error, AgentError | ToolError), error
        assert "\n" not in str(error)
        return str(error)

    assert "no causal language model" in refusal("--lm", tmp_path / "none")
    assert "--map-px cannot be used" in refusal("--map-px", 64)
    assert "--patience needs pictures" in refusal("--patience", 2)
    assert "leave --resume out" in refusal("--resume")
    out = tmp_path / "kept"
    assert run(*given(bases, plates, out, "--epochs", 1)).exit_code == 0
    assert "is there already" in refusal(out=out)
    assert "another learning rate" in refusal("--resume", "--lr", 0.5, out=out)
    assert "has 1 epochs already; ask for more with --epochs" in refusal("--resume", out=out)
    assert "keeps learning with another data" in refusal("--resume", "--simulate", "nsa", out=out)
    (plates / "bad" / "0.png").write_bytes(b"")
    assert "0.png" in refusal()
