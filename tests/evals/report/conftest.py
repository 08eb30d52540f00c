"""Runs to write reports of: answers drawn by chance over a small data set, recorded as a run records them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.fingerprint import data_files
from evals.log import RunFolder
from evals.mmad.answers_json import answers_json
from evals.mmad.calibration import calibration
from evals.mmad.dataset import read_mmad
from evals.mmad.reference_scoring import reference_score
from evals.mmad.risk import selective
from evals.mmad.scoring import score
from evals.run import picture_path
from evals.spec import RunSpec
from evals.throughput import throughput
from evals.types import AnswerRecord, Benchmark, GivenAnswer
from tests.evals.mmad_folder import write_mmad
from tools.image import encode_jpeg

VLM = "vlm:Qwen2.5-VL-7B-Instruct"


def spec_of(benchmark: Benchmark, **changed: Any) -> RunSpec:
    files = {
        path.relative_to(benchmark.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in data_files(benchmark)
    }
    plain = {
        "benchmark": "mmad",
        "protocol": "agent",
        "answered_by": "evidence",
        "settings": {
            "shots": 1,
            "templates": "random",
            "knowledge": "retrieved",
            "expert": "auto",
            "cot": True,
        },
        "subset": {"limit": None, "sample": None, "seed": 0, "datasets": [], "categories": [], "types": []},
        "versions": {"inspection-agent": "0.1.0"},
        "data": str(benchmark.root),
        "files": files,
    }
    return RunSpec.model_validate({**plain, **changed})


def answered(benchmark: Benchmark, *, by: str = "evidence", seed: int = 0) -> Iterator[AnswerRecord]:
    """An answer to each question: right in about two of three, now and then without a letter."""
    rng = random.Random(seed)
    for case in benchmark.cases:
        for question in case.questions:
            letters = question.asked.letters
            weights = [rng.random() for _ in letters]
            told = [weight / sum(weights) for weight in weights]
            correct = benchmark.answers[case.image, question.number]
            letter = correct if rng.random() < 0.6 else letters[int(rng.random() * len(letters))]
            invalid = rng.random() < 0.05
            yield AnswerRecord(
                image=case.image,
                dataset=case.dataset,
                category=case.category,
                number=question.number,
                type=question.type,
                question=question.asked.text,
                options=question.asked.options,
                correct=correct,
                given=GivenAnswer(
                    number=question.number,
                    letter=None if invalid else letter,
                    probabilities=None if invalid else dict(zip(letters, told, strict=True)),
                    by="chance" if rng.random() < 0.1 else by,
                    reply=f"The reading speaks for {letter}.",
                    seconds=0.2,
                    measured_seconds=1.0 if question.number == 1 else 0.0,
                    prompt_tokens=900,
                    completion_tokens=2,
                    cached_tokens=800,
                ),
            )


def summary_of(records: list[AnswerRecord], spec: RunSpec, **changed: Any) -> dict[str, Any]:
    """As a finished run writes it."""
    calibrated = calibration(records)
    plain = {
        "format": 1,
        "finished": "2026-01-01T00:00:00+00:00",
        "protocol": spec.protocol,
        "answered_by": spec.answered_by,
        "vlm_used": spec.answered_by != "evidence",
        "notes": ["No vision-language model was used: measurements and documents alone answered."],
        "scores": score(records).model_dump(mode="json"),
        "suspects": [],
        "scores_without_suspects": None,
        "reference": reference_score(answers_json(records)),
        "calibration": calibrated.model_dump(mode="json") if calibrated else None,
        "risk": selective(records).model_dump(mode="json"),
        "throughput": throughput(records).model_dump(mode="json"),
        "last_session": {"answered": len(records), "seconds": 10.0, "questions_per_s": len(records) / 10},
    }
    return json.loads(json.dumps({**plain, **changed}))


def write_run(
    folder: Path, spec: RunSpec, records: Iterable[AnswerRecord], *, finished: bool = True, **summary: Any
) -> Path:
    held = list(records)
    with RunFolder.open(folder, spec) as run:
        for record in held:
            run.write(record)
        if finished:
            run.finish(answers_json(held), summary_of(held, spec, **summary))
    return folder


def keep_overlay(run: Path, image: str, side: int = 64) -> Path:
    file = picture_path(run, image)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(encode_jpeg(np.full((side, side, 3), 90, np.uint8)))
    return file


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mmad(tmp_path_factory.mktemp("parts"), images=12)


@pytest.fixture
def benchmark(parts: Path) -> Benchmark:
    return read_mmad(parts)


@pytest.fixture
def run(tmp_path: Path, benchmark: Benchmark) -> Path:
    """A finished run of the evidence reasoner."""
    return write_run(tmp_path / "run", spec_of(benchmark), answered(benchmark))


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run into a folder of its own."""
    count = iter(range(1000))

    def make(spec: RunSpec, records: Iterable[AnswerRecord], **rest: Any) -> Path:
        return write_run(tmp_path / f"run-{next(count)}", spec, records, **rest)

    return make
