"""What is kept of learning: the module, the best of it, the optimiser's memory, and how each epoch went.

All of it goes into one safetensors file under a card of the trainer's own, so that what was learnt and how it
goes on are replaced together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from torch import Tensor, nn

from tools.atomic import write_atomically
from tools.errors import LearningError
from tools.types import Value

_CARD: Final = "card"
_RECORDS: Final = "records"
_NOW, _BEST, _MEAN, _SQUARE, _STEP = "now.", "best.", "adam.mean.", "adam.square.", "adam.step."


class EpochRecord(Value):
    """How an epoch went: mean losses by name, and the score on held-out examples where there are any."""

    losses: dict[str, FiniteFloat] = Field(min_length=1)
    score: FiniteFloat | None = None


@dataclass(frozen=True)
class Memory:
    """Everything after an epoch, on the CPU.

    `now` is the module's state after the last epoch, `best` that of the epoch with the best score (the
    latest, where nothing is scored), `best_epoch` its number. The others are AdamW's, by parameter name.
    """

    now: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    best_epoch: int
    records: tuple[EpochRecord, ...]
    mean: Mapping[str, Tensor]
    square: Mapping[str, Tensor]
    step: Mapping[str, Tensor]

    @classmethod
    def none(cls) -> Memory:
        """Before the first epoch."""
        return cls({}, {}, 0, (), {}, {}, {})


def remember(
    before: Memory, record: EpochRecord, module: nn.Module, optimizer: torch.optim.Optimizer
) -> Memory:
    """The memory after one more epoch."""
    now = {name: _plain(tensor) for name, tensor in module.state_dict().items()}
    records = (*before.records, record)
    best_score = before.records[before.best_epoch - 1].score if before.best_epoch else None
    better = record.score is None or best_score is None or record.score > best_score
    known = {name: optimizer.state[parameter] for name, parameter in module.named_parameters()}
    known = {name: state for name, state in known.items() if state}  # none without a gradient so far
    return Memory(
        now=now,
        best=now if better else before.best,
        best_epoch=len(records) if better else before.best_epoch,
        records=records,
        mean={name: _plain(state["exp_avg"]) for name, state in known.items()},
        square={name: _plain(state["exp_avg_sq"]) for name, state in known.items()},
        step={name: _plain(state["step"]) for name, state in known.items()},
    )


def recall(memory: Memory, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put module and optimiser where they were.

    Raises:
        LearningError: the memory is of another module.
    """
    try:
        module.load_state_dict(dict(memory.now))
    except RuntimeError as error:
        said = " ".join(str(error).split())[:200]
        raise LearningError(
            f"what was kept does not fit what is to be learnt ({said}); begin anew"
        ) from error
    for name, parameter in module.named_parameters():
        if name in memory.step:
            optimizer.state[parameter] = {
                "step": memory.step[name].clone(),
                "exp_avg": memory.mean[name].to(parameter.device, copy=True),
                "exp_avg_sq": memory.square[name].to(parameter.device, copy=True),
            }


def write_memory(path: Path, memory: Memory, card: str) -> None:
    """Keep a memory in a file, in place of what it held before; a crash leaves the old or the new, whole.

    Args:
        path: the file; its folder is made.
        memory: what to keep.
        card: the trainer's own words about it, such as JSON.

    Raises:
        OSError: it cannot be written.
    """
    from safetensors.torch import save

    parts = {
        _NOW: memory.now,
        _BEST: memory.best,
        _MEAN: memory.mean,
        _SQUARE: memory.square,
        _STEP: memory.step,
    }
    tensors = {
        f"{start}{name}": _plain(tensor) for start, held in parts.items() for name, tensor in held.items()
    }
    records = _RECORD_LIST.dump_json(list(memory.records)).decode()
    said = {_CARD: card, _RECORDS: records, "best_epoch": str(memory.best_epoch)}
    write_atomically(path, save(tensors, metadata=said))


def read_memory(path: Path) -> tuple[Memory, str]:
    """A memory, and the card that it was kept under.

    Raises:
        LearningError: the file is missing, damaged, or no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        records = tuple(_RECORD_LIST.validate_json(said[_RECORDS]))
        best_epoch, card = int(said["best_epoch"]), said[_CARD]
        if not 1 <= best_epoch <= len(records):
            raise ValueError(f"best epoch {best_epoch} of {len(records)}")
    except (SafetensorError, OSError, KeyError, ValueError, ValidationError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LearningError(f"{path} keeps no learning to go on from ({what}); begin anew") from error

    def under(start: str) -> dict[str, Tensor]:
        return {name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)}

    memory = Memory(
        now=under(_NOW),
        best=under(_BEST),
        best_epoch=best_epoch,
        records=records,
        mean=under(_MEAN),
        square=under(_SQUARE),
        step=under(_STEP),
    )
    if (
        not memory.mean.keys() == memory.square.keys() == memory.step.keys()
        or memory.now.keys() != memory.best.keys()
    ):
        raise LearningError(f"{path} keeps only parts of learning; begin anew")
    return memory, card


def read_best(path: Path) -> tuple[dict[str, Tensor], str]:
    """The module's state after the best epoch, and the card that it was kept under; nothing else is read.

    Raises:
        LearningError: the file is missing, damaged, or no such file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            card = (file.metadata() or {})[_CARD]
            names = [name for name in file.keys() if name.startswith(_BEST)]  # noqa: SIM118 - no mapping
            best = {name.removeprefix(_BEST): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        what = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise LearningError(f"{path} keeps nothing that was learnt ({what}); learn it again") from error
    return best, card


_RECORD_LIST: Final = TypeAdapter(list[EpochRecord])


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
