"""What `agent eval detect` does: open an expert, measure a data set with it, print the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from agent.cli.json_output import print_json
from agent.cli.progress import progress_bar
from agent.cli.tables import print_table
from agent.errors import UsageError
from agent.settings import Settings
from agent.wiring import open_backbone, open_bench, open_embedder, open_experts, open_images
from evals.detect.cases import DetectionSet, Layout
from evals.detect.choosing import Shots, Trial, choose
from evals.detect.figures import Summary, summarise
from evals.detect.folder import DetectFolder, DetectSpec
from evals.detect.layouts import read_detection_set
from evals.detect.run import Measure, measure_trials
from evals.detect.tables import figures_table
from evals.errors import RunIncomplete
from knowledge_base.templates import Embedder
from tools.experts.base import Scope
from tools.experts.bench import ExpertBench
from tools.experts.ground_truth import GroundTruthExpert
from tools.image import ImageStore
from tools.plain_text import plain
from tools.types import ImageRef, Measurement, Pixels

FAULTS_SHOWN: Final = 5


@dataclass(frozen=True)
class Detect:
    """One call of `agent eval detect`; see its options."""

    data: Path
    run: Path
    layout: Layout | None
    categories: tuple[str, ...]
    expert: str
    shots: Shots
    seed: int
    nearest: int | None
    limit: int | None
    side_px: int
    json: bool
    quiet: bool


def measure_detection(asked: Detect, explicit: Mapping[str, Any], config: Path | None) -> None:
    """Measure a data set, or what is left of it, and print the figures.

    Raises:
        UsageError: the expert cannot be used, or settings are wrong.
        EvalError: the data set or the run folder cannot be used.
        RunIncomplete: figures were printed, and some images could not be measured.
    """
    settings = Settings.resolve(explicit, config=config)
    found = read_detection_set(asked.data, asked.layout).only(asked.categories)
    trials = [choose(category, asked.shots, asked.seed, asked.limit) for category in found.categories]
    images, backbone = open_images(settings), open_backbone(settings)
    bench = open_bench(settings, images, backbone)
    _check_expert(bench, asked.expert, trials)
    expert = next(one for one in open_experts(settings, backbone) if one.name == asked.expert)
    embedder = open_embedder(settings, backbone) if asked.nearest else None
    spec = DetectSpec(
        layout=found.layout,
        expert=expert.name,
        expert_version=expert.version,
        shots=asked.shots,
        seed=asked.seed,
        nearest=asked.nearest,
        chosen_by=embedder.model if embedder else None,
        side_px=asked.side_px,
    )
    measurer = Measurer(asked.expert, bench, images, embedder, asked.nearest or 0)
    total = sum(len(trial.cases) for trial in trials)
    if not asked.quiet:
        click.echo(f"agent: {_told(found, trials)}", err=True)
    with DetectFolder.opened(asked.run, spec) as folder:
        with progress_bar("measuring", total, quiet=asked.quiet or asked.json) as advance:
            unmeasured = measure_trials(
                folder,
                trials,
                measurer.fit,
                measurer.pixels,
                root=found.root,
                jobs=settings.jobs,
                tick=advance,
            )
        summary = summarise(folder, trials, unmeasured)
        folder.finish(summary)
    _print(summary, asked, total)


class Measurer:
    """An expert as the benchmark sees it: learns from files, then measures files.

    Args:
        expert: its name.
        bench: where it stands.
        images: how pictures are read.
        embedder: what compares images; None: each image is compared with all good images.
        nearest: with how many of the good images most like it, else.
    """

    def __init__(
        self, expert: str, bench: ExpertBench, images: ImageStore, embedder: Embedder | None, nearest: int
    ) -> None:
        self._expert = expert
        self._bench = bench
        self._images = images
        self._embedder = embedder
        self._nearest = nearest

    def pixels(self, path: Path) -> Pixels:
        """A picture's pixels."""
        return self._images.pixels(self._images.open(path))

    def fit(self, category: str, normals: Sequence[Path]) -> Measure:
        """Learn a category."""
        scope = Scope(product=category)
        refs = [self._images.open(path) for path in normals]
        embedder = self._embedder
        if embedder is None or self._nearest >= len(refs):
            fitted = self._bench.fitted(self._expert, refs, scope, keep=True)
            return lambda path: fitted.read(self.pixels(path))
        vectors = np.stack([embedder.vector(self._images.pixels(ref)) for ref in refs])

        def measure(path: Path) -> Measurement:
            image = self.pixels(path)
            order = np.argsort(-(vectors @ embedder.vector(image)), kind="stable")
            nearest: list[ImageRef] = [refs[at] for at in order[: self._nearest]]
            return self._bench.fitted(self._expert, nearest, scope).read(image)

        return measure


def _check_expert(bench: ExpertBench, name: str, trials: Sequence[Trial]) -> None:
    offers = {offer.name: offer for offer in bench.offers() if offer.name != GroundTruthExpert.name}
    if name not in offers:
        raise UsageError(
            f"no expert {name!r} to measure with; choose one of: {', '.join(offers)} "
            "(auto cannot be: scores of several experts make no common order)"
        )
    if obstacle := offers[name].obstacle:
        raise UsageError(f"expert {name} cannot run here: {obstacle}")
    bare = [trial.category for trial in trials if not trial.normals]
    if offers[name].needs_normals and bare:
        raise UsageError(f"expert {name} needs good images to learn from; category {bare[0]} gives it none")


def _told(found: DetectionSet, trials: Sequence[Trial]) -> str:
    """What is about to be measured."""
    cases = [case for trial in trials for case in trial.cases]
    damaged = sum(case.defective for case in cases)
    counted = f"{len(trials)} categories" if len(trials) > 1 else f"category {trials[0].category}"
    return (
        f"layout {found.layout}, {counted}: {len(cases):,} images to test, {damaged:,} "
        f"of them damaged; {sum(len(trial.normals) for trial in trials):,} good images to learn from"
    )


def _print(summary: Summary, asked: Detect, total: int) -> None:
    if asked.json:
        print_json(summary.model_dump(mode="json"))
    else:
        headings, rows = figures_table(summary)
        print_table(headings, rows)
    left = summary.unmeasured
    if not left:
        return
    for fault in left[:FAULTS_SHOWN]:
        click.echo(f"agent: warning: {plain(fault.name)}: {plain(fault.why)}", err=True)
    raise RunIncomplete(
        f"{len(left)} of {total} images could not be measured, and no figure counts them "
        f"(each is named in {asked.run / 'summary.json'}); the same command tries them again"
    )
