"""The loop itself: examples in an order that the seed fixes, a step for each batch, an epoch at a time.

What an epoch draws depends on the seed and on its number alone. So learning that was stopped after an epoch
and goes on from what was kept of it comes to the same numbers as learning that was never stopped (on a CPU,
where sums are always added in one order).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from tools.errors import LearningError
from tools.learning.memory import EpochRecord, Memory, recall, remember
from tools.learning.plan import Plan

if TYPE_CHECKING:
    from accelerate import Accelerator  # type: ignore[import-untyped]

Example = TypeVar("Example")
Shown_contra = TypeVar("Shown_contra", contravariant=True)


@dataclass(frozen=True)
class Moment:
    """When a batch is learnt from: `epoch` counts from 1 to `epochs`; `rng` is what to draw from."""

    epoch: int
    epochs: int
    rng: np.random.Generator

    @property
    def progress(self) -> float:
        """Share of the epochs that are over, 0 in the first and 1 in the last."""
        return (self.epoch - 1) / max(1, self.epochs - 1)


class Learner(Protocol[Shown_contra]):
    """What learns."""

    @property
    def module(self) -> nn.Module:
        """All that learns, and nothing that does not; the loop moves it to the device."""

    def losses(self, batch: Sequence[Shown_contra], moment: Moment) -> Mapping[str, Tensor]:
        """Named terms, scalars on the module's device, whose sum is made smaller. The batch is not empty."""

    def score(self, held_out: Sequence[Shown_contra]) -> float:
        """How well it does on examples that it does not learn from; higher is better."""


@dataclass(frozen=True)
class EpochDone:
    """One more epoch. `memory` is all that is needed to keep it and to go on from it.

    `better` says that the score is the best so far; always, where nothing is held out.
    """

    number: int
    record: EpochRecord
    better: bool
    memory: Memory


@dataclass(frozen=True)
class Examples(Generic[Example]):
    """What to learn from, and what to judge by meanwhile."""

    learnt: Sequence[Example]
    held_out: Sequence[Example] = ()


def learn(
    learner: Learner[Example],
    examples: Examples[Example],
    plan: Plan,
    *,
    begin: Memory | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[EpochDone]:
    """Learn, epoch by epoch; the caller keeps each as it comes, and so an interruption costs one at most.

    Ends after `plan.epochs`, or after `plan.patience` epochs that brought no better score. At the end of
    each epoch the learner's module holds what is learnt so far, not the best of it: that is in the memory.

    Args:
        learner: what learns; its module is moved to the device.
        examples: at least one to learn from; without held-out ones nothing is scored.
        plan: how.
        begin: what was kept of the last epoch before, to go on from; None begins anew.
        tick: called after each step.

    Raises:
        LearningError: the losses are no longer numbers, there is no such device, or `begin` does not fit.
        ValueError: there are no examples.
    """
    if not examples.learnt:
        raise ValueError("there is nothing to learn from")
    with ExitStack() as stack:
        accelerator = _accelerator(plan)
        module = learner.module.to(accelerator.device).train()
        optimizer = torch.optim.AdamW(
            module.parameters(), lr=plan.learning_rate, betas=plan.betas, weight_decay=plan.weight_decay
        )
        if begin is not None:
            recall(begin, module, optimizer)
        stepper = accelerator.prepare_optimizer(optimizer)
        memory = begin or Memory.none()
        log = stack.enter_context(_log(plan, len(memory.records)))
        while len(memory.records) < plan.epochs and not _in_vain(memory, plan):
            number = len(memory.records) + 1
            # Drawn from afresh in each epoch, so that one begun anew is drawn like one that followed.
            with torch.random.fork_rng(enabled=True):
                torch.manual_seed(int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0]))
                losses = _epoch(learner, examples.learnt, plan, number, accelerator, stepper, tick)
            score = _score(learner, examples.held_out)
            record = EpochRecord(losses=losses, score=score)
            memory = remember(memory, record, module, optimizer)
            log(number, record)
            yield EpochDone(number, record, memory.best_epoch == number, memory)


def _epoch(
    learner: Learner[Example],
    examples: Sequence[Example],
    plan: Plan,
    number: int,
    accelerator: Accelerator,
    optimizer: torch.optim.Optimizer,
    tick: Callable[[], None],
) -> dict[str, float]:
    """Mean of each loss over the epoch's steps."""
    rng = np.random.default_rng([plan.seed, number])
    moment = Moment(number, plan.epochs, rng)
    order = rng.permutation(len(examples)).tolist()
    steps = plan.steps(len(examples))
    seen: dict[str, list[float]] = defaultdict(list)
    for step in range(steps):
        batch = [examples[at] for at in order[step * plan.batch_size : (step + 1) * plan.batch_size]]
        for group in optimizer.param_groups:
            group["lr"] = plan.rate((number - 1) * steps + step, plan.epochs * steps)
        with accelerator.autocast():
            losses = learner.losses(batch, moment)
            total = torch.stack([loss.float() for loss in losses.values()]).sum()
        if not bool(torch.isfinite(total)):
            raise LearningError(
                f"in epoch {number} the loss is no longer a number: learn at a lower rate"
                + ("" if plan.precision == "off" else " or in full precision")
            )
        optimizer.zero_grad()
        accelerator.backward(total)
        if plan.most_gradient is not None:
            accelerator.clip_grad_norm_(learner.module.parameters(), plan.most_gradient)
        optimizer.step()
        for name, loss in losses.items():
            seen[name].append(float(loss.detach()))
        tick()
    return {name: sum(values) / len(values) for name, values in seen.items()}


def _score(learner: Learner[Example], held_out: Sequence[Example]) -> float | None:
    if not held_out:
        return None
    learner.module.eval()
    with torch.no_grad():
        score = float(learner.score(held_out))
    learner.module.train()
    if not np.isfinite(score):
        raise LearningError("the score on held-out examples is no longer a number: learn at a lower rate")
    return score


def _in_vain(memory: Memory, plan: Plan) -> bool:
    """Whether as many epochs as one is patient for brought nothing."""
    if plan.patience is None or not memory.records or memory.records[-1].score is None:
        return False
    return len(memory.records) - memory.best_epoch >= plan.patience


def _accelerator(plan: Plan) -> Accelerator:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState  # type: ignore[import-untyped]

    if plan.device == "cuda" and not torch.cuda.is_available():
        raise LearningError("there is no GPU that torch can use here; choose the device cpu")
    # Accelerate keeps one state a process, and would refuse a second run in other precision or elsewhere.
    AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001
    precision = "no" if plan.precision == "off" else plan.precision
    try:
        accelerator = Accelerator(cpu=plan.device == "cpu", mixed_precision=precision)
    except ValueError as error:
        raise LearningError(f"precision {plan.precision} cannot be had here ({error}); choose off") from error
    if plan.precision == "fp16" and accelerator.device.type == "cpu":  # accelerate would silently do nothing
        raise LearningError("precision fp16 takes a GPU; choose bf16 or off")
    return accelerator


@contextmanager
def _log(plan: Plan, done: int) -> Iterator[Callable[[int, EpochRecord], None]]:
    """Writes an epoch where TensorBoard reads it."""
    if plan.log is None:
        yield lambda *_: None
        return
    from torch.utils.tensorboard import SummaryWriter

    try:
        writer = SummaryWriter(str(plan.log), purge_step=done + 1)
    except OSError as error:
        raise LearningError(f"cannot write a log to {plan.log} ({error.strerror}); choose another") from error

    def write(number: int, record: EpochRecord) -> None:
        for name, value in record.losses.items():
            writer.add_scalar(f"loss/{name}", value, number)
        if record.score is not None:
            writer.add_scalar("score", record.score, number)
        writer.flush()

    with writer:
        yield write
