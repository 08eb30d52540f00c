"""The card of learnt prompts in words, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tools.experts.dapo.card import Card
from tools.experts.dapo.settings import DAMAGED_ANCHOR, GOOD_ANCHOR

if TYPE_CHECKING:
    from tools.learning.memory import EpochRecord

RECONSTRUCTED: Final = """\
Written from the paper, without its code. Not stated there, and so not known to agree with it: that the deep
tokens of text are drawn like the words of the prompts; that texts are averaged before they are brought to
length 1; that adapters have a bias and take a block's patches without CLIP's last norm; that the maps are
smoothed (Gaussian, 4 px) and their mean is taken, not their sum. Not from the paper: that the adapters of a
CLIP with other than 24 vision blocks lie at a quarter, half, three quarters and all of them."""


def model_card(card: Card, records: Sequence[EpochRecord], best_epoch: int) -> str:
    """The card, as Markdown.

    Args:
        card: how the prompts were made.
        records: how each epoch went.
        best_epoch: whose prompts are used, counted from 1.
    """
    recipe, data = card.recipe, card.data
    types = "\n".join(f"| {_cell(name)} | {count} |" for name, count in card.types.items())
    epochs = "\n".join(
        f"| {number} | {record.losses.get('image', 0):.4f} | {record.losses.get('pixels', 0):.4f} | "
        f"{'' if record.score is None else f'{record.score:.4f}'} |"
        for number, record in enumerate(records, start=1)
    )
    renamed = ", ".join(f"{_cell(kind)} as {_cell(name)}" for kind, name in card.renamed.items())
    layers = ", ".join(map(str, recipe.layers))
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    return f"""# Defect-aware prompts

Learnt prompts for zero-shot detection of defects and of their types with a frozen CLIP ({card.source}).
Use them with `--expert dapo`; they are read only with the CLIP that they were learnt on.

## Model

- {card.base}, weights sha256 `{card.base_sha256}`
- pictures at {recipe.side_px}x{recipe.side_px} px; patches of vision blocks {layers}
- {recipe.sets} sets of {recipe.words} learnt words for "{GOOD_ANCHOR}" and for "{DAMAGED_ANCHOR}"
- {recipe.text_deep} learnt tokens before each block of text, {recipe.vision_deep} before each of vision

## Data

{data.pictures} pictures, {data.damaged} of them damaged ({data.layout}), {card.held_out} of them held out.
Sha256 of names and pixels: `{data.sha256}`.{f" Learnt under another name: {renamed}." if renamed else ""}

| type | pictures learnt from |
| --- | --- |
{types}

What is learnt from pictures may fall under their licence.

## Learning

Adam {card.betas} at {card.learning_rate:g}, batches of {card.batch_size}, seed {card.seed}, mixed precision
{card.precision}, pixel losses weighted {card.pixel_weight:g}. The prompts of epoch {best_epoch} are used.

| epoch | image loss | pixel losses, weighted | score of held-out pictures |
| --- | --- | --- | --- |
{epochs}

Versions: {versions}.

## What it is good for

Nothing was measured by learning: try it on products and types other than those above before it is relied on.
The shares of types are the model's own and not calibrated.

{RECONSTRUCTED}
"""


def _cell(text: str) -> str:
    """Text in a table of Markdown."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
