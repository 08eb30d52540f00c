"""Check a data set before questions are asked about it: files, pictures, masks, labels, products."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from evals.fingerprint import Progress
from evals.mmad.dataset import MMAD_FILE, read_with_findings
from evals.mmad.findings import Finding, Kind
from evals.mmad.lfs import REMEDY, is_pointer
from evals.mmad.strangers import Vector, chosen_templates, strangers
from evals.mmad.tally import shows_good_part
from evals.types import Benchmark, Case, QuestionType
from graphs.questions.gate import sides_of
from tools.errors import ImageError, ImageMissing
from tools.image import ImageStore
from tools.pixel_modes import printable
from tools.types import Pixels, Value

Embed: TypeAlias = Callable[[Pixels], Vector]
"""Describes a whole image; called from several threads."""

_AT_ONCE: Final = 64


class SourceRow(Value):
    """What one data set of the benchmark holds. `templates` and `masks` count files, each once."""

    dataset: str
    categories: int
    good: int
    defective: int
    questions: dict[QuestionType, int]
    templates: int
    masks: int


class Check(Value):
    """What is there, and what is wrong with it.

    `suspects` are keys of images that show another product than their templates; `categories_compared` says
    among how many that was judged (0: not at all). `unreadable` are keys of images that cannot be opened.
    `pictures_opened` is 0 where files were looked for and not opened.
    """

    rows: tuple[SourceRow, ...]
    findings: tuple[Finding, ...]
    suspects: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    categories_compared: int = 0
    pictures_opened: int = 0

    @property
    def counts(self) -> dict[Kind, int]:
        """Findings by kind, the most frequent first."""
        return dict(Counter(finding.kind for finding in self.findings).most_common())


def check_mmad(
    root: Path,
    *,
    file: str = MMAD_FILE,
    embed: Embed | None = None,
    pictures: bool = True,
    progress: Progress | None = None,
) -> Check:
    """Read a data set and look at each of its files once.

    Args:
        root: folder that keys start from.
        file: name of the file with the questions, from `root`.
        embed: tells products apart; without it no image is held against its category's templates.
        pictures: whether pictures are opened; without, files are only looked for, which takes seconds.
        progress: told from this thread how many files are done, of how many.

    Raises:
        DatasetInvalid: the data set cannot be read at all.
        ToolError: whatever `embed` raises.
        ValueError: products are to be told apart without opening pictures.
    """
    if embed is not None and not pictures:
        raise ValueError("products cannot be told apart without opening pictures")
    reading = read_with_findings(root, file)
    benchmark = reading.benchmark
    looks = _Looks(embed if pictures else None, pictures=pictures)
    looks.take(benchmark, progress)
    findings = [*reading.findings, *_file_findings(benchmark, looks), *_label_findings(benchmark)]
    suspects = strangers(benchmark.cases, looks.vector) if embed is not None else []
    findings += [
        Finding(kind="shows another product", image=printable(one.image), detail=one.why) for one in suspects
    ]
    return Check(
        rows=tuple(_rows(benchmark)),
        findings=tuple(findings),
        suspects=frozenset(one.image for one in suspects),
        unreadable=frozenset(case.image for case in benchmark.cases if looks[case.path].fault),
        categories_compared=len(chosen_templates(benchmark.cases)) if embed is not None else 0,
        pictures_opened=looks.opened,
    )


@dataclass(frozen=True)
class _Look:
    """What was seen of a file. `fault` says why it cannot be opened; the rest is None then."""

    fault: str | None = None
    missing: bool = False
    digest: str | None = None
    size_wh: tuple[int, int] | None = None
    marks: bool | None = None
    vector: Vector | None = None


class _Looks:
    """Opens each file once, several at a time."""

    def __init__(self, embed: Embed | None, *, pictures: bool) -> None:
        self._embed = embed
        self._pictures = pictures
        self._images = ImageStore()
        self._seen: dict[Path, _Look] = {}

    def __getitem__(self, path: Path) -> _Look:
        return self._seen[path]

    @property
    def opened(self) -> int:
        """How many pictures were opened."""
        return sum(look.digest is not None for look in self._seen.values())

    def take(self, benchmark: Benchmark, progress: Progress | None) -> None:
        """Look at every file that the benchmark names."""
        masks = {case.truth for case in benchmark.cases if case.truth is not None}
        described = {case.path for case in benchmark.cases}
        described.update(*chosen_templates(benchmark.cases).values())
        named = {case.path for case in benchmark.cases} | masks
        for case in benchmark.cases:
            named.update(case.random_templates, case.similar_templates)
        paths = sorted(named)

        def look(path: Path) -> _Look:
            return self._look(path, mask=path in masks, describe=path in described)

        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for start in range(0, len(paths), _AT_ONCE):  # in portions, so that Ctrl-C is heard soon
                portion = paths[start : start + _AT_ONCE]
                self._seen.update(zip(portion, pool.map(look, portion), strict=True))
                if progress is not None:
                    progress(start + len(portion), len(paths))

    def vector(self, path: Path) -> Vector | None:
        """The descriptor of a picture, made now where it was not before; None if it cannot be opened."""
        seen = self._seen[path]
        if seen.vector is None and seen.fault is None:
            seen = self._seen[path] = self._look(path, mask=False, describe=True)
        return seen.vector

    def _look(self, path: Path, *, mask: bool, describe: bool) -> _Look:
        if not self._pictures:
            there = path.is_file()
            return _Look(
                fault=None if there else f"there is no file {printable(str(path))}", missing=not there
            )
        try:
            ref = self._images.open(path)
            pixels = self._images.pixels(ref)
        except ImageError as error:
            if is_pointer(path):
                return _Look(fault=f"{printable(str(path))} {REMEDY}")
            return _Look(fault=str(error), missing=isinstance(error, ImageMissing))
        return _Look(
            digest=ref.sha256,
            size_wh=(ref.width_px, ref.height_px),
            marks=bool(pixels.any()) if mask else None,
            vector=self._embed(pixels) if describe and self._embed is not None else None,
        )


def _file_findings(benchmark: Benchmark, looks: _Looks) -> Iterator[Finding]:
    first: dict[str, Case] = {}
    for case in benchmark.cases:
        yield from _picture_findings(case, looks)
        digest = looks[case.path].digest
        if digest is None:
            continue
        other = first.setdefault(digest, case)
        if other is not case:
            alike = shows_good_part(other.image) == shows_good_part(case.image)
            also = "" if alike else ", which is labelled otherwise"
            yield _finding("image repeated", case, f"the same picture as {printable(other.image)}{also}")


def _picture_findings(case: Case, looks: _Looks) -> Iterator[Finding]:
    query = looks[case.path]
    if query.fault:
        yield _finding("image missing" if query.missing else "image unreadable", case, query.fault)
    for path in dict.fromkeys((*case.random_templates, *case.similar_templates)):
        template = looks[path]
        if template.fault:
            yield _finding(
                "template missing" if template.missing else "template unreadable", case, template.fault
            )
        elif path == case.path or (template.digest is not None and template.digest == query.digest):
            yield _finding("template is the query", case, printable(path.name))
    if case.truth is None:
        return
    mask = looks[case.truth]
    if mask.fault:
        yield _finding("mask missing" if mask.missing else "mask unreadable", case, mask.fault)
        return
    if mask.marks is False:
        yield _finding("mask marks nothing", case, printable(case.truth.name))
    if query.size_wh and mask.size_wh and query.size_wh != mask.size_wh:
        told = "{}x{} px, the image {}x{} px".format(*mask.size_wh, *query.size_wh)
        yield _finding("mask of another size", case, told)


def _label_findings(benchmark: Benchmark) -> Iterator[Finding]:
    """Detection questions whose right answer is not what the image's folder says."""
    for case in benchmark.cases:
        for question in case.questions:
            sides = sides_of(question.asked) if question.type == "Anomaly Detection" else None
            if sides is None:
                continue
            good = shows_good_part(case.image)
            label, against = ("good", sides.defect) if good else ("defective", sides.sound)
            if benchmark.answers[case.image, question.number] == against:
                option = printable(question.asked.options[against])
                yield Finding(
                    kind="answer against label",
                    image=printable(case.image),
                    number=question.number,
                    detail=f"{label} by its folder, and the right answer is {option!r}",
                )


def _finding(kind: Kind, case: Case, detail: str) -> Finding:
    return Finding(kind=kind, image=printable(case.image), detail=detail)


def _rows(benchmark: Benchmark) -> Iterator[SourceRow]:
    sources: dict[str, list[Case]] = defaultdict(list)
    for case in benchmark.cases:
        sources[case.dataset].append(case)
    for dataset, cases in sources.items():
        types = Counter(question.type for case in cases for question in case.questions)
        yield SourceRow(
            dataset=dataset,
            categories=len({case.category for case in cases}),
            good=sum(shows_good_part(case.image) for case in cases),
            defective=sum(not shows_good_part(case.image) for case in cases),
            questions=dict(types),
            templates=_distinct(
                path for case in cases for path in (*case.random_templates, *case.similar_templates)
            ),
            masks=_distinct(case.truth for case in cases if case.truth is not None),
        )


def _distinct(paths: Iterable[Path]) -> int:
    return len(set(paths))
