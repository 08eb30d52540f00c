"""A frozen causal language model, given embeddings and asked for words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.anomalygpt.answers import END
from tools.anomalygpt.lm_files import load_lm
from tools.errors import LearningError, VlmRejected

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_IGNORED: Final = -100
"""Label of a token that is not learnt, in PyTorch's cross-entropy."""

_VALUES: Final = 256
"""Of each tensor, about, by which a model is known."""

_BEFORE: Final = "a"
"""A word that precedes others, and merges with no space or mark after it."""


@dataclass(frozen=True)
class Decoding:
    """How words are chosen: the likeliest each time, or drawn as published (top_p 0.1, temperature 1)."""

    max_tokens: int = 96
    sample: bool = False
    top_p: float = 0.1
    temperature: float = 1.0
    seed: int = 0


GREEDY: Final = Decoding()


@dataclass(frozen=True)
class Spoken:
    """What a language model said.

    `pieces` are its tokens' texts with their log-probabilities (natural, of the whole softmax), from the
    first on. `whole` is False where it was cut off.
    """

    text: str
    pieces: tuple[tuple[str, float], ...]
    whole: bool


class Language:
    """The language model and its tokenizer. Only read, so threads may share it."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        self._model: Any = model.requires_grad_(requires_grad=False).train(mode=False)
        self._tokenizer = tokenizer
        self._embed = cast("nn.Embedding", model.get_input_embeddings())
        self.name = name

    @classmethod
    def open(cls, source: str, device: str = "cpu") -> Language:
        """From a folder, or by its name from the hub's cache; see `load_lm`.

        Raises:
            ExpertUnavailable: it cannot be opened.
        """
        return cls(*load_lm(source, device), source)

    @property
    def width(self) -> int:
        """Of its embeddings."""
        return int(self._embed.weight.shape[1])

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self._embed.weight.device

    def to(self, device: torch.device) -> None:
        """Move it."""
        self._model.to(device)

    @property
    def context(self) -> int | None:
        """Tokens of prompt and answer that it takes, at most; None where it does not tell."""
        told = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        return told if isinstance(told, int) and told > 0 else None

    @property
    def fingerprint(self) -> str:
        """The same for the same model in whatever file and precision: sha256 of some of each tensor."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self._model.named_parameters()):
            every = max(1, tensor.numel() // _VALUES)
            values = tensor.detach().flatten()[::every].bfloat16().float().cpu().contiguous()
            digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
            digest.update(values.numpy().tobytes())
        return digest.hexdigest()

    def words(self, text: str, *, begin: bool = False) -> Tensor:
        """Token numbers of a text, shape (tokens,).

        With `begin` as the first of a prompt, with what the tokenizer puts before one; else as words that
        others precede: some tokenizers mark the first word of whatever they are given.
        """
        if begin:
            return torch.tensor(self._ids(text, special=True))
        whole, before = self._ids(f"{_BEFORE}{text}"), self._ids(_BEFORE)
        known = whole[: len(before)] == before
        return torch.tensor(whole[len(before) :] if known else self._ids(text), dtype=torch.long)

    def embedded(self, ids: Tensor) -> Tensor:
        """Embeddings of tokens, shape (tokens, width)."""
        return cast("Tensor", self._embed(ids.to(self.device)))

    def loss(self, prompts: Sequence[Tensor], answers: Sequence[str]) -> Tensor:
        """Mean cross-entropy of the answers' tokens, and of the end after them; a scalar.

        Args:
            prompts: embeddings, shape (tokens, width) each, through which the gradient flows.
            answers: what is to follow each.

        Raises:
            LearningError: one is longer than the model takes.
        """
        said = [self.words(f" {answer}\n{END}") for answer in answers]
        rows = [torch.cat([prompt, self.embedded(ids)]) for prompt, ids in zip(prompts, said, strict=True)]
        longest = max(map(len, rows))
        if self.context is not None and longest > self.context:
            raise LearningError(
                f"a question with its answer has {longest} tokens, the language model takes {self.context}: "
                "shorten the instructions"
            )
        padded = torch.stack([functional.pad(row, (0, 0, 0, longest - len(row))) for row in rows])
        padded = padded.to(self._embed.weight.dtype)
        labels = torch.full(padded.shape[:2], _IGNORED, device=self.device)
        seen = torch.zeros(padded.shape[:2], dtype=torch.long, device=self.device)
        for at, (prompt, ids) in enumerate(zip(prompts, said, strict=True)):
            labels[at, len(prompt) : len(prompt) + len(ids)] = ids.to(self.device)
            seen[at, : len(prompt) + len(ids)] = 1
        logits = self._model(inputs_embeds=padded, attention_mask=seen).logits[:, :-1]
        return functional.cross_entropy(
            logits.flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=_IGNORED
        )

    @torch.no_grad()
    def go_on(self, prompt: Tensor, decoding: Decoding = GREEDY) -> Spoken:
        """What the model says after a prompt, shape (tokens, width), up to its end or the next turn.

        Raises:
            VlmRejected: prompt and answer are longer than the model takes.
        """
        if self.context is not None and len(prompt) + decoding.max_tokens > self.context:
            raise VlmRejected(
                f"a prompt of {len(prompt)} tokens and an answer of {decoding.max_tokens} are more than the "
                f"{self.context} that the language model takes: ask less, or begin a new conversation"
            )
        generator = torch.Generator().manual_seed(decoding.seed)
        ends = self._ends()
        said: list[int] = []
        pieces: list[tuple[str, float]] = []
        text, memory = "", None
        given = prompt[None].to(self._embed.weight.dtype)
        while len(said) < decoding.max_tokens:
            step = self._model(inputs_embeds=given, past_key_values=memory, use_cache=True)
            memory = step.past_key_values
            logits = step.logits[0, -1].float().cpu()
            chosen = _chosen(logits, decoding, generator)
            if chosen in ends:
                return Spoken(text.strip(), tuple(pieces), whole=True)
            said.append(chosen)
            before, text = text, self._text(said)
            pieces.append((text[len(before) :], float(logits.log_softmax(dim=-1)[chosen])))
            if END in text:
                return Spoken(text.partition(END)[0].strip(), tuple(pieces), whole=True)
            given = self.embedded(torch.tensor([chosen]))[None]
        return Spoken(text.strip(), tuple(pieces), whole=False)

    def _ids(self, text: str, *, special: bool = False) -> list[int]:
        return [int(one) for one in self._tokenizer(text, add_special_tokens=special).input_ids]

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def _ends(self) -> set[int]:
        told = self._model.generation_config.eos_token_id
        ends = told if isinstance(told, list) else [told]
        return {int(end) for end in (*ends, self._tokenizer.eos_token_id) if end is not None}


def _chosen(logits: Tensor, decoding: Decoding, generator: torch.Generator) -> int:
    """The next token: the likeliest, or drawn among the likeliest that make up `top_p`."""
    if not decoding.sample:
        return int(logits.argmax())
    chances = (logits / decoding.temperature).softmax(dim=-1)
    ranked, order = chances.sort(descending=True)
    kept = ranked * ((ranked.cumsum(dim=-1) - ranked) < decoding.top_p)
    return int(order[torch.multinomial(kept, 1, generator=generator)])
