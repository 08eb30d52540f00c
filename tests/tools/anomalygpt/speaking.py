"""A small AnomalyGPT that has something to say: a language model that was taught to answer by what it is told
before the question, and a decoder and prompt learner that were taught to tell it of blots in corners."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from filelock import FileLock

from tests.tools.anomalygpt.tiny import learnt, write_marked, write_model
from tests.tools.clip.small_clip import draw_clip, small_shape, write_weights
from tools.anomalygpt.answers import END, QUESTION, say_answer
from tools.types import Cell

CORNERS: Final[tuple[Cell, ...]] = ("top left", "top right", "bottom left", "bottom right")
WHERE: Final = "Where is it?"

_TOKENS: Final = r"###|\n| ?[A-Za-z0-9]+| ?[^\sA-Za-z0-9]"
_WHOLE: Final = "whole"
_STEPS: Final = 150
_EPOCHS: Final = 100


@dataclass(frozen=True)
class Made:
    """A learnt model, what it was learnt with, and pictures of plates, good ones and with blots in corners.

    `good` and `bad` have four pictures each; the blot of the bad one `n` lies in corner `n` of `CORNERS`.
    """

    folder: Path
    weights: Path
    lm: Path
    good: tuple[Path, ...]
    bad: tuple[Path, ...]


@pytest.fixture(scope="session")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The model, learnt once for all workers of a run; for tests to import."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "speaking"
    with FileLock(f"{root}.lock"):
        if not (root / _WHOLE).is_file():
            _make(root)
            (root / _WHOLE).touch()
    good, bad = (
        tuple(root / "plates" / kind / f"{number}.png" for number in range(4)) for kind in ("good", "bad")
    )
    return Made(root / "plate-gpt", root / "open_clip_model.safetensors", root / "lm", good, bad)


def _make(root: Path) -> None:
    """Learn it, in ten seconds of one core."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        clip, lm, data = (
            draw_clip(small_shape()),
            write_speaking_lm(root / "lm"),
            write_marked(root / "plates"),
        )
        weights = write_weights(clip, root)
        done = learnt(clip, lm, data, epochs=_EPOCHS)[-1]
        write_model(root / "plate-gpt", clip, weights, lm, data, done)
    finally:
        torch.set_num_threads(threads)


def write_speaking_lm(folder: Path) -> Path:
    """A Llama of two blocks that answers by the words `Yes`, `No` and a corner's before the question."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    dialogues = [
        (f"### Human: <Img></Img> {_told(corner)}{' .' * more} {question}### Assistant:", _answer(corner))
        for corner in (None, *CORNERS)
        for more in range(4)
        for question in (QUESTION, WHERE)
    ]
    tokenizer = _tokenizer(sorted({text for both in dialogues for text in both}))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=512,
            bos_token_id=0,
            eos_token_id=1,
        )
    ).train()
    given, labels = _padded(tokenizer, dialogues)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(_STEPS):
        loss = model(**given, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)
    return folder


def _told(corner: Cell | None) -> str:
    return "No" if corner is None else f"Yes {corner}"


def _answer(corner: Cell | None) -> str:
    return f" {say_answer(() if corner is None else (corner,))}\n{END}"


def _tokenizer(texts: list[str]) -> Any:
    """Words with the spaces before them, so that what is said reads as it was taught."""
    import re

    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = dict.fromkeys(word for text in texts for word in re.findall(_TOKENS, text))
    vocabulary = {word: at for at, word in enumerate(("<s>", "</s>", "<unk>", *words))}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(_TOKENS), "isolated")
    core.decoder = decoders.Fuse()
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


def _padded(tokenizer: Any, dialogues: list[tuple[str, str]]) -> tuple[dict[str, Any], Any]:
    """Token numbers of prompts and answers, and the labels of the answers alone."""
    import torch

    rows = [
        (tokenizer(prompt).input_ids, tokenizer(answer, add_special_tokens=False).input_ids)
        for prompt, answer in dialogues
    ]
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids, seen = (torch.zeros(len(rows), longest, dtype=torch.long) for _ in range(2))
    labels = torch.full_like(ids, -100)
    for row, (prompt, answer) in enumerate(rows):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        seen[row, : len(prompt) + len(answer)] = 1
        labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return {"input_ids": ids, "attention_mask": seen}, labels
