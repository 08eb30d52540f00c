"""Learning on drawn parts: the losses fall, CLIP stays, and stopping changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tools.experts.anomalyclip.small_clip import SIDE_PX, damage, draw_part
from tools.errors import ExpertError
from tools.experts.anomalyclip.clip import Clip
from tools.experts.anomalyclip.layouts import check_examples, find_examples
from tools.experts.anomalyclip.model import AnomalyClip
from tools.experts.anomalyclip.prompt_files import Card, Checkpoint, read_checkpoint, write_checkpoint
from tools.experts.anomalyclip.prompts import Prompts
from tools.experts.anomalyclip.training import EpochDone, learn
from tools.image import ImageStore


@pytest.fixture
def start(clip: Clip, marked_folder: Path) -> Any:
    """A function that begins anew, and one that learns on."""
    marked = find_examples(marked_folder)
    images = ImageStore()
    card = Card(
        base=str(clip.shape),
        base_sha256="a" * 64,
        base_fingerprint=clip.fingerprint,
        side_px=SIDE_PX,
        layers=(2, 4),
        alike_blocks=3,
        data=check_examples(marked, images),
        batch_size=4,
        learning_rate=1e-2,
        pixel_weight=4.0,
        seed=111,
    )

    def begin() -> Checkpoint:
        return Checkpoint(Prompts.drawn(clip, card.seed), card)

    def go(checkpoint: Checkpoint, epochs: int, **options: Any) -> list[EpochDone]:
        return list(learn(clip, marked.examples, images, checkpoint, epochs=epochs, **options))

    return begin, go


def test_the_losses_fall_and_the_map_finds_the_damage(start: Any, clip: Clip, tmp_path: Path) -> None:
    begin, go = start
    weights = clip.fingerprint
    ticks: list[int] = []
    epochs = go(begin(), 10, tick=lambda: ticks.append(1))
    assert len(ticks) == 10 * 12
    first, last = epochs[0].losses, epochs[-1].losses
    assert last.pixels < 0.6 * first.pixels
    assert last.image < 0.9 * first.image
    assert epochs[-1].card.steps == 10 * 3
    assert clip.fingerprint == weights
    # A part that it has not seen: the map is higher where the damage is.
    picture, marked = damage(draw_part(77, side_px=SIDE_PX), 77)
    prompts = epochs[-1].prompts
    look = AnomalyClip(clip, prompts.texts(clip), epochs[-1].card.recipe).look([picture])[0]
    assert look.map_values[marked].mean() > look.map_values[~marked].mean() + 0.3
    # What is kept comes back, and sees the same to the last bit.
    done = epochs[-1]
    found = read_checkpoint(write_checkpoint(tmp_path, prompts, done.card, done.adam), clip)
    assert found.card is not None
    again = AnomalyClip(clip, found.prompts.texts(clip), found.card.recipe).look([picture])[0]
    assert again.damaged == look.damaged
    assert np.array_equal(again.map_values, look.map_values)


def test_stopped_and_resumed_is_as_if_never_stopped(start: Any, clip: Clip, tmp_path: Path) -> None:
    begin, go = start
    through = go(begin(), 4)[-1]
    half = go(begin(), 2)[-1]
    kept = write_checkpoint(tmp_path, half.prompts, half.card, half.adam)
    resumed = go(read_checkpoint(kept, clip), 4)
    assert [epoch.number for epoch in resumed] == [3, 4]
    assert resumed[-1].card == through.card
    for one, other in zip(resumed[-1].prompts.parameters(), through.prompts.parameters(), strict=True):
        assert torch.equal(one, other)


def test_memory_saves_time_and_changes_nothing(start: Any) -> None:
    begin, go = start
    with_memory, without = go(begin(), 2)[-1], go(begin(), 2, remembered_bytes=0)[-1]
    assert with_memory.card == without.card
    for one, other in zip(with_memory.prompts.parameters(), without.prompts.parameters(), strict=True):
        assert torch.equal(one, other)


def test_another_seed_learns_otherwise(start: Any) -> None:
    begin, go = start
    one = go(begin(), 1)[0]
    checkpoint = begin()
    assert checkpoint.card is not None
    other = go(replace(checkpoint, card=checkpoint.card.model_copy(update={"seed": 5})), 1)[0]
    assert one.losses != other.losses


def test_a_loss_that_is_no_number_stops_learning(start: Any) -> None:
    begin, go = start
    checkpoint = begin()
    with torch.no_grad():
        checkpoint.prompts.good.fill_(torch.nan)
    with pytest.raises(ExpertError, match="lower rate"):
        go(checkpoint, 1)
