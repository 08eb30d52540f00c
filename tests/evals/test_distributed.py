from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from evals.distributed import answer_on_ray
from evals.errors import EngineUnavailable
from evals.log import RunFolder, read_answers
from evals.pacing import Pace
from evals.ray_worker import OpenAnswer
from evals.run import Outcome, picture_path, run_evaluation
from evals.types import AnswerRecord, Benchmark
from tests.evals import ray_answers
from tests.evals.run_parts import benchmark, records, spec
from tools.errors import ImageMissing

# Ray listens on the address of this machine, which is another on each.
pytestmark = [pytest.mark.anyio, pytest.mark.ray, pytest.mark.enable_socket]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ModuleType]:
    """One cluster for all tests of this module: it takes long to start."""
    import pytest_socket

    pytest_socket.enable_socket()
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture(autouse=True)
def _short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.ray_crew._FIRST_REST_S", 0.3)


async def on_ray(
    run: Path, asked: Benchmark, answerers: list[OpenAnswer], pace: Pace = Pace(fixed=8), **more: object
) -> Outcome:
    with RunFolder.open(run, spec()) as folder:
        async with answer_on_ray(answerers, cpus=0.5, **more) as answer:  # type: ignore[arg-type]
            return await asyncio.wait_for(run_evaluation(asked, answer, folder, pace=pace), 60)


def by_key(run: Path) -> dict[tuple[str, int], AnswerRecord]:
    answers = list(read_answers(run))
    assert len({(one.image, one.number) for one in answers}) == len(answers)
    return {(one.image, one.number): one for one in answers}


def expected(asked: Benchmark) -> dict[tuple[str, int], AnswerRecord]:
    return {(one.image, one.number): one for one in records(asked)}


@pytest.mark.usefixtures("cluster")
async def test_a_worker_that_is_killed_half_way_costs_nothing_but_time(tmp_path: Path) -> None:
    asked = benchmark(60)
    victim = asked.cases[20].image
    opener = partial(ray_answers.plain, tmp_path, dies_on=victim)
    outcome = await on_ray(tmp_path / "run", asked, [opener], workers=2)
    assert (outcome.answered, outcome.open, outcome.first_fault) == (300, 0, None)
    assert by_key(tmp_path / "run") == expected(asked)
    opened = list(tmp_path.glob("*.opened"))
    assert len(opened) == 3  # two, and one in the place of the dead
    dead = (tmp_path / "died").read_text()
    assert {path.stem for path in opened} == {path.stem for path in tmp_path.glob("*.answered")}
    assert {path.stem for path in tmp_path.glob("*.closed")} == {
        path.stem for path in opened if path.stem != f"plain-{dead}"
    }
    told = [line for path in tmp_path.glob("*.answered") for line in path.read_text().splitlines()]
    assert len(told) <= 300 + 8  # what was under way at that worker, at most
    assert f"{victim} 3 [1, 2]" in told  # the next one knew of the replies before


@pytest.mark.usefixtures("cluster")
async def test_several_endpoints_are_used_side_by_side_and_one_that_is_away_is_passed_by(
    tmp_path: Path,
) -> None:
    asked = benchmark(60)
    openers: list[OpenAnswer] = [partial(ray_answers.away, tmp_path)]
    openers += [partial(ray_answers.plain, tmp_path, name) for name in ("first", "second")]
    outcome = await on_ray(tmp_path / "run", asked, openers)
    assert (outcome.answered, outcome.open) == (300, 0)
    assert by_key(tmp_path / "run") == expected(asked)
    for name in ("first", "second"):
        (told,) = tmp_path.glob(f"{name}-*.answered")
        assert len(told.read_text().splitlines()) > 60
    assert len((tmp_path / "away").read_text().splitlines()) < 60
    wrong = {record.image for record in records(asked) if not record.right}
    pictures = {picture_path(tmp_path / "run", image): f"JPEG of {image}" for image in wrong}
    assert {path: path.read_text() for path in (tmp_path / "run" / "pictures").iterdir()} == pictures


@pytest.mark.usefixtures("cluster")
async def test_a_case_that_takes_every_worker_down_is_told_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evals.ray_crew._MOST_DEATHS", 1)
    outcome = await on_ray(tmp_path / "run", benchmark(6), [ray_answers.troubled], pace=Pace(fixed=1))
    assert (outcome.answered, outcome.open) == (20, 10)
    assert outcome.first_fault == "no such image"
    faults = [json.loads(line) for line in (tmp_path / "run" / "faults.jsonl").read_text().splitlines()]
    assert [fault["kind"] for fault in faults] == ["image_missing", "worker_lost"] * 2
    assert by_key(tmp_path / "run").items() <= expected(benchmark(6)).items()
    assert capsys.readouterr().out == ""  # where results belong


@pytest.mark.usefixtures("cluster")
async def test_what_stops_an_answerer_from_opening_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ImageMissing, match=r"^weights are not there$"):
        await on_ray(tmp_path / "run", benchmark(3), [ray_answers.closed_door])


@pytest.mark.usefixtures("cluster")
async def test_a_cluster_without_room_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"20 Ray actors did not start within 1 s .* fewer --workers"):
        await on_ray(tmp_path / "run", benchmark(3), [ray_answers.troubled], workers=20, start_s=1.0)


async def test_missing_ray_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineUnavailable, match=r"pip install 'inspection-agent\[ray\]'"):
        await _entered()


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "[::1]:1", "127.0.0.1:99999999999", "ray://127.0.0.1:10001"]
)
async def test_a_cluster_that_is_not_there_is_told_at_once(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(EngineUnavailable, match=f"no Ray cluster at {re.escape(address)} .*RAY_ADDRESS"):
        await asyncio.wait_for(_entered(), 10)


async def _entered() -> None:
    async with answer_on_ray([ray_answers.closed_door]):
        pass


def test_ray_is_imported_by_who_asks_for_it_alone() -> None:
    code = "import sys, evals.distributed; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
