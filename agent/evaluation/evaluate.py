"""One run from its data to its summary."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.evaluation.engines import Engine, open_engine
from agent.evaluation.plan import GROUND_TRUTH, EvaluationPlan
from agent.evaluation.suspects import suspects_of
from agent.settings import Settings
from agent.wiring import versions
from evals.errors import RunIncomplete
from evals.fingerprint import data_files, fingerprint, questions_digest
from evals.log import FAULTS, RunFolder, read_answers, read_summary
from evals.mmad.answers_json import answers_json
from evals.mmad.calibration import calibration
from evals.mmad.dataset import read_mmad
from evals.mmad.domain_knowledge import FILE as DOMAIN_KNOWLEDGE
from evals.mmad.reference_scoring import reference_score
from evals.mmad.risk import selective
from evals.mmad.scoring import score
from evals.mmad.subsets import Subset
from evals.pacing import ADAPTIVE, Pace
from evals.run import Watch, run_evaluation
from evals.spec import RunSpec
from evals.throughput import throughput
from evals.types import Benchmark
from graphs.evidence import EVIDENCE

HERE = Engine()
"""In this process."""

Files = Callable[[int, int], None]
"""Told how many files of the data were looked at, of how many."""


@dataclass(frozen=True)
class Data:
    """The chosen part of a data set, its state, and the images in it that show another product."""

    benchmark: Benchmark
    files: Mapping[str, str]
    suspects: frozenset[str]


def open_data(root: Path, subset: Subset, settings: Settings, progress: Files | None = None) -> Data:
    """Read a data set, choose from it, and look at its files.

    Raises:
        DatasetInvalid: it cannot be read, or nothing of it is meant.
    """
    benchmark = subset.choose(read_mmad(root))
    cache = settings.data_dir / "evaluation"
    files = fingerprint(
        data_files(benchmark), benchmark.root, cache=cache / "digests.sqlite", progress=progress
    )
    files["(the questions of mmad.json)"] = questions_digest(benchmark)
    state = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return Data(benchmark, files, suspects_of(benchmark, settings, cache / f"suspects-{state[:24]}.json"))


@dataclass(frozen=True)
class Job:
    """One run: what is asked, how, and where it is kept."""

    data: Data
    plan: EvaluationPlan
    subset: Subset
    run: Path
    seed: int = 0
    pace: Pace = ADAPTIVE
    pictures: bool = True
    engine: Engine = HERE


async def evaluate(
    job: Job, settings: Settings, watch: Watch | None = None, *, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Answer what is not answered yet, and score it all.

    Args:
        job: what is asked, and where it is kept.
        settings: where the endpoint and the stores are.
        watch: follows the run.
        say: told in one line of what was mended on the way.

    Returns:
        The summary, as `summary.json` holds it.

    Raises:
        RunIncomplete: questions are left that could not be answered now.
        EvalError, AgentError, ToolError: the run folder, the data, the plan or the endpoint cannot be used.
    """
    plan = _with_domain_knowledge(job)
    async with open_engine(job.engine, plan, settings) as answerer:
        spec = RunSpec(
            benchmark="mmad",
            protocol=plan.protocol,
            answered_by=answerer.name,
            settings=_settings(plan, settings),
            subset=job.subset.model_dump(mode="json"),
            versions=versions(plan.settings(settings).language),
            data=str(job.data.benchmark.root),
            files=dict(job.data.files),
            notes=notes(plan, settings, answerer.name),
        )
        with await asyncio.to_thread(RunFolder.open, job.run, spec) as folder:
            if (finished := read_summary(job.run)) is not None:
                return finished
            if folder.cut_bytes and say is not None:
                say("the last answer on record was cut short; its question is asked again")
            outcome = await run_evaluation(
                job.data.benchmark,
                answerer.answer,
                folder,
                pace=job.pace,
                watch=watch,
                pictures=job.pictures,
            )
            if outcome.open:
                raise RunIncomplete(
                    f"{outcome.open} of {job.data.benchmark.questions} question(s) could not be answered "
                    f"({outcome.first_fault}); see {job.run / FAULTS}, and give the same command again"
                )
            return await asyncio.to_thread(_finish, job, plan, folder, outcome.answered, outcome.seconds)


def _settings(plan: EvaluationPlan, settings: Settings) -> dict[str, Any]:
    told = plan.answer_changing(settings)
    if plan.knowledge == "class-keyed" and plan.domain_knowledge is not None:
        told["domain_knowledge_sha256"] = hashlib.sha256(plan.domain_knowledge.read_bytes()).hexdigest()
    return told


def _with_domain_knowledge(job: Job) -> EvaluationPlan:
    """The plan with the file beside `mmad.json`, where class-keyed knowledge needs one and none is named."""
    if job.plan.knowledge != "class-keyed" or job.plan.domain_knowledge is not None:
        return job.plan
    return job.plan.model_copy(update={"domain_knowledge": job.data.benchmark.root / DOMAIN_KNOWLEDGE})


def _finish(
    job: Job, plan: EvaluationPlan, folder: RunFolder, answered: int, seconds: float
) -> dict[str, Any]:
    """Score what is on record; it is read anew for each table, so that no run is held in memory."""
    order = [case.image for case in job.data.benchmark.cases]
    entries = answers_json(read_answers(job.run), free_text=not plan.constrained, order=order)
    suspects = job.data.suspects
    without = score(read_answers(job.run), without=suspects, seed=job.seed) if suspects else None
    calibrated = calibration(read_answers(job.run))
    summary = {
        "format": 1,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "protocol": folder.spec.protocol,
        "answered_by": folder.spec.answered_by,
        "vlm_used": folder.spec.vlm_used,
        "notes": list(folder.spec.notes),
        "scores": score(read_answers(job.run), seed=job.seed).model_dump(mode="json"),
        "suspects": sorted(suspects),
        "scores_without_suspects": without.model_dump(mode="json") if without else None,
        "reference": reference_score(entries),
        "calibration": calibrated.model_dump(mode="json") if calibrated else None,
        "risk": selective(read_answers(job.run)).model_dump(mode="json"),
        "throughput": throughput(read_answers(job.run)).model_dump(mode="json"),
        "last_session": {
            "answered": answered,
            "seconds": round(seconds, 3),
            "questions_per_s": round(answered / seconds, 4) if seconds else None,
        },
    }
    folder.finish(entries, summary)
    return summary


def notes(plan: EvaluationPlan, settings: Settings, answered_by: str) -> tuple[str, ...]:
    """What a reader must know to compare this run with others."""
    said = []
    if answered_by == EVIDENCE:
        said.append("No vision-language model was used: measurements and documents alone answered.")
    if plan.protocol == "agent":
        said.append("This product's own protocol: not comparable with rows under MMAD's published protocol.")
    if off := plan.turned_off(settings):
        said.append(f"Turned off: {', '.join(name.replace('_', ' ') for name in off)}.")
    if plan.knowledge == "class-keyed":
        said.append("Class-keyed knowledge is near-oracle: it names the defects that the test images show.")
    if plan.expert == GROUND_TRUTH:
        said.append("The expert repeats the data set's own masks: an upper bound, not a measurement.")
    if plan.protocol == "agent" and plan.product == "told":
        said.append(
            "The category was told as the product's name, so that Object Classification was partly given"
            + (
                "."
                if answered_by == EVIDENCE
                else " to measurements and documents; the model was not told it."
            )
        )
    return tuple(said)
