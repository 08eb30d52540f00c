"""`agent train types`, through the command as a user runs it, on drawn plates; and reports that use the types."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.settings import Settings
from agent.training.defect_types import MEMORY_NAME, TypesRun, _told_of_types, train_types
from tests.agent.conftest import Ran
from tests.tools.simulation.parts import Picture, plate
from tools.defect_types.card import CARD_NAME, TYPES_NAME

Agent = Callable[..., Ran]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine cost small tensors a hundredfold."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _without_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types stand alone here; the documents' part is tried where it says so."""
    monkeypatch.setenv("AGENT_KNOWLEDGE", "false")


def damaged(kind: str, number: int) -> tuple[Picture, tuple[int, int, int, int]]:
    """A plate with a bright scratch or a dark blot where nothing else is, and the box (x, y, w, h) around it."""
    rng = np.random.default_rng([number, len(kind)])
    picture = plate(0)
    x, y, size = int(rng.integers(100, 130)), int(rng.integers(140, 180)), int(rng.integers(-2, 3))
    loose = int(rng.integers(3, 8))
    if kind == "scratch":
        wide, high = 22 + 2 * size, 9 + size
        cv2.line(picture, (x, y), (x + wide, y + high), (235, 235, 235), 2, cv2.LINE_AA)
        return picture, (x - loose, y - loose, wide + 2 * loose, high + 2 * loose)
    radius = 9 + size
    cv2.circle(picture, (x, y), radius, (60, 40, 30), -1, cv2.LINE_AA)
    around = radius + loose
    return picture, (x - around, y - around, 2 * around, 2 * around)


def save(path: Path, picture: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six plates of each of two types, marked in COCO's format, with the good plate for each."""
    home = tmp_path_factory.mktemp("plates")
    images, marks = [], []
    for label, kind in enumerate(("scratch", "blot"), start=1):
        for number in range(6):
            picture, box = damaged(kind, number)
            name = f"{kind}{number}.png"
            save(home / name, picture)
            save(home / "references" / name, plate(0))
            images.append({"id": len(images), "file_name": name})
            marks.append({"image_id": len(marks), "category_id": label, "bbox": box})
    told = {
        "categories": [{"id": 1, "name": "scratch"}, {"id": 2, "name": "blot"}],
        "images": images,
        "annotations": marks,
    }
    (home / "annotations.json").write_text(json.dumps(told))
    return home


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two crops of each of two types, in a folder for each; one file more is no picture."""
    home = tmp_path_factory.mktemp("crops")
    for kind in ("scratch", "blot"):
        for number in range(2):
            picture, (x, y, wide, high) = damaged(kind, number)
            save(home / kind / f"{number}.png", picture[y - 6 : y + high + 6, x - 6 : x + wide + 6])
    (home / "scratch" / "notes.txt").write_text("no picture")
    return home


def learnt(agent: Agent, *arguments: object) -> Ran:
    return agent("train", "types", *arguments)


def reports(out: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in sorted(out.glob("*/report.json"))]


def test_types_are_learnt_kept_and_named_in_a_report(
    agent: Agent, data_dir: Path, plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = learnt(agent, "--data", plates, "--product", "test plate")
    assert ran.status == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == f"12 crops in {plates} (COCO): blot 6, scratch 6"
    assert lines[-1] == "to inspect with them: --product test plate uses them"
    kept = data_dir / "products" / "test_plate" / "types"
    assert {path.name for path in kept.iterdir()} == {TYPES_NAME, CARD_NAME, MEMORY_NAME}
    card = json.loads((kept / CARD_NAME).read_text())
    assert (card["classes"], card["data"]["crops"]) == (["blot", "scratch"], {"blot": 6, "scratch": 6})
    assert card["data"]["good_parts"] is True
    assert len(card["losses"]) == card["epochs"] == 60
    assert card["held_out"]["crops"] == 12
    assert "not public" in card["reconstruction"]

    good = save(tmp_path / "good.png", plate(0))
    for kind in ("scratch", "blot"):
        query = save(tmp_path / f"{kind}.png", damaged(kind, 7)[0])
        out = tmp_path / "reports" / kind
        ran = agent("inspect", "--image", query, "--template", good, "--product", "test plate", "--out", out)
        assert ran.status == 0, ran.err
        (report,) = reports(out)
        (defect,) = report["defects"]
        assert defect["type"] == kind
        assert 0.5 < defect["type_confidence"] < 1
        assert "types:test_plate" in defect["evidence"]
        assert kind in ran.out

    monkeypatch.setenv("AGENT_TYPES", "off")
    out = tmp_path / "reports" / "without"
    agent("inspect", "--image", query, "--template", good, "--product", "test plate", "--out", out)
    assert "types:" not in json.dumps(reports(out))


def test_a_product_without_types_can_be_named_by_a_file(
    agent: Agent, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "types"
    ran = learnt(agent, "--data", crops, "--out", out, "--epochs", 20)
    assert ran.status == 0, ran.err
    assert ran.out.splitlines()[-1] == f"to inspect with them: export AGENT_TYPES_MODEL={out / TYPES_NAME}"
    card = json.loads((out / CARD_NAME).read_text())
    assert (card["data"]["framing"], card["data"]["crops"]) == ("whole", {"blot": 2, "scratch": 2})

    monkeypatch.setenv("AGENT_TYPES_MODEL", str(out / TYPES_NAME))
    query = save(tmp_path / "query.png", damaged("blot", 9)[0])
    good = save(tmp_path / "good.png", plate(0))
    ran = agent("inspect", "--image", query, "--template", good, "--out", tmp_path / "reports")
    assert ran.status == 0, ran.err
    (report,) = reports(tmp_path / "reports")
    assert "types:types" in report["defects"][0]["evidence"]
    (out / TYPES_NAME).write_bytes(b"not what it was")
    ran = agent("inspect", "--image", query, "--template", good, "--out", tmp_path / "again")
    (report,) = reports(tmp_path / "again")
    assert (report["verdict"], [fault["step"] for fault in report["faults"]]) == ("anomalous", ["decide"])


class Impatient:
    """Presses Ctrl-C after so many steps of one stretch of work."""

    def __init__(self, what: str, steps: int) -> None:
        self._what, self._steps = what, steps

    def say(self, line: str) -> None:
        pass

    @contextmanager
    def steps(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        left = iter(range(self._steps if what == self._what else total))

        def tick() -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        yield tick


def test_interrupted_it_goes_on_to_the_same_types(agent: Agent, crops: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert learnt(agent, "--data", crops, "--out", whole, "--epochs", 4).status == 0
    for what, steps in (("learning types", 2), ("learning without some crops", 0)):
        run = TypesRun(data=crops, out=broken, epochs=4, resume=(broken / MEMORY_NAME).is_file())
        with pytest.raises(KeyboardInterrupt):
            train_types(run, Settings.resolve(), Impatient(what, steps))
        assert [path.name for path in broken.iterdir()] == [MEMORY_NAME]
    ran = learnt(agent, "--data", crops, "--out", broken, "--epochs", 4, "--resume")
    assert ran.status == 0, ran.err
    assert (broken / TYPES_NAME).read_bytes() == (whole / TYPES_NAME).read_bytes()


def test_learning_goes_on_only_as_it_began(agent: Agent, crops: Path, tmp_path: Path) -> None:
    common = ("--data", crops, "--out", tmp_path, "--epochs", 2)
    assert "to go on from" in learnt(agent, *common, "--resume").complaint
    assert learnt(agent, *common).status == 0
    assert "go on with --resume" in learnt(agent, *common).complaint
    assert "has 2 epochs already" in learnt(agent, *common, "--resume").complaint
    other = learnt(agent, "--data", crops, "--out", tmp_path, "--epochs", 2, "--resume", "--seed", 4)
    assert "was learnt with seed 0, not 4" in other.complaint
    fewer = learnt(agent, *common, "--resume", "--shots", 1)
    assert "was learnt with data" in fewer.complaint


def test_what_cannot_be_learnt_from_is_said_in_one_line(agent: Agent, crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def refusal(data: Path, *more: object) -> str:
        ran = learnt(agent, "--data", data, "--out", out, *more)
        assert ran.status not in (0, 1), ran.err
        assert "Traceback" not in ran.err
        assert not (out / TYPES_NAME).exists()
        return ran.complaint

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "is not laid out as" in refusal(empty)
    assert "there is no folder" in refusal(tmp_path / "nowhere")
    one = tmp_path / "one"
    save(one / "dent" / "a.png", plate(0))
    assert "holds one type, 'dent'" in refusal(one)

    texts = tmp_path / "texts"
    for kind in ("dent", "crack"):
        (texts / kind).mkdir(parents=True)
        (texts / kind / "a.png").write_text("this is no picture")
    assert "a.png" in refusal(texts)

    cut = tmp_path / "cut"
    for path in crops.rglob("*.png"):
        content = path.read_bytes()
        target = cut / path.relative_to(crops)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content[: len(content) // 2] if target.name == "1.png" else content)
    assert "1.png" in refusal(cut)

    same = tmp_path / "same"
    for kind in ("dent", "crack"):
        save(same / kind / "a.png", plate(0))
    assert "are the same picture, once of type 'crack' and once of 'dent'" in refusal(same)
    assert "3 crops of each type are wanted, but blot has 2, scratch has 2" in refusal(crops, "--shots", 3)
    assert "leave --patience out" in refusal(crops, "--patience", 3)
    (tmp_path / "file").touch()
    ran = learnt(agent, "--data", crops, "--out", tmp_path / "file" / "out")
    assert "choose another --out" in ran.complaint
    assert "give --out" in learnt(agent, "--data", crops).complaint


def test_what_documents_know_of_types_is_learnt_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_KNOWLEDGE", "true")
    run = TypesRun(data=Path(), product="bare_pcb")
    told = _told_of_types(run, Settings.resolve(), ("mousebite", "never heard of"))
    assert list(told) == ["mousebite"]
    assert told["mousebite"].startswith("Mousebite. ")


def test_few_shots_and_a_log(agent: Agent, plates: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    ran = learnt(agent, "--data", plates, "--out", out, "--shots", 2, "--epochs", 3, "--log", log)
    assert ran.status == 0, ran.err
    assert "4 crops in" in ran.out
    assert any(path.name.startswith("events.") for path in log.iterdir())


def test_what_simulate_writes_can_be_learnt_from(agent: Agent, tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / "good" / f"{number}.png", plate(number))
    simulated = tmp_path / "simulated"
    assert (
        agent("simulate", tmp_path / "good", "--out", simulated, "--kind", "cutpaste", "--count", 8).status
        == 0
    )
    ran = learnt(agent, "--data", simulated, "--out", tmp_path / "types", "--epochs", 2)
    assert ran.status == 0, ran.err
    assert "(good, bad and masks): patch " in ran.out


def test_an_inspection_with_learnt_types_imports_no_torch(agent: Agent, crops: Path, tmp_path: Path) -> None:
    out = tmp_path / "types"
    assert learnt(agent, "--data", crops, "--out", out, "--epochs", 2).status == 0
    good, query = save(tmp_path / "good.png", plate(0)), save(tmp_path / "bad.png", damaged("blot", 9)[0])
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from agent import Inspector\n"
        f"with Inspector.from_settings(types_model=Path({str(out / TYPES_NAME)!r})) as inspector:\n"
        f"    report = inspector.inspect({str(query)!r}, template={str(good)!r})\n"
        "print([id_ for defect in report.defects for id_ in defect.evidence if id_.startswith('types:')])\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'accelerate', 'transformers'}))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["['types:types']", "[]"]


def test_the_help_names_every_option(agent: Agent) -> None:
    text = learnt(agent, "--help").out
    for option in ("--data", "--product", "--out", "--shots", "--epochs", "--batch-size", "--lr", "--seed"):
        assert option in text
    for option in ("--device", "--patience", "--resume", "--log"):
        assert option in text
