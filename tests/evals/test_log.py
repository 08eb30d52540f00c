from __future__ import annotations

import errno
import json
import os
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given as property_of
from hypothesis import strategies as st

from evals.durable import Lines
from evals.errors import EvalError, RunDamaged, RunMismatch
from evals.log import RunFolder, read_answers, read_spec, read_summary
from tests.evals.run_parts import benchmark, records, spec


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A run of 10 questions, all answered, without a summary."""
    with RunFolder.open(tmp_path / "run", spec()) as folder:
        for record in records(benchmark(2)):
            folder.write(record)
    return tmp_path / "run"


def test_answers_come_back_as_they_were_written(begun: Path) -> None:
    assert list(read_answers(begun)) == list(records(benchmark(2)))
    assert read_spec(begun) == spec()
    assert read_summary(begun) is None


def test_the_specification_is_there_before_any_answer(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path / "run", spec()):
        assert read_spec(tmp_path / "run") == spec()


def test_a_second_answer_to_a_question_is_left_out(begun: Path) -> None:
    with RunFolder.open(begun, spec()) as folder:
        for record in records(benchmark(2)):
            assert folder.has(record.image, record.number)
            folder.write(record)
    assert len(list(read_answers(begun))) == 10


def test_what_is_answered_and_wrong_is_known_when_a_run_goes_on(begun: Path) -> None:
    with RunFolder.open(begun, spec()) as folder:
        assert folder.answered == 10
        assert [folder.any_wrong(case) for case in benchmark(3).cases][2] is False
        assert any(folder.any_wrong(case) for case in benchmark(2).cases)


def test_replies_on_record_are_given_to_who_asks_with_history(begun: Path) -> None:
    first, second = (case.image for case in benchmark(2).cases)
    with RunFolder.open(begun, spec()) as folder:
        assert folder.earlier({second}) == {second: {number: f"reply {number}" for number in range(1, 6)}}
        assert first not in folder.earlier({second})


@property_of(cut=st.integers(min_value=0, max_value=10_000))
def test_wherever_the_file_is_cut_whole_answers_stay_and_the_next_stand_behind_them(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    run = tmp_path_factory.mktemp("cut") / "run"
    whole = list(records(benchmark(2)))
    with RunFolder.open(run, spec()) as folder:
        for record in whole:
            folder.write(record)
    content = (run / "answers.jsonl").read_bytes()
    kept = content[: cut % (len(content) + 1)]
    (run / "answers.jsonl").write_bytes(kept)
    lines = kept.count(b"\n")
    assert list(read_answers(run)) == whole[:lines]
    with RunFolder.open(run, spec()) as folder:
        assert folder.answered == lines
        assert folder.cut_bytes == len(kept) - kept.rfind(b"\n") - 1
        for record in whole:
            folder.write(record)
    assert (run / "answers.jsonl").read_bytes() == content


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"settings": {"shots": 2, "expert": "pair"}}, "settings.shots = 1, not 2"),
        ({"settings": {"shots": 1}}, 'settings.expert = "pair", not nothing'),
        ({"settings": {"shots": 1, "expert": "pair", "cot": True}}, "settings.cot = nothing, not true"),
        ({"protocol": "reference"}, 'protocol = "agent", not "reference"'),
        ({"answered_by": "vlm:qwen"}, 'answered_by = "evidence", not "vlm:qwen"'),
        ({"subset": {"limit": 3}}, "subset.limit = null, not 3"),
        ({"versions": {"inspection-agent": "2"}}, 'versions.inspection-agent = "1", not "2"'),
        ({"files": {"mmad.json": "00", "a.png": "12"}}, "a.png has another content"),
        ({"files": {"mmad.json": "00"}}, "a.png is gone"),
        ({"files": {"mmad.json": "00", "a.png": "11", "b.png": "22"}}, "b.png is new"),
    ],
)
def test_another_run_is_refused_and_the_difference_named(
    begun: Path, changed: dict[str, object], named: str
) -> None:
    before = (begun / "answers.jsonl").read_bytes()
    with pytest.raises(RunMismatch) as refused:
        RunFolder.open(begun, spec(**changed))
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (begun / "answers.jsonl").read_bytes() == before
    RunFolder.open(begun, spec()).__exit__(None, None, None)  # and the lock is free


def test_data_may_move_to_another_folder(begun: Path) -> None:
    with RunFolder.open(begun, spec(data="/elsewhere")) as folder:
        assert folder.answered == 10


def test_a_second_writer_is_refused_as_long_as_the_first_is_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with RunFolder.open(run, spec()), pytest.raises(RunDamaged, match="another process is at work"):
        RunFolder.open(run, spec())
    with RunFolder.open(run, spec()) as folder:
        assert folder.answered == 0


def test_a_folder_with_other_files_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunMismatch, match=r"thesis\.tex"):
        RunFolder.open(tmp_path, spec())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["thesis.tex"]


def test_a_run_that_died_while_it_began_begins_again(tmp_path: Path) -> None:
    (tmp_path / ".run.json.1.ab.tmp").write_text('{"format": 1, "bench')
    with RunFolder.open(tmp_path, spec()) as folder:
        assert folder.answered == 0


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "null",
        "[" * 100_000,
        "\x00\x00",
        '{"image": 1, "number": 1, "type": "Anomaly Detection", "given": {"letter": "A"}, "correct": "A"}',
        '{"image": "x", "number": [], "type": "Anomaly Detection", "given": {"letter": "A"}, "correct": "A"}',
        '{"image": "x", "number": 1, "type": "Anomaly Detection", "given": 3, "correct": "A"}',
    ],
)
def test_a_line_that_is_no_answer_is_named_and_not_passed_over(begun: Path, line: str) -> None:
    with (begun / "answers.jsonl").open("a") as file:
        file.write(line + "\n")
    for use in (lambda: RunFolder.open(begun, spec()), lambda: list(read_answers(begun))):
        with pytest.raises(RunDamaged, match="line 11 is no answer of this run") as refused:
            use()
        assert len(str(refused.value)) < 600
        assert "\n" not in str(refused.value)


def test_an_answer_that_stands_there_twice_is_named(begun: Path) -> None:
    file = begun / "answers.jsonl"
    file.write_bytes(file.read_bytes() + file.read_bytes())
    with pytest.raises(RunDamaged, match=r"line 11 .* for a second time"):
        RunFolder.open(begun, spec())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2}', '{"format": 1, "later": 1}'])
def test_a_first_file_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunDamaged, match=r"run\.json"):
        read_spec(tmp_path)
    with pytest.raises(RunDamaged, match=r"run\.json"):
        RunFolder.open(tmp_path, spec())


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunDamaged, match="holds no run"):
        read_spec(tmp_path)


def test_a_finished_run_has_its_summary_last_and_loses_it_when_answers_are_added(begun: Path) -> None:
    with RunFolder.open(begun, spec()) as folder:
        folder.finish([{"image": "x"}], {"accuracy": 50.0})
    assert read_summary(begun) == {"accuracy": 50.0}
    assert json.loads((begun / "answers.json").read_text()) == [{"image": "x"}]
    with RunFolder.open(begun, spec()) as folder:
        for record in records(benchmark(2)):
            folder.write(record)
        assert read_summary(begun) == {"accuracy": 50.0}
        for record in records(benchmark(3)):
            folder.write(record)
    assert read_summary(begun) is None


def test_a_figure_that_is_no_number_never_reaches_the_summary(begun: Path) -> None:
    with RunFolder.open(begun, spec()) as folder, pytest.raises(ValueError, match="JSON"):
        folder.finish([], {"accuracy": float("nan")})
    assert read_summary(begun) is None


def test_a_summary_that_cannot_be_read_is_named(begun: Path) -> None:
    (begun / "summary.json").write_text('{"acc')
    with pytest.raises(RunDamaged, match=r"summary\.json"):
        read_summary(begun)


def test_settings_equal_themselves_once_they_were_written(tmp_path: Path) -> None:
    wanted = spec(settings={"sizes": (1, 2), "names": {"a": ("b",)}})
    RunFolder.open(tmp_path, wanted).__exit__(None, None, None)
    with RunFolder.open(tmp_path, wanted) as folder:
        assert folder.spec.settings["sizes"] == [1, 2]


@pytest.mark.parametrize("value", [Path("/x"), float("nan"), object(), {1, 2}])
def test_settings_that_cannot_be_written_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        spec(settings={"strange": value})


def test_a_folder_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvalError) as refused:
        RunFolder.open(tmp_path / "file" / "run", spec())
    assert "--run" in str(refused.value)


def test_faults_are_on_record(begun: Path) -> None:
    with RunFolder.open(begun, spec()) as folder:
        folder.fault("a.png", [1, 2], "image_missing", "not there")
    told = json.loads((begun / "faults.jsonl").read_text())
    assert told == {"image": "a.png", "numbers": [1, 2], "kind": "image_missing", "message": "not there"}


def test_half_a_line_is_taken_back_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines(tmp_path / "lines")
    lines.add(b"whole")
    write, room = os.write, [3]

    def full(file: int, content: memoryview) -> int:
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content[: room.pop()])

    with monkeypatch.context() as disk:
        disk.setattr("evals.durable.os.write", full)
        with pytest.raises(OSError, match="No space"):
            lines.add(b"too long for it")
    assert (tmp_path / "lines").read_bytes() == b"whole\n"
    lines.add(b"behind")
    lines.close()
    assert (tmp_path / "lines").read_bytes() == b"whole\nbehind\n"


def test_half_a_line_that_could_not_be_taken_back_is_so_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines(tmp_path / "lines")
    write, room = os.write, [2]

    def worn_out(file: int, content: memoryview | int) -> int:
        if isinstance(content, int) or not room:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return write(file, content[: room.pop()])

    with monkeypatch.context() as disk:
        disk.setattr("evals.durable.os.write", worn_out)
        disk.setattr("evals.durable.os.ftruncate", worn_out)
        with pytest.raises(OSError, match="Input/output error"):
            lines.add(b"half")
    assert (tmp_path / "lines").read_bytes() == b"ha"
    lines.add(b"whole")
    lines.close()
    assert (tmp_path / "lines").read_bytes() == b"whole\n"


def test_a_long_torn_line_is_cut_off_whole(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"one\n" + b"x" * 200_000)
    lines = Lines(tmp_path / "lines")
    assert lines.cut_bytes == 200_000
    lines.close()
    assert (tmp_path / "lines").read_bytes() == b"one\n"


def test_forty_thousand_answers_are_gone_on_with_in_a_blink(tmp_path: Path) -> None:
    run = tmp_path / "run"
    RunFolder.open(run, spec()).__exit__(None, None, None)
    with (run / "answers.jsonl").open("wb") as file:
        for record in records(benchmark(8000)):
            file.write(record.model_dump_json().encode() + b"\n")
    began = time.process_time()
    with RunFolder.open(run, spec()) as folder:
        assert folder.answered == 40_000
    assert time.process_time() - began < 2
    tracemalloc.start()
    with RunFolder.open(run, spec()) as folder:
        held, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert folder.answered == 40_000
    assert held < 8e6
    assert most < held + 1e6
