"""The steps of an inspection, each with the calls of the model that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.errors import UsageError
from graphs.report import DefectReport, TraceEntry
from tools.vlm.transcript import RecordedCall, Turn, read_transcript


@dataclass(frozen=True)
class ToldCall:
    """A call, and what of its conversation was not told before.

    `repeated` counts turns that stood word for word in an earlier call, `follows` is its number (0: none).
    """

    call: RecordedCall
    repeated: int
    follows: int

    @property
    def new_turns(self) -> tuple[Turn, ...]:
        """What this call was shown for the first time."""
        return self.call.turns[self.repeated :]


@dataclass(frozen=True)
class ToldStep:
    """A step with every run of it, and the model's calls in order, those of failed attempts among them."""

    name: str
    runs: tuple[TraceEntry, ...]
    calls: tuple[ToldCall, ...]


@dataclass(frozen=True)
class Story:
    """A whole inspection. `asked` is False where no model was asked at all."""

    report: DefectReport
    steps: tuple[ToldStep, ...]
    asked: bool


def read_story(report: DefectReport, folder: Path) -> Story:
    """How a kept report came about.

    Args:
        report: as it was kept.
        folder: where it lies.

    Raises:
        UsageError: a model judged and what it was shown was not kept.
        TranscriptUnreadable: the record is missing or damaged.
    """
    kept = report.artifacts.get("transcript")
    if kept is None:
        if report.reasoner.startswith("vlm:") and any(entry.step == "reason" for entry in report.trace):
            raise UsageError(
                "the report does not say what the model was shown; inspect again with --out, which keeps it"
            )
        return Story(report, _steps(report.trace, ()), asked=False)
    file = folder / kept
    if not file.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"the report names a transcript outside its own folder: {kept}")
    return Story(report, _steps(report.trace, told_calls(read_transcript(file))), asked=True)


def told_calls(calls: Sequence[RecordedCall]) -> list[ToldCall]:
    """Each call with the longest beginning that it shares with an earlier one."""
    told: list[ToldCall] = []
    for call in calls:
        shared = [(_common(call.turns, earlier.call.turns), earlier.call.number) for earlier in told]
        repeated, follows = max(shared, default=(0, 0))
        if repeated <= 1:  # the same instruction before another conversation
            repeated = follows = 0
        told.append(ToldCall(call, repeated, follows))
    return told


def _common(turns: Sequence[Turn], earlier: Sequence[Turn]) -> int:
    """Turns at the beginning that are alike."""
    count = 0
    for one, other in zip(turns, earlier, strict=False):
        if one != other:
            break
        count += 1
    return count


def _steps(trace: Sequence[TraceEntry], told: Sequence[ToldCall]) -> tuple[ToldStep, ...]:
    """The steps in the order in which they first ran."""
    return tuple(
        ToldStep(
            name=name,
            runs=tuple(entry for entry in trace if entry.step == name),
            calls=tuple(call for call in told if call.call.step == name),
        )
        for name in dict.fromkeys(entry.step for entry in trace)
    )
