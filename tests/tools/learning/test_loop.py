"""The loop on a straight line: what it learns, keeps, and takes up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tools.errors import LearningError
from tools.learning.loop import EpochDone, Examples, Moment, learn
from tools.learning.memory import Memory, read_memory, write_memory
from tools.learning.plan import Plan

Point = tuple[float, float]
LINE: list[Point] = [(x, 3 * x - 1) for x in np.linspace(-1, 1, 24).tolist()]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Straight:
    """Learns a slope and an offset; drops inputs and adds noise, so that what it draws matters."""

    def __init__(self, spoilt: float = 1.0) -> None:
        torch.manual_seed(5)
        self.module = nn.Linear(1, 1)
        self.moments: list[tuple[int, float]] = []
        self.spoilt = spoilt
        self.scores: list[float] = []

    def losses(self, batch: Sequence[Point], moment: Moment) -> Mapping[str, Tensor]:
        self.moments.append((moment.epoch, moment.progress))
        x, y = torch.tensor(batch, dtype=torch.float32).unsqueeze(2).unbind(1)
        noise = torch.from_numpy(moment.rng.normal(0, 0.01, x.shape)).float()
        found = self.module(nn.functional.dropout(x, 0.05) + noise)
        return {
            "square": ((found - y) ** 2).mean() * self.spoilt,
            "size": 1e-4 * self.module.weight.square().sum(),
        }

    def score(self, held_out: Sequence[Point]) -> float:
        if self.scores:
            return self.scores.pop(0)
        x, y = torch.tensor(held_out, dtype=torch.float32).unsqueeze(2).unbind(1)
        return -float(((self.module(x) - y) ** 2).mean())


def plan(**changes: object) -> Plan:
    usual = {"epochs": 30, "batch_size": 5, "learning_rate": 0.1, "device": "cpu", "schedule": "cosine"}
    return Plan(**{**usual, **changes})  # type: ignore[arg-type]


def run(how: Plan, learner: Straight | None = None, begin: Memory | None = None) -> list[EpochDone]:
    return list(learn(learner or Straight(), Examples(LINE[::2], LINE[1::2]), how, begin=begin))


def equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_it_learns_a_line_and_says_how_it_went() -> None:
    learner, ticks = Straight(), []
    done = list(learn(learner, Examples(LINE[::2], LINE[1::2]), plan(), tick=lambda: ticks.append(1)))
    assert [epoch.number for epoch in done] == list(range(1, 31))
    last = done[-1]
    assert set(last.record.losses) == {"square", "size"}
    assert last.record.losses["square"] < 0.3 < done[0].record.losses["square"]
    assert float(last.memory.best["weight"]) == pytest.approx(3, abs=0.3)
    assert float(last.memory.best["bias"]) == pytest.approx(-1, abs=0.3)
    assert len(ticks) == 30 * 3
    assert learner.moments[0] == (1, 0.0)
    assert learner.moments[-1] == (30, 1.0)


def test_equal_seeds_give_equal_numbers_and_others_do_not() -> None:
    first, again, other = (run(plan(epochs=3, seed=seed))[-1].memory for seed in (4, 4, 5))
    assert equal(first.now, again.now)
    assert first.records == again.records
    assert not equal(first.now, other.now)


def test_what_others_draw_meanwhile_changes_nothing_and_is_left_as_it_was() -> None:
    quiet = run(plan(epochs=3))[-1].memory
    learner = Straight()
    torch.manual_seed(99)
    told = torch.rand(4)
    torch.manual_seed(99)
    for epoch in learn(learner, Examples(LINE[::2], LINE[1::2]), plan(epochs=3)):
        if epoch.number == 1:
            assert torch.equal(torch.rand(4), told)
    assert equal(epoch.memory.now, quiet.now)


def test_what_was_stopped_goes_on_as_if_it_never_had(tmp_path: Path) -> None:
    whole = run(plan(epochs=8))
    file = tmp_path / "kept" / "memory.safetensors"
    for epoch in learn(Straight(), Examples(LINE[::2], LINE[1::2]), plan(epochs=8)):
        write_memory(file, epoch.memory, "a card")
        if epoch.number == 3:
            break
    kept, card = read_memory(file)
    assert card == "a card"
    other_start = Straight()
    with torch.no_grad():
        other_start.module.weight.fill_(70)
    rest = run(plan(epochs=8), other_start, begin=kept)
    assert [epoch.number for epoch in rest] == [4, 5, 6, 7, 8]
    assert rest[-1].memory.records == whole[-1].memory.records
    for name in ("now", "best", "mean", "square", "step"):
        assert equal(getattr(rest[-1].memory, name), getattr(whole[-1].memory, name)), name


def test_it_stops_when_nothing_gets_better_and_keeps_the_best() -> None:
    learner = Straight()
    learner.scores = [0.1, 0.5, 0.4, 0.5, 0.3, 0.9]
    done = run(plan(patience=3), learner)
    assert [epoch.number for epoch in done] == [1, 2, 3, 4, 5]
    assert [epoch.better for epoch in done] == [True, True, False, False, False]
    assert equal(done[-1].memory.best, done[1].memory.now)
    assert not equal(done[-1].memory.now, done[1].memory.now)
    assert run(plan(patience=3), learner, begin=done[-1].memory) == []


def test_without_anything_held_out_the_latest_is_the_best() -> None:
    done = list(learn(Straight(), Examples(LINE), plan(epochs=2, patience=1)))
    assert [epoch.record.score for epoch in done] == [None, None]
    assert equal(done[-1].memory.best, done[-1].memory.now)


def test_a_loss_that_is_no_number_ends_in_one_line() -> None:
    with pytest.raises(LearningError, match=r"epoch 1 .* lower rate$"):
        run(plan(), Straight(spoilt=float("nan")))
    learner = Straight()
    learner.scores = [float("nan")]
    with pytest.raises(LearningError, match="held-out"):
        run(plan(), learner)
    with pytest.raises(ValueError, match="nothing to learn"):
        list(learn(Straight(), Examples([]), plan()))


def test_the_rate_rises_and_falls_as_planned() -> None:
    how = plan(warmup=0.2, learning_rate=1.0)
    rates = [how.rate(step, 10) for step in range(10)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.05
    assert plan(schedule="constant", learning_rate=0.3).rate(7, 10) == 0.3


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"patience": 0}]
)
def test_plans_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        plan(**changes)


def test_half_precision_learns_too_and_weights_stay_whole() -> None:
    done = run(plan(precision="bf16"))
    assert float(done[-1].memory.best["weight"]) == pytest.approx(3, abs=0.4)
    assert done[-1].memory.now["weight"].dtype == torch.float32


def test_half_precision_that_a_cpu_has_not_is_refused() -> None:
    with pytest.raises(LearningError, match="fp16 takes a GPU"):
        run(plan(precision="fp16"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(LearningError, match="choose the device cpu"):
        run(plan(device="cuda"))


def test_tensorboard_gets_every_epoch(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = run(plan(epochs=3, log=tmp_path / "log"))
    read = EventAccumulator(str(tmp_path / "log"))
    read.Reload()
    assert sorted(read.Tags()["scalars"]) == ["loss/size", "loss/square", "score"]
    told = [event.value for event in read.Scalars("loss/square")]
    assert told == pytest.approx([epoch.record.losses["square"] for epoch in done])


@pytest.mark.parametrize("content", [b"", b"nonsense" * 40, None])
def test_a_file_that_keeps_no_learning_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LearningError, match=r"begin anew$"):
        read_memory(file)


def test_memory_of_another_module_is_refused() -> None:
    kept = run(plan(epochs=1))[-1].memory
    other = Straight()
    other.module = nn.Linear(2, 1)
    with pytest.raises(LearningError, match="does not fit"):
        run(plan(epochs=2), other, begin=kept)
