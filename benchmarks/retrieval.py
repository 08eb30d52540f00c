"""How well questions of inspectors find the passages that answer them, and how fast.

    python benchmarks/retrieval.py [--split test|dev|all] [--repeats N] [--missed]

The questions of benchmarks/questions were written as people ask at the machine, by who had not written the
documents. Half of them, chosen by a hash of their words, is for tuning (`dev`); figures are given on the
other half (`test`). A question is answered if a passage of the defect and section that it is about, or one of
those that its file names, is among those found:

    recall@5   for how many questions one is among the first five
    MRR@10     mean of 1 / rank of the first one (Voorhees, TREC-8, 1999), 0 where none is among ten
    nDCG@10    normalised discounted cumulative gain (Jarvelin and Kekalainen, TOIS 2002), relevance 0 or 1

What lies below the product's own floor is not found. Questions that nothing answers say what the floor does.
Many a question ("two legs nearly touch, pass or fail") could be about several products: whoever asks it
stands before one. Those that name their product are given by themselves, for a search that is not told it.
"""

# ruff: noqa: E402 - beside this file lies one with the name of a standard module, which its folder must not hide
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import argparse
import hashlib
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, get_args

import yaml

from benchmarks.machine import describe
from benchmarks.tables import machine_text, p95, table
from knowledge_base.embeddings import MiniLmEmbeddings
from knowledge_base.load import Documents, load_documents
from knowledge_base.schema import Section
from knowledge_base.search import KnowledgeBase, Mode, Passage
from knowledge_base.store import KnowledgeStore

QUESTIONS: Final = HERE / "questions"
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
DEPTH: Final = 10

Split = Literal["dev", "test", "all"]


@dataclass(frozen=True)
class Question:
    """What somebody asks, and what answers it; `product` is None where nothing does."""

    ask: str
    product: str | None
    defect: str | None
    sections: tuple[Section, ...]
    passages: tuple[str, ...] = ()

    @property
    def split(self) -> str:
        """Whether it is for tuning or for testing; its words decide, so that neither moves the other."""
        return "dev" if hashlib.sha256(self.ask.encode()).digest()[0] % 2 else "test"

    def answered_by(self, passage: Passage) -> bool:
        """Whether a passage answers it."""
        if passage.id in self.passages:
            return True
        return (passage.product, passage.defect) == (self.product, self.defect) and (
            passage.section in self.sections
        )


@dataclass(frozen=True)
class Scores:
    """Means over the questions."""

    recall: float
    reciprocal_rank: float
    gain: float
    missed: tuple[Question, ...]


def load_questions(folder: Path = QUESTIONS) -> list[Question]:
    """Every question, in the order of files."""
    return [
        Question(
            ask=entry["ask"],
            product=entry["product"],
            defect=entry.get("defect"),
            sections=tuple(entry.get("sections") or ()),
            passages=tuple(entry.get("passages") or ()),
        )
        for path in sorted(folder.glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]


def of_split(questions: Iterable[Question], split: Split) -> list[Question]:
    """The questions of one half, or all."""
    return [question for question in questions if split in {"all", question.split}]


def relevant(question: Question, documents: Documents) -> int:
    """How many passages answer a question."""
    file = documents.file_of(question.product) if question.product else None
    ids = {
        passage.id
        for passage in (file.passages() if file else ())
        if passage.defect == question.defect and passage.section in question.sections
    }
    return len(ids | set(question.passages))


def score(
    knowledge: KnowledgeBase,
    documents: Documents,
    questions: Sequence[Question],
    mode: Mode,
    *,
    product_known: bool,
) -> Scores:
    """Ask every question once."""
    recalls, ranks, gains, missed = [], [], [], []
    for question in questions:
        found = knowledge.search(
            question.ask, product=question.product if product_known else None, mode=mode, limit=DEPTH
        )
        hits = [question.answered_by(passage) for passage in found]
        first = hits.index(True) + 1 if True in hits else None
        recalls.append(any(hits[:5]))
        ranks.append(1 / first if first else 0.0)
        ideal = sum(1 / math.log2(i + 2) for i in range(min(DEPTH, relevant(question, documents))))
        gains.append(sum(hit / math.log2(i + 2) for i, hit in enumerate(hits)) / ideal)
        if not any(hits[:5]):
            missed.append(question)
    return Scores(mean(recalls), mean(ranks), mean(gains), tuple(missed))


def silence(knowledge: KnowledgeBase, questions: Sequence[Question], mode: Mode) -> float:
    """Share of the questions without an answer that are answered with nothing."""
    return mean(not knowledge.search(question.ask, mode=mode) for question in questions)


def latencies(
    knowledge: KnowledgeBase, questions: Sequence[Question], mode: Mode, repeats: int, *, product_known: bool
) -> list[float]:
    """Seconds of each search, all of them warm."""
    seconds = []
    for _ in range(repeats):
        for question in questions:
            started = time.perf_counter()
            knowledge.search(question.ask, product=question.product if product_known else None, mode=mode)
            seconds.append(time.perf_counter() - started)
    return seconds


def measure(
    documents: Documents, questions: Sequence[Question], split: Split, repeats: int
) -> dict[str, Any]:
    """All figures, over documents in a new store."""
    chosen = of_split(questions, split)
    asked = [question for question in chosen if question.product is not None]
    unanswerable = [question for question in chosen if question.product is None]
    with TemporaryDirectory() as folder:
        knowledge = KnowledgeBase(documents, KnowledgeStore(Path(folder)), MiniLmEmbeddings())
        started = time.perf_counter()
        indexed = knowledge.index()
        index_s = time.perf_counter() - started
        naming = [question for question in asked if question.product in knowledge.products_in(question.ask)]
        told: dict[str, Any] = {
            "machine": describe(),
            "split": split,
            "questions": len(asked),
            "unanswerable": len(unanswerable),
            "passages": indexed.passages,
            "index_s": index_s,
            "rows": {
                (mode, known): (
                    score(knowledge, documents, asked, mode, product_known=known),
                    latencies(knowledge, asked, mode, repeats, product_known=known) if repeats else [],
                )
                for mode in MODES
                for known in (True, False)
            },
            "named": (len(naming), score(knowledge, documents, naming, "hybrid", product_known=False))
            if naming
            else None,
            "silence": {mode: silence(knowledge, unanswerable, mode) for mode in MODES}
            if unanswerable
            else {},
        }
        knowledge.close()
    return told


def text(told: dict[str, Any]) -> str:
    """The figures as tables."""
    rows = []
    for (mode, known), (scores, seconds) in told["rows"].items():
        cells = [f"{scores.recall:.3f}", f"{scores.reciprocal_rank:.3f}", f"{scores.gain:.3f}"]
        times = [f"{1000 * median(seconds):.1f}", f"{1000 * p95(seconds):.1f}"] if seconds else ["-", "-"]
        rows.append([f"{mode}, product {'known' if known else 'not known'}", *cells, *times])
    if told["named"]:
        count, scores = told["named"]
        cells = [f"{scores.recall:.3f}", f"{scores.reciprocal_rank:.3f}", f"{scores.gain:.3f}"]
        rows.append([f"hybrid, not known, in the {count} questions that name it", *cells, "-", "-"])
    title = (
        f"{told['questions']} questions ({told['split']}) over {told['passages']} passages, "
        f"indexed in {told['index_s']:.1f} s"
    )
    header = ["search", "recall@5", "MRR@10", "nDCG@10", "median ms", "p95 ms"]
    blocks = [machine_text(told["machine"]), table(title, header, rows)]
    if told["silence"]:
        quiet = [[mode, f"{100 * share:.0f} %"] for mode, share in told["silence"].items()]
        title = f"{told['unanswerable']} questions that no document answers"
        blocks.append(table(title, ["search", "nothing found"], quiet))
    blocks.append("Aims: recall@5 of hybrid at least 0.95 with the product known, 0.85 without.")
    return "\n\n".join(blocks)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", choices=get_args(Split), default="test")
    parser.add_argument(
        "--repeats", type=int, default=3, help="times that each question is asked for latency"
    )
    parser.add_argument("--missed", action="store_true", help="list what hybrid search misses (not of test)")
    options = parser.parse_args()
    if options.missed and options.split != "dev":
        parser.error("--missed is for tuning: only with --split dev")
    told = measure(load_documents(), load_questions(), options.split, options.repeats)
    print(text(told))
    if options.missed:
        for known in (True, False):
            for question in told["rows"]["hybrid", known][0].missed:
                where = f"{question.product}/{question.defect or ''} {', '.join(question.sections)}"
                print(f"{'known' if known else 'open '}  {question.ask}  [{where}]")


if __name__ == "__main__":
    main()
