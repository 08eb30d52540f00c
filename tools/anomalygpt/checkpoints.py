"""What was learnt, from and to a folder: one safetensors file with all that learning goes on from.

The card stands in its metadata and, for people, in MODEL_CARD.md beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError
from torch import Tensor

from tools.anomalygpt.card import Card
from tools.anomalygpt.model_card import model_card
from tools.atomic import write_atomically
from tools.errors import ExpertUnavailable, LearningError
from tools.learning.memory import Memory, read_best, read_memory, write_memory

MODEL_NAME: Final = "model.safetensors"
MODEL_CARD_NAME: Final = "MODEL_CARD.md"


def read_model(folder: Path) -> tuple[dict[str, Tensor], Card]:
    """The best of what was learnt, and its card.

    Raises:
        ExpertUnavailable: the file is missing, damaged, or of something else.
    """
    path = folder / MODEL_NAME if folder.is_dir() else folder
    try:
        tensors, said = read_best(path)
    except LearningError as error:
        raise ExpertUnavailable(f"no AnomalyGPT can be opened: {error}") from error
    return tensors, _card(path, said)


def read_learning(folder: Path) -> tuple[Memory, Card]:
    """All that was kept of learning.

    Raises:
        ExpertUnavailable: the card is none of this program.
        LearningError: the file is missing, damaged, or no such file.
    """
    memory, said = read_memory(folder / MODEL_NAME)
    return memory, _card(folder / MODEL_NAME, said)


def write_model(folder: Path, memory: Memory, card: Card) -> None:
    """Keep what was learnt, in place of what was kept before; a crash leaves the old or the new, whole.

    Raises:
        OSError: the folder cannot be written.
    """
    write_memory(folder / MODEL_NAME, memory, card.model_dump_json())
    told = model_card(card, memory.records, memory.best_epoch)
    write_atomically(folder / MODEL_CARD_NAME, told.encode())


def _card(path: Path, said: str) -> Card:
    try:
        return Card.model_validate_json(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:60] or "JSON"
        raise ExpertUnavailable(
            f"{path} holds no AnomalyGPT with its card ({where!a}: {first['msg'][:120]})"
        ) from error
