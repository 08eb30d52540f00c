"""What all ways of learning from a user's pictures share: who follows, where results go, what is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.errors import UsageError
from tools.learning.plan import Device, Plan, Precision

if TYPE_CHECKING:
    from tools.learning.loop import EpochDone
    from tools.learning.memory import Memory


class Watch(Protocol):
    """Who follows the work."""

    def say(self, line: str) -> None:
        """A result that stays."""

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A stretch of work of so many steps; call what it gives after each."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What to learn from, and how, as far as all who learn from marked pictures are told it.

    `weights` are CLIP's; None looks for ViT-L/14@336 in the hubs' caches. `limit` takes so many pictures,
    evenly over the folder. `validation` is the share of them that is only judged by: what was learnt by the
    epoch that does best on those is used, and after `patience` epochs that brought nothing better learning
    ends. `log` is a folder for TensorBoard.
    """

    data: Path
    out: Path
    epochs: int
    batch_size: int
    seed: int
    weights: Path | None = None
    learning_rate: float = 1e-3
    device: Device = "auto"
    precision: Precision = "off"
    limit: int | None = None
    validation: float = 0.0
    patience: int | None = None
    log: Path | None = None
    resume: bool = False

    def plan(self, published: Plan) -> Plan:
        """How the shared loop learns; what a user does not choose is as published."""
        return replace(
            published,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            patience=self.patience,
            log=self.log,
        )


def check_place(kept: Path, *, resume: bool) -> None:
    """See that the place is free, or with `resume` that there is something to go on from.

    Raises:
        UsageError: it is not.
    """
    from agent.wiring import make_writable

    if kept.is_file() and not resume:
        raise UsageError(f"{kept} is there already; go on with --resume, or choose another --out")
    if resume and not kept.is_file():
        raise UsageError(f"there is no {kept} to go on from; leave --resume out")
    try:
        make_writable(kept.parent)
    except UsageError as error:
        raise UsageError(f"{kept.parent} cannot be written; choose another --out") from error


def check_patience(run: TrainingRun) -> None:
    """See that there is something to judge by.

    Raises:
        UsageError: there is not.
    """
    if run.patience is not None and not run.validation:
        raise UsageError("--patience needs pictures to judge by: give --validation 0.2 or so with it")


def check_unfinished(kept: Path, memory: Memory, epochs: int) -> None:
    """See that epochs are left to learn.

    Raises:
        UsageError: there are none.
    """
    if len(memory.records) >= epochs:
        raise UsageError(f"{kept} has {len(memory.records)} epochs already; ask for more with --epochs")


def refuse_other(kept: Path, field: str, was: object, now: object) -> UsageError:
    """What to raise where learning was begun otherwise than it is to go on."""
    return UsageError(f"{kept} was learnt with {field} {was}, not {now}: give that, or choose another --out")


def keep_each(
    learning: Iterable[EpochDone], kept: Path, epochs: int, keep: Callable[[Memory], object], watch: Watch
) -> Memory | None:
    """Learn; keep and tell each epoch as it ends.

    Returns:
        What was kept last; None where there was no epoch.

    Raises:
        UsageError: it cannot be written.
    """
    last = None
    for epoch in learning:
        with writing(kept):
            keep(epoch.memory)
        watch.say(_told(epoch, epochs))
        last = epoch.memory
    return last


def _told(epoch: EpochDone, epochs: int) -> str:
    """An epoch in a line."""
    losses = (f"{name} loss {value:.4f}" for name, value in epoch.record.losses.items())
    score = epoch.record.score
    judged = () if score is None else (f"held-out loss {-score:.4f}{' (best)' if epoch.better else ''}",)
    return "  ".join((f"epoch {epoch.number}/{epochs}", *losses, *judged))


def tell_used(memory: Memory, epochs: int, watch: Watch) -> None:
    """Say which epoch's prompts are used, where it is not plain."""
    done = len(memory.records)
    if memory.best_epoch < done or done < epochs:
        ended = f"learning ended after epoch {done}; " if done < epochs else ""
        watch.say(f"{ended}the prompts of epoch {memory.best_epoch} are used, the best on held-out pictures")


@contextmanager
def writing(kept: Path) -> Iterator[None]:
    """Turns what the disk says while a file is kept into what to do.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {kept} ({error.strerror}); make room or choose --out") from error
