"""A language model of two blocks with random weights, and an AnomalyGPT that was learnt around it in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.tools.clip.small_clip import draw_part
from tools.image import ImageStore
from tools.types import Pixels

WORDS = (
    "###", "Human", "Assistant", ":", "<", "Img", "/", ">", "Yes", "No", ",", ".", "?", "there", "is", "are",
    "an", "no", "any", "anomaly", "anomalies", "in", "the", "image", "at", "of", "and", "2", "top", "bottom",
    "left", "right", "center", "Is", "Where", "it", "a", "plate",
)  # fmt: skip
RECIPE = {"map_px": 40, "channels": (8, 16, 32), "base_tokens": 3}


def write_lm(folder: Path, width: int = 48, seed: int = 0) -> Path:
    """A random Llama whose tokens are words, as transformers keeps one."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: at for at, word in enumerate(("<s>", "</s>", "<unk>", "\n", *WORDS))}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ", behavior="removed"), pre_tokenizers.Split("###", behavior="isolated"),
         pre_tokenizers.Split("\n", behavior="isolated"),
         *(pre_tokenizers.Split(mark, behavior="isolated") for mark in ":<>/,.?")]
    )  # fmt: skip
    core.decoder = decoders.WordPiece(prefix="@@", cleanup=True)
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>").save_pretrained(
        folder
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=512,
            bos_token_id=0,
            eos_token_id=1,
        )
    ).save_pretrained(folder)
    return folder


def write_marked(folder: Path, count: int = 4, side_px: int = 96) -> Path:
    """good/, bad/ and masks/: grey plates, the bad ones with a bright blot in a corner of its own."""
    for name in ("good", "bad", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(draw_part(number, side_px)).save(folder / "good" / f"{number}.png")
        damaged, mask = blotted(draw_part(100 + number, side_px), number)
        Image.fromarray(damaged).save(folder / "bad" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder


def blotted(part: Pixels, corner: int) -> tuple[Pixels, np.ndarray]:
    """A part with a red blot in one of its corners (top left, top right, bottom left, bottom right), and its mask."""
    side = part.shape[0]
    x0, y0 = (4 + (corner & 1) * (side - 36), 4 + (corner >> 1 & 1) * (side - 36))
    damaged, mask = part.copy(), np.zeros(part.shape[:2], np.uint8)
    damaged[y0 : y0 + 28, x0 : x0 + 28] = (250, 40, 30)
    mask[y0 : y0 + 28, x0 : x0 + 28] = 255
    return damaged, mask


def learnt(
    clip: Any,
    lm: Path,
    data: Path,
    *,
    epochs: int = 3,
    begin: Any = None,
    instructions: Any = (),
    **plan: Any,
) -> list[Any]:
    """All epochs of learning on marked pictures."""
    from tools.anomalygpt.language import Language
    from tools.anomalygpt.lessons import lessons_of
    from tools.anomalygpt.settings import Recipe
    from tools.anomalygpt.training import learn_anomalygpt
    from tools.learning.loop import Examples
    from tools.learning.plan import Plan
    from tools.marked.layouts import find_examples

    images = ImageStore()
    usual = {"batch_size": 4, "learning_rate": 3e-3, "betas": (0.9, 0.95), "device": "cpu", "seed": 1}
    return list(
        learn_anomalygpt(
            clip,
            Language.open(str(lm)),
            Examples(lessons_of(find_examples(data).examples, images)),
            images,
            Plan(epochs=epochs, **{**usual, **plan}),
            recipe=Recipe.published(clip.shape).model_copy(update=RECIPE),
            instructions=instructions,
            begin=begin,
        )
    )


def write_model(folder: Path, clip: Any, weights: Path, lm: Path, data: Path, done: Any) -> Path:
    """What was learnt, as `agent train anomalygpt` keeps it."""
    from tools.anomalygpt.card import Base, Card
    from tools.anomalygpt.checkpoints import write_model as keep
    from tools.anomalygpt.language import Language
    from tools.anomalygpt.settings import Recipe
    from tools.marked.layouts import check_examples, find_examples

    language = Language.open(str(lm))
    card = Card(
        clip=Base(source=str(weights), fingerprint=clip.fingerprint),
        lm=Base(source=str(lm), fingerprint=language.fingerprint),
        lm_width=language.width,
        recipe=Recipe.published(clip.shape).model_copy(update=RECIPE),
        data=check_examples(find_examples(data), ImageStore()),
        held_out=0,
        instructions=0,
        batch_size=4,
        learning_rate=3e-3,
        betas=(0.9, 0.95),
        weight_decay=0.0,
        warmup=0.0,
        precision="off",
        seed=1,
        versions={"python": "3"},
    )
    keep(folder, done.memory, card)
    return folder
