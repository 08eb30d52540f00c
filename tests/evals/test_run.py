from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from evals.errors import RunDamaged
from evals.log import RunFolder, read_answers
from evals.pacing import Pace
from evals.pictures import MOST_PICTURES
from evals.run import Outcome, picture_path, run_evaluation
from evals.types import Answer, AnswerRecord, Benchmark, Case, GivenAnswer, Task
from tests.evals.run_parts import answer, benchmark, given, records, spec
from tools.errors import (
    ExpertUnavailable,
    ImageMissing,
    ToolError,
    VlmInvalid,
    VlmServerError,
    VlmTimeout,
    VlmUnreachable,
)

pytestmark = pytest.mark.anyio


class Followed:
    """A watch that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.records: list[AnswerRecord] = []
        self.faults: list[ToolError] = []

    def started(self, questions: int, answered: int) -> None:
        self.told.append(f"started {questions} {answered}")

    def answered(self, record: AnswerRecord) -> None:
        self.records.append(record)

    def fault(self, case: Case, error: ToolError) -> None:
        self.faults.append(error)

    def finished(self) -> None:
        self.told.append("finished")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.patience._FIRST_WAIT_S", 0.002)
    monkeypatch.setattr("evals.patience._LONGEST_WAIT_S", 0.01)


async def evaluated(run: Path, asked: Benchmark, by: Answer, **more: object) -> Outcome:
    with RunFolder.open(run, spec()) as folder:
        return await run_evaluation(asked, by, folder, **more)  # type: ignore[arg-type]


def by_key(run: Path) -> dict[tuple[str, int], AnswerRecord]:
    answers = list(read_answers(run))
    assert len({(one.image, one.number) for one in answers}) == len(answers)
    return {(one.image, one.number): one for one in answers}


def expected(asked: Benchmark) -> dict[tuple[str, int], AnswerRecord]:
    return {(one.image, one.number): one for one in records(asked)}


def failing(error: Callable[[Task], ToolError | None]) -> tuple[Answer, Counter[str]]:
    """An answer that raises what it is told for a task, and the counts of tasks by image."""
    seen: Counter[str] = Counter()

    async def answered(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        seen[task.case.image] += 1
        await asyncio.sleep(0)
        if (raised := error(task)) is not None:
            raise raised
        for question in task.wanted:
            yield given(task.case.image, question.number)

    return answered, seen


async def test_every_question_is_answered_once_and_told(tmp_path: Path) -> None:
    watch = Followed()
    outcome = await evaluated(tmp_path, benchmark(30), answer, watch=watch)
    assert (outcome.answered, outcome.open, outcome.first_fault) == (150, 0, None)
    assert by_key(tmp_path) == expected(benchmark(30))
    assert watch.told == ["started 150 0", "finished"]
    assert len(watch.records) == 150


async def test_no_answerer_is_ever_told_what_is_right(tmp_path: Path) -> None:
    tasks: list[Task] = []

    async def listening(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        tasks.append(task)
        for question in task.wanted:
            yield given(task.case.image, question.number)

    await evaluated(tmp_path, benchmark(2), listening)
    assert not any("correct" in repr(task) or "Answer" in repr(task) for task in tasks)


async def test_a_run_goes_on_where_it_stopped_and_asks_with_the_earlier_replies(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, spec()) as folder:
        for record in list(records(benchmark(4)))[:8]:  # one image whole, three questions of the next
            folder.write(record)
    tasks: list[Task] = []

    async def listening(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        tasks.append(Task(task.case, task.wanted, dict(task.earlier)))
        async for one in answer(task):
            yield one

    watch = Followed()
    outcome = await evaluated(tmp_path, benchmark(4), listening, watch=watch)
    assert outcome.answered == 12
    assert watch.told[0] == "started 20 8"
    assert [len(task.wanted) for task in tasks] == [2, 5, 5]
    assert tasks[0].earlier == {number: f"reply {number}" for number in (1, 2, 3)}
    assert tasks[1].earlier == {}
    assert by_key(tmp_path) == expected(benchmark(4))


async def test_a_case_that_cannot_be_answered_is_said_and_tried_once_more(tmp_path: Path) -> None:
    bad = benchmark(10).cases[3].image
    healed: Counter[str] = Counter()

    def fault(task: Task) -> ToolError | None:
        healed[task.case.image] += 1
        return VlmInvalid("no JSON") if task.case.image == bad and healed[bad] == 1 else None

    by, seen = failing(fault)
    watch = Followed()
    outcome = await evaluated(tmp_path, benchmark(10), by, watch=watch)
    assert (outcome.answered, outcome.open, outcome.first_fault) == (50, 0, None)
    assert seen[bad] == 2
    assert [str(error) for error in watch.faults] == ["no JSON"]
    told = json.loads((tmp_path / "faults.jsonl").read_text())
    assert told == {"image": bad, "numbers": [1, 2, 3, 4, 5], "kind": "vlm_invalid", "message": "no JSON"}


async def test_what_stays_open_is_told_and_tried_by_the_next_run(tmp_path: Path) -> None:
    bad = benchmark(10).cases[3].image
    by, seen = failing(lambda task: ImageMissing("gone") if task.case.image == bad else None)
    outcome = await evaluated(tmp_path, benchmark(10), by)
    assert (outcome.answered, outcome.open, outcome.first_fault) == (45, 5, "gone")
    assert seen[bad] == 2
    outcome = await evaluated(tmp_path, benchmark(10), answer)
    assert (outcome.answered, outcome.open) == (5, 0)
    assert by_key(tmp_path) == expected(benchmark(10))


async def test_answers_before_a_fault_are_kept(tmp_path: Path) -> None:
    async def half(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        for question in task.wanted[:2]:
            yield given(task.case.image, question.number)
        raise VlmInvalid("no JSON")

    outcome = await evaluated(tmp_path, benchmark(1), half)
    assert (outcome.answered, outcome.open) == (4, 1)  # two, and two more when it was tried again


@pytest.mark.parametrize("error", [VlmUnreachable("away"), VlmServerError("503"), VlmTimeout("late")])
async def test_a_run_outlives_an_endpoint_that_starts_anew(tmp_path: Path, error: ToolError) -> None:
    up = True

    def fault(task: Task) -> ToolError | None:
        return None if up else error

    async def outage() -> None:
        nonlocal up
        await asyncio.sleep(0.01)
        up = False
        await asyncio.sleep(0.15)
        up = True

    async def slowly(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        for question in task.wanted:
            await asyncio.sleep(0.001)
            if (raised := fault(task)) is not None:
                raise raised
            yield given(task.case.image, question.number)

    away = asyncio.create_task(outage())
    watch = Followed()
    outcome = await evaluated(tmp_path, benchmark(40), slowly, watch=watch)
    await away
    assert (outcome.answered, outcome.open) == (200, 0)
    assert len(watch.faults) == 1  # one outage, told once
    assert by_key(tmp_path) == expected(benchmark(40))


async def test_a_run_gives_an_endpoint_up_that_stays_away_and_does_not_try_every_case(tmp_path: Path) -> None:
    by, seen = failing(lambda task: VlmUnreachable("nobody there"))
    outcome = await asyncio.wait_for(evaluated(tmp_path, benchmark(500), by, patience_s=0.1), 10)
    assert (outcome.answered, outcome.open, outcome.first_fault) == (0, 2500, "nobody there")
    assert len(seen) < 20


async def test_one_case_that_the_endpoint_never_serves_holds_nobody_up(tmp_path: Path) -> None:
    bad = benchmark(60).cases[5].image
    by, seen = failing(lambda task: VlmServerError("500") if task.case.image == bad else None)
    outcome = await asyncio.wait_for(
        evaluated(tmp_path, benchmark(60), by, pace=Pace(fixed=2), patience_s=600), 20
    )
    assert (outcome.answered, outcome.open, outcome.first_fault) == (295, 5, "500")
    assert seen[bad] <= 80


async def test_an_expert_without_weights_ends_the_run_at_once(tmp_path: Path) -> None:
    by, seen = failing(lambda task: ExpertUnavailable("no weights"))
    with pytest.raises(ExpertUnavailable, match="no weights"):
        await evaluated(tmp_path, benchmark(50), by)
    assert len(seen) <= 4


async def test_ctrl_c_keeps_what_is_on_record_and_closes_who_answers(tmp_path: Path) -> None:
    closed: list[str] = []

    async def slowly(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        try:
            for question in task.wanted:
                await asyncio.sleep(0.005)
                yield given(task.case.image, question.number)
        finally:
            closed.append(task.case.image)

    watch = Followed()
    running = asyncio.create_task(
        evaluated(tmp_path, benchmark(100), slowly, watch=watch, pace=Pace(fixed=3))
    )
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    kept = by_key(tmp_path)
    assert 0 < len(kept) < 500
    assert kept.items() <= expected(benchmark(100)).items()
    assert watch.told[-1] == "finished"
    assert len(closed) >= 3
    outcome = await evaluated(tmp_path, benchmark(100), answer)
    assert outcome.answered == 500 - len(kept)
    assert by_key(tmp_path) == expected(benchmark(100))


async def test_no_more_cases_are_begun_than_may_be_in_flight(tmp_path: Path) -> None:
    now = most = 0

    async def counted(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        async for one in answer(task):
            yield one
        now -= 1

    await evaluated(tmp_path, benchmark(100), counted, pace=Pace(fixed=5))
    assert most == 5


async def test_a_full_disk_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(record: AnswerRecord) -> None:
        raise RunDamaged("no room")

    with RunFolder.open(tmp_path, spec()) as folder:
        monkeypatch.setattr(folder, "write", full)
        with pytest.raises(RunDamaged, match="no room"):
            await run_evaluation(benchmark(50), answer, folder)


async def test_an_answerer_that_passes_a_question_over_is_found_out(tmp_path: Path) -> None:
    async def lazy(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        for question in task.wanted[1:]:
            yield given(task.case.image, question.number)

    with pytest.raises(RuntimeError, match="1 question"):
        await evaluated(tmp_path, benchmark(1), lazy)


async def test_an_answer_to_no_question_is_found_out(tmp_path: Path) -> None:
    async def wild(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        yield given(task.case.image, 77)

    with pytest.raises(RuntimeError, match="question 77"):
        await evaluated(tmp_path, benchmark(1), wild)


async def test_an_answer_given_twice_is_on_record_once(tmp_path: Path) -> None:
    async def twice(task: Task) -> AsyncGenerator[GivenAnswer, None]:
        for question in (*task.wanted, *task.wanted):
            yield given(task.case.image, question.number)

    watch = Followed()
    await evaluated(tmp_path, benchmark(3), twice, watch=watch)
    assert len(watch.records) == len(by_key(tmp_path)) == 15


async def drawing(task: Task) -> AsyncGenerator[GivenAnswer, None]:
    """Answers after leaving a picture where one is wanted."""
    if task.overlay is not None:
        task.overlay.parent.mkdir(parents=True, exist_ok=True)
        task.overlay.write_bytes(b"JPEG")
    async for one in answer(task):
        yield one


async def test_pictures_are_kept_of_cases_with_a_wrong_answer(tmp_path: Path) -> None:
    asked = benchmark(40, questions=1)
    await evaluated(tmp_path, asked, drawing)
    wrong = {picture_path(tmp_path, record.image) for record in records(asked) if not record.right}
    assert 0 < len(wrong) < 40
    assert set((tmp_path / "pictures").iterdir()) == wrong


async def test_no_pictures_are_drawn_where_none_are_wanted(tmp_path: Path) -> None:
    await evaluated(tmp_path, benchmark(5), drawing, pictures=False)
    assert not (tmp_path / "pictures").exists()


async def test_pictures_have_an_end_also_over_several_runs(tmp_path: Path) -> None:
    asked = benchmark(2 * MOST_PICTURES + 200, questions=1)
    first = Benchmark(asked.root, asked.cases[:500], asked.answers)
    await evaluated(tmp_path, first, drawing)
    await evaluated(tmp_path, asked, drawing)
    assert len(list((tmp_path / "pictures").iterdir())) == MOST_PICTURES
