"""Learnt prompts from and to a file: one safetensors file with all that learning goes on from.

The card stands in its metadata and, for people, in MODEL_CARD.md beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tools.atomic import write_atomically
from tools.clip.model import Clip
from tools.errors import ExpertUnavailable, LearningError
from tools.experts.dapo.card import Card
from tools.experts.dapo.files import MODEL_CARD_NAME, PROMPTS_NAME
from tools.experts.dapo.model_card import model_card
from tools.experts.dapo.prompts import Prompts
from tools.learning.memory import Memory, read_best, read_memory, write_memory


@dataclass(frozen=True)
class Checkpoint:
    """Prompts as they came from a file, on the CPU, with their card."""

    prompts: Prompts
    card: Card


def read_checkpoint(path: Path, clip: Clip) -> Checkpoint:
    """The best prompts of a file.

    Raises:
        ExpertUnavailable: the file is missing, damaged, no such file, or made for another CLIP.
    """
    try:
        tensors, said = read_best(path)
    except LearningError as error:
        raise ExpertUnavailable(f"these prompts cannot be used: {error}") from error
    card = _card(path, said)
    if card.base_fingerprint != clip.fingerprint:
        raise ExpertUnavailable(
            f"the prompts in {path} were learnt on other weights ({card.base}, file sha256 "
            f"{card.base_sha256[:12]}…); use those, or learn prompts on the ones at hand"
        )
    try:
        card.recipe.check(clip.shape)
        prompts = Prompts.filled(clip, card.recipe, tensors)
    except ValueError as error:
        raise ExpertUnavailable(f"the prompts in {path} do not go with their card ({error})") from error
    return Checkpoint(prompts, card)


def read_learning(path: Path) -> tuple[Memory, Card]:
    """All that was kept of learning.

    Raises:
        ExpertUnavailable: the card is none of this program.
        LearningError: the file is missing, damaged, or no such file.
    """
    memory, said = read_memory(path)
    return memory, _card(path, said)


def write_checkpoint(folder: Path, memory: Memory, card: Card) -> Path:
    """Keep prompts in a folder, in place of what it kept before; a crash leaves the old or the new, whole.

    Returns:
        The file that AGENT_DAPO_PROMPTS may name.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / PROMPTS_NAME
    write_memory(path, memory, card.model_dump_json())
    told = model_card(card, memory.records, memory.best_epoch)
    write_atomically(folder / MODEL_CARD_NAME, told.encode())
    return path


def _card(path: Path, said: str) -> Card:
    try:
        return Card.model_validate_json(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:60] or "JSON"
        raise ExpertUnavailable(
            f"{path} holds no prompts with a card of DAPO ({where!a}: {first['msg'][:120]})"
        ) from error
