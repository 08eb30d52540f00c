"""A small language model from nothing, that speaks as inspectors do in AnomalyGPT's prompts.

Its texts are dialogues in the prompt's own form. In most of them something is said of the picture where
AnomalyGPT puts its soft tokens, in words of many kinds, and the answer follows from it; so the model learns
to answer by what it is told there, as any large one can, and nothing about pictures. Where nothing is said,
the answer is a guess.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import torch
from torch import Tensor

from benchmarks.parts import random_of
from benchmarks.rendered.captions import NOUNS
from benchmarks.rendered.sets import products
from benchmarks.rendered.surfaces import Rng
from tools.anomalygpt.answers import END, QUESTION, say_answer
from tools.learning.loop import EpochDone, Examples, Moment, learn
from tools.learning.plan import Plan
from tools.types import Cell

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CELLS: Final[tuple[Cell, ...]] = get_args(Cell)

_UNTOLD: Final = 0.15
"""Share of dialogues in which nothing is said of the picture before the question."""

_WORDS: Final = 600
"""Tokens of the vocabulary, at most."""

HUMAN: Final = "### Human: "
ASSISTANT: Final = "### Assistant:"

_CONTEXT: Final = 512
_BEGIN, _END = "<s>", "</s>"
_DONE: Final = "made_by.json"
"""Written last: a folder without it holds no whole model."""


@dataclass(frozen=True)
class SmallLm:
    """How the small language model is made: a Llama of these sizes, from so many dialogues."""

    width: int = 128
    layers: int = 3
    heads: int = 4
    dialogues: int = 6000
    epochs: int = 4
    batch_size: int = 32
    learning_rate: float = 2e-3
    seed: int = 0


def dialogue(rng: Rng) -> str:
    """One dialogue about a picture, in AnomalyGPT's form."""
    of = products("pretraining")
    product = of[int(rng.integers(len(of)))]
    kind = str(rng.choice(list(NOUNS))) if rng.random() < 0.5 else None
    cells = [CELLS[at] for at in rng.permutation(len(CELLS))[: 1 + int(rng.random() < 0.15)]]
    told = "" if rng.random() < _UNTOLD else _told(kind, cells, rng)
    about = f"This is a photo of a {product.colour} {product.shape}." if rng.random() < 0.3 else ""
    asked = " ".join(part for part in (told, about, QUESTION) if part)
    answer = say_answer(() if kind is None else cells)
    return f"{HUMAN}<Img></Img> {asked}{ASSISTANT} {answer}\n{END}"


def _told(kind: str | None, cells: Sequence[Cell], rng: Rng) -> str:
    where = " and ".join(cells)
    if kind is None:
        ways = ("no damage.", "all is good.", "nothing is wrong here.", "the part is flawless.", "good")
        return str(rng.choice(ways))
    ways = (
        f"damage: {where}.",
        f"{NOUNS[kind]} at the {where}.",
        f"the {where} is damaged.",
        f"something is wrong at the {where}.",
        f"bad {where}",
    )
    return str(rng.choice(ways))


def written(lm: SmallLm) -> list[str]:
    """All dialogues that a model learns from."""
    rng = random_of(lm.seed, "dialogues")
    return [dialogue(rng) for _ in range(lm.dialogues)]


def learnt_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-pair tokens of these texts; any other text can be said by its bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_WORDS,
        special_tokens=[_BEGIN, _END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A", special_tokens=[(_BEGIN, core.token_to_id(_BEGIN))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, bos_token=_BEGIN, eos_token=_END, pad_token=_END, model_max_length=_CONTEXT
    )


class LmLearner:
    """Learns to go on as the dialogues do: cross-entropy of each next token."""

    def __init__(self, lm: SmallLm, tokenizer: PreTrainedTokenizerFast) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        self._tokenizer = tokenizer
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=lm.width,
            intermediate_size=3 * lm.width,
            num_hidden_layers=lm.layers,
            num_attention_heads=lm.heads,
            max_position_embeddings=_CONTEXT,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
        )
        with torch.random.fork_rng():
            torch.manual_seed(lm.seed)
            self._module: Any = LlamaForCausalLM(config)

    @property
    def module(self) -> Any:  # noqa: ANN401 - transformers' models are not typed
        """The language model."""
        return self._module

    def losses(self, batch: Sequence[str], moment: Moment) -> Mapping[str, Tensor]:  # noqa: ARG002
        """The loss of some dialogues, each with a begin and an end."""
        read = self._tokenizer([f"{text}{_END}" for text in batch], return_tensors="pt", padding=True)
        wanted = read.input_ids.masked_fill(read.attention_mask == 0, -100)
        said = self._module(input_ids=read.input_ids, attention_mask=read.attention_mask, labels=wanted)
        return {"next token": said.loss}

    def score(self, held_out: Sequence[str]) -> float:
        """Nothing is held out: what it is worth shows in what it answers."""
        raise NotImplementedError


def pretrained_lm(lm: SmallLm, cache: Path, epoch: Callable[[EpochDone], None] = lambda _: None) -> Path:
    """The folder of a language model made by these settings: that of the cache, or made now and kept there.

    Args:
        lm: how it is made.
        cache: the folder.
        epoch: called after each epoch.
    """
    texts = written(lm)
    told = "\n".join((json.dumps(asdict(lm), sort_keys=True), *texts))
    home = cache / f"small-lm-{hashlib.sha256(told.encode()).hexdigest()[:10]}"
    if (home / _DONE).is_file():
        return home
    tokenizer = learnt_tokenizer(texts)
    learner = LmLearner(lm, tokenizer)
    plan = Plan(
        epochs=lm.epochs,
        batch_size=lm.batch_size,
        learning_rate=lm.learning_rate,
        schedule="cosine",
        warmup=0.05,
        most_gradient=1.0,
        seed=lm.seed,
        device="cpu",
    )
    for one in learn(learner, Examples(texts), plan):
        epoch(one)
    tokenizer.save_pretrained(home)
    learner.module.eval().save_pretrained(home)
    (home / _DONE).write_text(told[:200], encoding="utf-8")
    return home
