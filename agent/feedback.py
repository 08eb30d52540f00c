"""What people say of verdicts: the review list, and good images that go on record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

from filelock import FileLock
from pydantic import ValidationError

from agent.errors import UsageError
from agent.profiles import Addition, Profiles
from graphs.report import DefectReport, Verdict
from tools.types import UnitFloat, Value

Truth: TypeAlias = Literal["good", "bad"]
"""What a part is, as a person says."""

FILE: Final = "feedback.jsonl"


class Feedback(Value):
    """A line of the review list.

    `right` compares the verdict with the truth, None where the verdict was `review`. `at` is ISO 8601 in UTC.
    """

    at: str
    image: str
    sha256: str
    product: str | None
    verdict: Verdict
    confidence: UnitFloat
    reasoner: str
    truth: Truth
    right: bool | None
    note: str = ""
    inspection_id: str = ""

    @classmethod
    def on(cls, report: DefectReport, truth: Truth, note: str = "") -> Feedback:
        """Feedback on a report, given now."""
        told = {"normal": truth == "good", "anomalous": truth == "bad", "review": None}
        return cls(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            image=report.image.path,
            sha256=report.image.sha256,
            product=report.product,
            verdict=report.verdict,
            confidence=report.confidence,
            reasoner=report.reasoner,
            truth=truth,
            right=told[report.verdict],
            note=note,
            inspection_id=report.inspection_id,
        )


class ReviewList:
    """Feedback, a line each, in the order in which it was given. Safe to use from several processes.

    Args:
        data_dir: the data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self.file = data_dir / FILE

    def add(self, feedback: Feedback) -> Feedback | None:
        """Append a line; returns what was said of the same image before, if it was something else.

        Raises:
            UsageError: the file cannot be written.
        """
        before = next((each for each in self.latest() if each.sha256 == feedback.sha256), None)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.with_suffix(".lock")):
                self._append(feedback.model_dump_json().encode())
        except OSError as error:
            why = f"{self.file} cannot be written ({error.strerror})"
            raise UsageError(f"{why}; set AGENT_DATA_DIR to another folder") from error
        return before if before is not None and before.truth != feedback.truth else None

    def _append(self, line: bytes) -> None:
        """Add a line, behind the end of one that was cut off when somebody died writing it."""
        with self.file.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            cut = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
            file.write((b"\n" if cut else b"") + line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def latest(self) -> list[Feedback]:
        """What was said last of each image, in the order in which it was said."""
        found: dict[str, Feedback] = {}
        for feedback in self._lines():
            found.pop(feedback.sha256, None)
            found[feedback.sha256] = feedback
        return list(found.values())

    def _lines(self) -> Iterator[Feedback]:
        """Every line that is whole; one that was cut off says nothing."""
        if not self.file.is_file():
            return
        try:
            lines = self.file.read_bytes().splitlines()
        except OSError as error:
            raise UsageError(f"{self.file} cannot be read ({error.strerror})") from error
        for line in lines:
            try:
                yield Feedback.model_validate_json(line)
            except ValidationError:
                continue


def put_on_record(report: DefectReport, profiles: Profiles) -> Addition:
    """Put the image of a good part on record for its product.

    Raises:
        UsageError: the product is not known, or the image cannot be added; says why.
        KnowledgeError: the library of good images is damaged.
    """
    if report.product is None:
        raise UsageError("nobody said what the part is; name it first, and inspect again: /product NAME")
    addition = profiles.add(report.product, [Path(report.image.path)])
    left = (*addition.unreadable, *addition.refused, *addition.same_picture)
    if left:
        raise UsageError(f"not put on record: {left[0].why}")
    return addition
