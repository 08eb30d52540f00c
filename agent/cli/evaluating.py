"""What `agent eval mmad` does: one run or a grid of them, watched, and its tables."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from agent.cli.json_output import print_json
from agent.cli.live import LiveView
from agent.cli.progress import counting_bar
from agent.cli.tables import print_titled
from agent.errors import UsageError
from agent.evaluation.engines import Engine
from agent.evaluation.evaluate import Data, Job, evaluate, open_data
from agent.evaluation.matrix import Matrix, Row, read_matrix
from agent.evaluation.plan import OFF, EvaluationPlan
from agent.settings import Settings
from evals.compare import compare
from evals.log import read_answers
from evals.mmad.calibration import Calibration
from evals.mmad.published import published
from evals.mmad.risk import Selective, in_verdicts
from evals.mmad.scoring import RunScores
from evals.mmad.subsets import Subset
from evals.mmad.tables import (
    accuracy_table,
    category_table,
    contribution_table,
    detection_table,
    reference_table,
    risk_table,
    rows_beside,
)
from evals.pacing import ADAPTIVE, Pace
from evals.progress import JsonLines
from evals.run import Watch

SETTINGS = ("vlm_url", "vlm_model", "vlm_timeout_s", "data_dir", "reasoner")
SWITCHES = (
    "shots",
    "templates",
    "knowledge",
    "domain_knowledge",
    "expert",
    "notation",
    "cot",
    "history",
    "dialect",
    "product",
    "max_looks",
    "votes",
    "language",
)
SUBSET = ("datasets", "categories", "types", "limit", "sample", "seed", "reference_sample")
CALLS_A_CASE = 4
"""Questions of one image that may be under way at a time."""


@dataclass(frozen=True)
class Ask:
    """One call of `agent eval mmad`."""

    data: Path
    run: Path
    matrix: Matrix
    subset: Subset
    settings: Settings
    pace: Pace
    seed: int
    pictures: bool
    quiet: bool
    log_json: bool
    json: bool
    grid: bool
    engine: Engine

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Ask:
        """What the options ask for.

        Raises:
            UsageError: options contradict each other, or the matrix file cannot be used.
        """
        switches = {name: given[name] for name in SWITCHES if given[name] is not None}
        if given["free_text"]:
            switches["constrained"] = False
        switches |= {rule: OFF[rule] for rule in (name.replace("-", "_") for name in given["without"])}
        most = given["jobs"] or ADAPTIVE.most
        explicit = {**{name: given[name] for name in SETTINGS}, "vlm_calls": min(1024, CALLS_A_CASE * most)}
        if given["endpoints"] and explicit["vlm_url"] is None:
            explicit["vlm_url"] = given["endpoints"][0]
        try:
            subset = Subset(**{name: given[name] for name in SUBSET})
            matrix = (
                read_matrix(given["matrix"], switches)
                if given["matrix"]
                else Matrix((Row("run", EvaluationPlan.of(given["protocol"], switches)),))
            )
        except ValidationError as error:
            raise UsageError(_said(error)) from error
        return cls(
            data=given["data"],
            run=given["run"],
            matrix=matrix,
            subset=subset,
            settings=Settings.resolve(explicit, config=given["config"]),
            pace=Pace(fixed=given["jobs"]) if given["jobs"] else ADAPTIVE,
            seed=given["seed"],
            pictures=not given["no_pictures"],
            quiet=given["quiet"] or given["json_"],
            log_json=given["log_json"],
            json=given["json_"],
            grid=bool(given["matrix"]),
            engine=_engine(given),
        )


def evaluate_mmad(ask: Ask) -> None:
    """Run what is asked for and print its tables.

    Raises:
        RunIncomplete: questions are left.
        EvalError, AgentError, ToolError: the data, a plan, a run folder or the endpoint cannot be used.
    """
    data = _opened(ask)
    summaries: dict[str, dict[str, Any]] = {}
    rows = ask.matrix.rows
    for number, row in enumerate(rows, start=1):
        title = f"{number}/{len(rows)} {row.name}" if ask.grid else "answering"
        summaries[row.name] = _one(ask, data, row, title)
    if ask.json:
        print_json(summaries if ask.grid else next(iter(summaries.values())))
    elif ask.grid:
        _print_grid(summaries)
        if ask.matrix.against is not None:
            _print_contributions(ask, ask.matrix.against)
    else:
        _print_run(next(iter(summaries.values())), ask.run)


def _opened(ask: Ask) -> Data:
    doing = "looking at the data"
    with counting_bar(doing, quiet=ask.quiet) as count:
        return open_data(ask.data, ask.subset, ask.settings, lambda done, total: count(doing, done, total))


def _one(ask: Ask, data: Data, row: Row, title: str) -> dict[str, Any]:
    job = Job(
        data=data,
        plan=row.plan,
        subset=ask.subset,
        run=ask.run / row.name if ask.grid else ask.run,
        seed=ask.seed,
        pace=ask.pace,
        pictures=ask.pictures,
        engine=ask.engine,
    )
    with _watch(ask, title) as watch:
        say = None if ask.quiet else lambda line: click.echo(f"agent: {line}", err=True)
        return asyncio.run(evaluate(job, ask.settings, watch, say=say))


@contextmanager
def _watch(ask: Ask, title: str) -> Iterator[Watch | None]:
    if ask.log_json:
        yield JsonLines(sys.stderr)
    elif ask.quiet:
        yield None
    else:
        with LiveView(title) as view:
            yield view


def _print_run(summary: Mapping[str, Any], run: Path) -> None:
    scores = RunScores.model_validate(summary["scores"])
    click.echo(f"{summary['protocol']} protocol, answered by {summary['answered_by']}")
    for note in summary["notes"]:
        click.echo(note)
    print_titled(accuracy_table(scores))
    print_titled(detection_table(scores))
    if summary["scores_without_suspects"]:
        click.echo(
            f"\n{len(summary['suspects'])} image(s) show another product than their templates. Without them:"
        )
        print_titled(accuracy_table(RunScores.model_validate(summary["scores_without_suspects"])))
    if len(scores.categories) > 1:
        print_titled(category_table(scores))
    _print_confidence(summary)
    print_titled(reference_table(summary["reference"]))
    if summary["protocol"] == "reference":
        print_titled(rows_beside([("this run", scores)], published()))
    click.echo(f"\n{_pace(summary)}\nkept in {run}; `agent eval report {run}` makes a page of it")


def _print_confidence(summary: Mapping[str, Any]) -> None:
    """Whether stated probabilities can be believed, and what to leave to people by them."""
    told = Selective.model_validate(summary["risk"])
    if summary["calibration"] is not None:
        calibrated = Calibration.model_validate(summary["calibration"])
        print_titled(risk_table(told))
        click.echo(f"expected calibration error {calibrated.ece:.3f}, Brier score {calibrated.brier:.3f}")
    if told.verdicts is not None:
        click.echo(in_verdicts(told.verdicts))


def _print_grid(summaries: Mapping[str, Mapping[str, Any]]) -> None:
    ours = [(name, RunScores.model_validate(summary["scores"])) for name, summary in summaries.items()]
    if any(summary["protocol"] == "reference" for summary in summaries.values()):
        print_titled(rows_beside(ours, published()))
    else:
        print_titled(rows_beside(ours, ()))
    for note in dict.fromkeys(note for summary in summaries.values() for note in summary["notes"]):
        told = [name for name, summary in summaries.items() if note in summary["notes"]]
        click.echo(note if len(told) == len(summaries) else f"{', '.join(told)}: {note}")


def _print_contributions(ask: Ask, against: str) -> None:
    """What each row of the matrix has over one of them."""
    compared = {
        row.name: compare(read_answers(ask.run / against), read_answers(ask.run / row.name), seed=ask.seed)
        for row in ask.matrix.rows
        if row.name != against
    }
    print_titled(contribution_table(against, compared))


def _pace(summary: Mapping[str, Any]) -> str:
    told, last = summary["throughput"], summary["last_session"]
    cached = (
        "" if told["cached_share"] is None else f", {100 * told['cached_share']:.0f} % of them from its cache"
    )
    tokens = f"; {told['prompt_tokens']:,} prompt tokens{cached}" if told["prompt_tokens"] else ""
    return (
        f"{told['answers']:,} questions, {last['answered']:,} of them in {last['seconds']:.1f} s; a question "
        f"p50 {told['question_p50_s']:.2f} s, p95 {told['question_p95_s']:.2f} s; an image "
        f"p50 {told['image_p50_s']:.2f} s, p95 {told['image_p95_s']:.2f} s{tokens}"
    )


def _engine(given: Mapping[str, Any]) -> Engine:
    ray = given["engine"] == "ray"
    if not ray and (given["workers"] or given["endpoints"]):
        raise UsageError("--workers and --endpoint are for --engine ray; use --jobs and --vlm-url here")
    return Engine(ray=ray, workers=given["workers"], endpoints=given["endpoints"])


def _said(error: ValidationError) -> str:
    mistake = error.errors()[0]
    place = ".".join(str(step) for step in mistake["loc"])
    said = str(mistake["msg"]).removeprefix("Value error, ")
    return f"--{place.replace('_', '-')}: {said}" if place else said
