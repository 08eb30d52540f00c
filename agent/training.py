"""What all ways of learning from a user's pictures share: who follows, where results go, what is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.errors import UsageError

if TYPE_CHECKING:
    from tools.learning.loop import EpochDone
    from tools.learning.memory import Memory


class Watch(Protocol):
    """Who follows the work."""

    def say(self, line: str) -> None:
        """A result that stays."""

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A stretch of work of so many steps; call what it gives after each."""


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


def check_patience(patience: int | None, validation: float) -> None:
    """See that there is something to judge by.

    Raises:
        UsageError: there is not.
    """
    if patience is not None and not validation:
        raise UsageError("--patience needs pictures to judge by: give --validation 0.2 or so with it")


def told(epoch: EpochDone, epochs: int) -> str:
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
