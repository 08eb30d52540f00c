"""The Python API: what it takes, threads, pictures kept or not, and going on after an interruption."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from agent import Inspector, UsageError
from graphs.reasoning import Opinion
from tools.errors import ImageMissing


@pytest.fixture(scope="module")
def inspector(data_dir):
    with Inspector.from_settings(data_dir=data_dir) as inspector:
        yield inspector


@pytest.fixture
def board(examples):
    return examples / "bare_pcb"


def test_paths_pillow_images_and_arrays_give_the_same_answer(inspector, board):
    paths = inspector.inspect(board / "short.jpg", board / "good.jpg")
    with Image.open(board / "short.jpg") as query, Image.open(board / "good.jpg") as template:
        pictures = inspector.inspect(query, template)
        arrays = inspector.inspect(np.asarray(query), [np.asarray(template)])
    assert paths.verdict == "anomalous"
    for other in (pictures, arrays):
        assert other.image.sha256 == paths.image.sha256
        assert (other.verdict, other.defects, other.confidence) == (
            paths.verdict,
            paths.defects,
            paths.confidence,
        )


def test_the_same_question_gets_the_same_answer_and_id(inspector, board):
    first, second = (inspector.inspect(board / "short.jpg", board / "good.jpg") for _ in range(2))
    assert first.inspection_id == second.inspection_id
    assert first.defects == second.defects
    assert (
        inspector.inspect(board / "open_track.jpg", board / "good.jpg").inspection_id != first.inspection_id
    )


def test_pictures_are_kept_where_asked_and_nowhere_else(inspector, board, tmp_path, data_dir):
    unfinished = set((data_dir / "unfinished").iterdir())  # other tests interrupt theirs
    report = inspector.inspect(board / "short.jpg", board / "good.jpg", out=tmp_path)
    assert set(report.artifacts) == {"overlay", "heatmap", "crop_1"}
    for name in report.artifacts.values():
        with Image.open(tmp_path / name) as picture:
            picture.verify()
    assert inspector.inspect(board / "short.jpg", board / "good.jpg").artifacts == {}
    assert set((data_dir / "unfinished").iterdir()) == unfinished


def test_threads_share_an_inspector(inspector, board):
    queries = ["short", "good_shifted", "open_track", "good"] * 2

    def verdict(name):
        return inspector.inspect(board / f"{name}.jpg", board / "good.jpg").verdict

    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(verdict, queries))
    assert verdicts == ["anomalous", "normal", "anomalous", "normal"] * 2


def test_the_same_inspection_twice_at_once(inspector, board):
    with ThreadPoolExecutor(3) as pool:
        reports = list(
            pool.map(lambda _: inspector.inspect(board / "short.jpg", board / "good.jpg"), range(3))
        )
    assert len({report.model_dump_json(include={"defects", "verdict"}) for report in reports}) == 1


def test_a_folder_of_good_images_gives_the_reference(inspector, board, examples, tmp_path):
    for product in ("bare_pcb", "machined_flange", "blister_pack"):
        (tmp_path / f"{product}.jpg").write_bytes((examples / product / "good.jpg").read_bytes())
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    report = inspector.inspect(board / "short.jpg", templates=tmp_path)
    assert report.verdict == "anomalous"
    assert report.template.path.endswith("bare_pcb.jpg")
    assert [fault.kind for fault in report.faults] == ["template_unreadable"]


def test_a_missing_image_is_one_clear_error(inspector, tmp_path):
    with pytest.raises(ImageMissing, match=r"none\.png"):
        inspector.inspect(tmp_path / "none.png")


def test_a_damaged_store_of_unfinished_inspections_names_its_remedy(tmp_path):
    (tmp_path / "unfinished.sqlite").write_bytes(b"this is no database, " * 100)
    with pytest.raises(UsageError, match="delete it"):
        Inspector.from_settings(data_dir=tmp_path)


class _Stalling:
    """A reasoner that never answers, as a person sees a model that hangs."""

    name = "vlm:stalling"
    sees = True

    def __init__(self) -> None:
        self.asked = threading.Event()

    async def judge(self, evidence):
        self.asked.set()
        await asyncio.sleep(60)

    async def look_closer(self, evidence, view):
        raise AssertionError("never reached")


class _Content(_Stalling):
    """The same reasoner, answering this time."""

    async def judge(self, evidence):
        return Opinion(by=self.name, judgement="anomalous", confidence=0.9, summary="A bridge.")


def test_an_interrupted_inspection_goes_on_where_it_stopped(board, data_dir):
    def with_reasoner(inspector, reasoner):
        inspector.handles = dataclasses.replace(inspector.handles, reasoner=reasoner)
        return inspector

    stalling = _Stalling()
    with with_reasoner(Inspector.from_settings(data_dir=data_dir), stalling) as inspector:
        stopped = []

        def work():
            try:
                inspector.inspect(board / "open_track.jpg", board / "good.jpg", product="bare_pcb")
            except BaseException as error:
                stopped.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        assert stalling.asked.wait(60)
        inspector.cancel()
        worker.join(30)
        assert stopped

    # Another process would find the same store; a second inspector stands for it.
    with with_reasoner(Inspector.from_settings(data_dir=data_dir), _Content()) as inspector:
        seen = []
        with inspector.inspection(
            board / "open_track.jpg", board / "good.jpg", product="bare_pcb", progress=seen.append
        ) as inspection:
            report = inspection.report
            assert "overlay" in inspection.pictures()
    # The step before may be done again: its result is written while the next one runs.
    assert seen[0] in {"annotate", "reason"}
    assert not {"intake", "plan", "measure"} & set(seen)
    assert report.verdict == "anomalous"
    assert [entry.step for entry in report.trace].count("measure") == 1


def test_a_batch_resumes_where_it_stopped(agent, board, tmp_path):
    images = tmp_path / "line"
    images.mkdir()
    for name in ("short", "good_shifted"):
        (images / f"{name}.jpg").write_bytes((board / f"{name}.jpg").read_bytes())
    arguments = ("inspect", "--image", images, "--template", board / "good.jpg", "--out", tmp_path / "out")
    first = agent(*arguments)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("report.json")}
    assert len(kept) == 2
    (tmp_path / "out" / "short" / "report.json").write_text("half a rep")
    second = agent(*arguments)
    assert [json.loads(line)["verdict"] for line in second.out.splitlines()] == ["normal", "anomalous"]
    assert [json.loads(a)["defects"] for a in first.out.splitlines()] == [
        json.loads(b)["defects"] for b in second.out.splitlines()
    ]
    assert {path for path, at in kept.items() if path.stat().st_mtime_ns == at} == {
        tmp_path / "out" / "good_shifted" / "report.json"
    }


def test_exit_codes_tell_the_verdict(agent, board):
    def status(name):
        return agent(
            "inspect", "-q", "--image", board / f"{name}.jpg", "--template", board / "good.jpg", "--exit-code"
        ).status

    assert (status("short"), status("good_shifted")) == (10, 0)


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_every_format_prints_only_the_report(agent, board, form):
    ran = agent("inspect", "--image", board / "short.jpg", "--template", board / "good.jpg", "--format", form)
    starts = {"text": "╭", "json": "{", "markdown": "# ", "html": "<!"}[form]
    assert ran.out.lstrip().lower().startswith(starts)
    assert "--vlm-url" in ran.err


def test_doctor_says_that_the_embedded_default_works(agent):
    ran = agent("doctor")
    assert ran.status == 0
    assert "The embedded default works." in ran.out
    assert "hf download" in ran.out


def test_doctor_says_what_is_broken(agent, tmp_path):
    (tmp_path / "file").touch()
    ran = agent("doctor", "--data-dir", tmp_path / "file")
    assert ran.status == 2
    assert "broken" in ran.out
