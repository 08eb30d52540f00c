"""Which wrong answers are shown, and with which pictures."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from evals.durable import in_words
from evals.log import PICTURES
from evals.report.thumbnails import Thumbnail, Thumbnails
from evals.run import picture_path
from evals.types import AnswerRecord, Case
from graphs.questions.question import SUBTASKS, Subtask

MOST_SHOWN = 60


class _Drawn(NamedTuple):
    """A wrong answer with its place in the draw: those with a picture first, else by chance."""

    place: tuple[bool, bytes]
    record: AnswerRecord


class Exhibit(NamedTuple):
    """One wrong answer and its pictures; None where there was none to show."""

    record: AnswerRecord
    query: Thumbnail
    template: Thumbnail | None
    overlay: Thumbnail | None
    overlay_name: str
    """File name of the overlay among the run's pictures."""


class Draw:
    """Draws wrong answers evenly over subtasks, and within them over data sets, from one walk over a run.

    Answers whose overlay was kept go before others. Which ones are drawn is a matter of chance, but the same
    each time: by a hash of image and number. Memory does not grow with the run.

    Raises:
        RunDamaged: the run's pictures cannot be listed.
    """

    def __init__(self, run: Path, most: int = MOST_SHOWN) -> None:
        self._most = most
        self._run = run
        pictures = run / PICTURES
        with in_words(pictures):
            self._kept = {file.name for file in pictures.iterdir()} if pictures.is_dir() else set()
        self._best: defaultdict[tuple[Subtask, str], list[_Drawn]] = defaultdict(list)
        self.wrong = 0

    def see(self, record: AnswerRecord) -> None:
        """Take an answer into account."""
        if record.right:
            return
        self.wrong += 1
        digest = hashlib.sha256(f"{record.number} {record.image}".encode(errors="surrogatepass")).digest()
        bare = picture_path(self._run, record.image).name not in self._kept
        group = self._best[record.subtask, record.dataset]
        group.append(_Drawn((bare, digest), record))
        if len(group) >= 2 * self._most:
            group[:] = self._first(group)

    def drawn(self) -> list[AnswerRecord]:
        """The answers to show, by subtask."""
        turns = {subtask: self._by_turns(subtask) for subtask in SUBTASKS}
        chosen: list[AnswerRecord] = []
        while turns and len(chosen) < self._most:
            for subtask in list(turns):
                record = next(turns[subtask], None)
                if record is None:
                    del turns[subtask]
                elif len(chosen) < self._most:
                    chosen.append(record)
        return sorted(chosen, key=lambda record: SUBTASKS.index(record.subtask))

    def _by_turns(self, subtask: Subtask) -> Iterator[AnswerRecord]:
        """Wrong answers of a subtask, one of each data set in turn."""
        named = sorted((name, group) for (of, name), group in self._best.items() if of == subtask)
        groups = [iter(self._first(group)) for _, group in named]
        while groups:
            for group in list(groups):
                drawn = next(group, None)
                if drawn is None:
                    groups.remove(group)
                else:
                    yield drawn.record

    def _first(self, group: list[_Drawn]) -> list[_Drawn]:
        return heapq.nsmallest(self._most, group, key=lambda drawn: drawn.place)


def exhibits(
    records: list[AnswerRecord],
    run: Path,
    cases: Mapping[str, Case] | None,
    thumbnails: Thumbnails,
    *,
    similar: bool,
    shots: int,
) -> list[Exhibit]:
    """Find the pictures of answers.

    Args:
        records: what is shown.
        run: the run's folder, for its overlays.
        cases: the data set by image; None if it is not at hand.
        thumbnails: reads them.
        similar: whether the run showed templates of the list of similar ones.
        shots: how many templates the run showed.
    """
    absent = Thumbnail(None, "the data are not at hand" if cases is None else "not in these data")
    shown = []
    for record in records:
        case = cases.get(record.image) if cases is not None else None
        listed = case.templates("similar" if similar else "random", shots) if case is not None else ()
        overlay = picture_path(run, record.image)
        shown.append(
            Exhibit(
                record,
                thumbnails.of(case.path) if case is not None else absent,
                thumbnails.of(listed[0]) if listed else None,
                thumbnails.of(overlay) if overlay.is_file() else None,
                overlay.name,
            )
        )
    return shown
