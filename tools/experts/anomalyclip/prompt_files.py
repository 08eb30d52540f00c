"""Learnt prompts from and to a file: the published checkpoints, and our own with a card of their making.

Our own file is one safetensors file with all that learning goes on from (`tools.learning.memory`), so that
prompts, the optimiser's memory and the card are replaced together or not at all; the card stands in its
metadata and, with the losses of each epoch, in a JSON file beside it for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import Field
from torch import Tensor

from tools.atomic import write_atomically
from tools.clip.files import read_tensors
from tools.clip.model import Clip
from tools.errors import ExpertUnavailable, LearningError
from tools.experts.anomalyclip.files import PROMPTS_NAME
from tools.experts.anomalyclip.prompts import DAMAGED_WORDS, GOOD_WORDS, START, Prompts
from tools.experts.anomalyclip.settings import Recipe
from tools.learning.memory import Memory, read_best, read_memory, write_memory
from tools.learning.plan import Precision
from tools.marked.layouts import DataFacts
from tools.types import Value

CARD_NAME: Final = "prompts.json"

_CARD: Final = "card"
_ONLY_IN_FORMAT_1: Final = frozenset({"steps", "losses"})
_MOST_BYTES: Final = 256 * 2**20
_WORDS_TOLERANCE: Final = 2e-4
"""Of the embeddings of the fixed words, about 0.02 each, which a checkpoint can keep as float16."""


class Card(Value):
    """How a file of prompts was made; enough to go on learning, and to judge what it is good for.

    `validation` is the share of the pictures that was only judged by. A file of format 1 holds prompts alone,
    and an optimiser's memory that learning no longer goes on from.
    """

    format: Literal[1, 2] = 2
    method: Literal["anomalyclip"] = "anomalyclip"
    source: str = "Zhou et al., ICLR 2024, arXiv 2310.18961"
    base: str
    base_sha256: str
    base_fingerprint: str
    side_px: int
    layers: tuple[int, ...]
    alike_blocks: int
    data: DataFacts
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    pixel_weight: float
    seed: int
    precision: Precision = "off"
    validation: float = Field(default=0.0, ge=0, lt=1)

    @property
    def recipe(self) -> Recipe:
        """What the prompts must be read with."""
        return Recipe(self.side_px, self.layers, self.alike_blocks)

    def differs(self, other: Card) -> str | None:
        """The first field in which learning differs; None if in nothing."""
        aside = {"base_sha256"}  # equal weights in another file have the same fingerprint
        fields = (name for name in type(self).model_fields if name not in aside)
        return next((name for name in fields if getattr(self, name) != getattr(other, name)), None)


@dataclass(frozen=True)
class Checkpoint:
    """Prompts as they came from a file, with their card where it has one."""

    prompts: Prompts
    card: Card | None = None


def read_checkpoint(path: Path, clip: Clip) -> Checkpoint:
    """Prompts of a file, ours or published.

    Raises:
        ExpertUnavailable: the file is missing, damaged, no such file, or made for another CLIP.
    """
    tensors = read_tensors(path, most_bytes=_MOST_BYTES)
    if path.suffix == ".safetensors":
        checkpoint = _own(path, tensors)
        card = checkpoint.card
        if card and card.base_fingerprint != clip.fingerprint:
            raise ExpertUnavailable(
                f"the prompts in {path} were learnt on other weights ({card.base}, file sha256 "
                f"{card.base_sha256[:12]}…); use those, or learn prompts on the ones at hand"
            )
        if card:
            try:
                card.recipe.check(clip.shape)
            except ValueError as error:
                raise ExpertUnavailable(f"the card in {path} cannot be followed: {error}") from error
    else:
        checkpoint = _published(path, tensors, clip)
    if not all(bool(torch.isfinite(tokens).all()) for tokens in checkpoint.prompts.parameters()):
        raise ExpertUnavailable(f"the prompts in {path} hold NaN or infinity; learn or download them again")
    checkpoint.prompts.check(clip)
    return checkpoint


def read_learning(path: Path) -> tuple[Memory, Card]:
    """All that was kept of learning, to go on from.

    Raises:
        ExpertUnavailable: the file is missing, damaged, or holds no prompts of this program.
        LearningError: it keeps prompts only.
    """
    card = _card(path)
    if card.format == 1:
        raise LearningError(
            f"{path} was learnt by an earlier version: inspections read it as it is, but learning cannot go "
            "on from it; begin anew in another --out"
        )
    memory, _ = read_memory(path)
    return memory, card


def write_checkpoint(folder: Path, memory: Memory, card: Card) -> Path:
    """Keep prompts in a folder, in place of what it kept before; a crash leaves the old or the new, whole.

    Returns:
        The file that AGENT_ANOMALYCLIP_PROMPTS may name; what is read from it are the best prompts.

    Raises:
        OSError: the folder cannot be written.
    """
    write_memory(folder / PROMPTS_NAME, memory, card.model_dump_json())
    told: dict[str, Any] = {
        **card.model_dump(mode="json"),
        "best_epoch": memory.best_epoch,
        "losses": [
            record.losses | ({} if record.score is None else {"score": record.score})
            for record in memory.records
        ],
    }
    write_atomically(folder / CARD_NAME, json.dumps(told, indent=1).encode())
    return folder / PROMPTS_NAME


def _own(path: Path, tensors: Mapping[str, Tensor]) -> Checkpoint:
    """The best prompts of a file of ours; those of format 1 stand under their bare names."""
    card = _card(path)
    try:
        state = tensors if card.format == 1 else read_best(path)[0]
        return Checkpoint(_prompts(state, "good", "damaged", "deep."), card)
    except (KeyError, LearningError) as error:
        raise ExpertUnavailable(f"{path} holds no prompts with a card of this program ({error})") from error


def _card(path: Path) -> Card:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get(_CARD, "")
        told = json.loads(said)
        if isinstance(told, dict) and told.get("format") == 1:
            said = json.dumps({name: value for name, value in told.items() if name not in _ONLY_IN_FORMAT_1})
        return Card.model_validate_json(said)
    except (SafetensorError, OSError, ValueError, RecursionError) as error:  # ValidationError is a ValueError
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExpertUnavailable(f"{path} holds no prompts with a card of this program ({what})") from error


def _published(path: Path, tensors: Mapping[str, Tensor], clip: Clip) -> Checkpoint:
    """A checkpoint of the authors: {"prompt_learner": ...}; each prompt has shape (1, 1, tokens, width).

    It also keeps the embeddings of the fixed words, which tell whether it was learnt on this CLIP, and
    `compound_prompt_projections`, which their code never uses.
    """
    try:
        prompts = _prompts(tensors, "ctx_pos", "ctx_neg", "compound_prompts_text.")
        prompts.check(clip)
        told = [
            (tensors["token_prefix_pos"].reshape(-1, clip.shape.text_width), (START,)),
            (tensors["token_suffix_pos"].reshape(-1, clip.shape.text_width), GOOD_WORDS),
            (tensors["token_suffix_neg"].reshape(-1, clip.shape.text_width), DAMAGED_WORDS),
        ]
    except (KeyError, RuntimeError) as error:
        raise ExpertUnavailable(
            f"{path} is no checkpoint of AnomalyCLIP (it lacks {str(error).splitlines()[0]}); "
            "give an epoch_N.pth of the authors or a prompts.safetensors of this program"
        ) from error
    for embedded, words in told:
        expected = clip.token_embedding(torch.tensor(words))
        found = embedded[: len(words)].float()
        if found.shape != expected.shape or not torch.allclose(
            found, expected, rtol=1e-3, atol=_WORDS_TOLERANCE
        ):
            raise ExpertUnavailable(
                f"the prompts in {path} were learnt on another CLIP than the one at hand "
                "(the published ones on OpenAI's ViT-L/14@336px)"
            )
    return Checkpoint(prompts)


def _prompts(tensors: Mapping[str, Tensor], good: str, damaged: str, deep: str) -> Prompts:
    """Prompts from tensors under these names; leading dimensions of 1 are taken off.

    Raises:
        KeyError: one is not there.
    """
    numbers = sorted(int(name[len(deep) :]) for name in tensors if _is_numbered(name, deep))
    if numbers != list(range(len(numbers))):
        raise KeyError(f"{deep}{len(numbers)}")
    found = [tensors[good], tensors[damaged], *(tensors[f"{deep}{number}"] for number in numbers)]
    flat = [tensor.float().reshape(tensor.shape[-2:]) if _is_stack(tensor) else None for tensor in found]
    if any(tokens is None for tokens in flat):
        raise KeyError("prompts of shape (tokens, width)")
    first, second, *rest = (tokens for tokens in flat if tokens is not None)
    return Prompts(first, second, rest)


def _is_numbered(name: str, start: str) -> bool:
    return name.startswith(start) and name[len(start) :].isdecimal()


def _is_stack(tensor: Tensor) -> bool:
    return tensor.ndim >= 2 and tensor.numel() > 0 and tensor.shape[-2] * tensor.shape[-1] == tensor.numel()
