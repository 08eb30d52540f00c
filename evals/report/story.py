"""Everything that a report tells of a run, read from its folder."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from evals.errors import DatasetInvalid, RunDamaged
from evals.log import SUMMARY, read_answers, read_spec, read_summary
from evals.mmad.calibration import Calibration, calibration
from evals.mmad.dataset import read_mmad
from evals.mmad.reference_scoring import ReferenceTable
from evals.mmad.risk import Selective, selective
from evals.mmad.scoring import RunScores, score
from evals.mmad.subsets import Subset
from evals.report.gallery import Draw, Exhibit, exhibits
from evals.report.thumbnails import Thumbnails
from evals.spec import RunSpec
from evals.throughput import Throughput, throughput
from evals.types import Benchmark
from graphs.questions.question import Subtask

MMAD_DATASETS = frozenset(("DS-MVTec", "MVTec-LOCO", "VisA", "GoodsAD"))
"""The sources that MMAD's published rows are about."""

Confusion = Counter[tuple[str, str | None]]
"""(right letter, given letter or None) to a number of answers."""


class Summary(BaseModel):
    """What of `summary.json` is shown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    finished: str
    notes: tuple[str, ...]
    scores: RunScores
    suspects: tuple[str, ...]
    scores_without_suspects: RunScores | None
    reference: ReferenceTable
    calibration: Calibration | None
    risk: Selective | None = None
    throughput: Throughput
    last_session: dict[str, float | None]


@dataclass(frozen=True)
class Story:
    """A run as its report tells it. `summary` is None while it is unfinished.

    `answered_by` counts answers by who gave them (`vlm:<model>`, `evidence`, `chance`). `asked` is how many
    questions there are in all, None where the data are not at hand to tell.
    """

    spec: RunSpec
    summary: Summary | None
    scores: RunScores
    calibration: Calibration | None
    risk: Selective
    throughput: Throughput
    confusions: Mapping[Subtask, Confusion]
    answered_by: Mapping[str, int]
    wrong: int
    gallery: tuple[Exhibit, ...]
    asked: int | None
    data_missing: str | None

    @property
    def answers(self) -> int:
        """How many questions are answered."""
        return self.scores.overall.questions

    @property
    def of_mmad(self) -> bool:
        """Whether all its images are MMAD's own, as those of the published rows are."""
        return bool(self.scores.datasets) and {each.name for each in self.scores.datasets} <= MMAD_DATASETS

    def setting(self, name: str) -> Any:  # noqa: ANN401 - a plain JSON value
        """One answer-changing setting; None if this run has none of that name."""
        return self.spec.settings.get(name)


def read_story(run: Path, data: Path | None = None) -> Story:
    """Read a run, finished or not. Its answers are walked over and not held.

    Args:
        run: the run's folder.
        data: folder of the data, for pictures; None: where the run found it, if it is still there.

    Raises:
        RunDamaged: the folder holds no run, or a file of it cannot be read.
        DatasetInvalid: `data` was given and is no such data set.
    """
    spec = read_spec(run)
    summary = _summary(run)
    benchmark, missing = _data(spec, data)
    draw = Draw(run)
    confusions: defaultdict[Subtask, Confusion] = defaultdict(Counter)
    answered_by: Counter[str] = Counter()
    for record in read_answers(run):
        draw.see(record)
        answered_by[record.given.by] += 1
        confusions[record.subtask][record.correct, record.given.letter] += 1
    thumbnails = Thumbnails(benchmark.root if benchmark else None, spec.files)
    shown = exhibits(
        draw.drawn(),
        run,
        {case.image: case for case in benchmark.cases} if benchmark else None,
        thumbnails,
        similar=spec.settings.get("templates") == "similar",
        shots=_whole(spec.settings.get("shots")),
    )
    return Story(
        spec=spec,
        summary=summary,
        scores=summary.scores if summary else score(read_answers(run)),
        calibration=summary.calibration if summary else calibration(read_answers(run)),
        risk=(summary.risk if summary else None) or selective(read_answers(run)),
        throughput=summary.throughput if summary else throughput(read_answers(run)),
        confusions=confusions,
        answered_by=answered_by,
        wrong=draw.wrong,
        gallery=tuple(shown),
        asked=_asked(spec, benchmark),
        data_missing=missing,
    )


def _summary(run: Path) -> Summary | None:
    told = read_summary(run)
    if told is None:
        return None
    try:
        return Summary.model_validate(told)
    except ValidationError as error:
        mistake = error.errors()[0]
        place = ".".join(map(str, mistake["loc"]))
        raise RunDamaged(
            f"{run / SUMMARY} is not as this version writes it ({place}: {mistake['msg'].lower()}); "
            "delete it and give the run's command again"
        ) from error


def _data(spec: RunSpec, data: Path | None) -> tuple[Benchmark | None, str | None]:
    """The data set, or why its pictures cannot be shown."""
    if data is not None:
        return read_mmad(data), None
    try:
        return read_mmad(Path(spec.data)), None
    except DatasetInvalid as error:
        return None, str(error)


def _asked(spec: RunSpec, benchmark: Benchmark | None) -> int | None:
    if benchmark is None:
        return None
    with suppress(ValidationError, DatasetInvalid):  # a subset of another version, or of other data
        return Subset.model_validate(spec.subset).choose(benchmark).questions
    return None


def _whole(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
