"""Learning from a user's pictures: which files go in, what is kept after each epoch, and how to go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.errors import UsageError

if TYPE_CHECKING:
    from tools.experts.anomalyclip.clip import Clip
    from tools.experts.anomalyclip.layouts import DataFacts
    from tools.experts.anomalyclip.prompt_files import Card, Checkpoint


@dataclass(frozen=True)
class PromptRun:
    """What to learn prompts from, and how.

    `weights` None looks for ViT-L/14@336 in the hubs' caches. `layers` are vision blocks, none the last one.
    `limit` takes so many pictures, evenly over the folder. `remembered_bytes` is memory for what CLIP made of
    pictures; it changes nothing but the time.
    """

    data: Path
    out: Path
    weights: Path | None = None
    epochs: int = 15
    batch_size: int = 8
    learning_rate: float = 1e-3
    seed: int = 111
    device: str = "auto"
    limit: int | None = None
    layers: tuple[int, ...] = ()
    resume: bool = False
    remembered_bytes: int = 2 * 2**30


class Watch(Protocol):
    """Who follows the work."""

    def say(self, line: str) -> None:
        """A result that stays."""

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A stretch of work of so many steps; call what it gives after each."""


def train_prompts(run: PromptRun, watch: Watch) -> Path:
    """Learn prompts, keeping them after each epoch.

    Returns:
        The file for AGENT_ANOMALYCLIP_PROMPTS.

    Raises:
        UsageError: the folder for the result cannot be used, or keeps something else.
        ToolError: weights or pictures cannot be used.
    """
    from tools.experts.anomalyclip.files import PROMPTS_NAME, weights_file
    from tools.experts.anomalyclip.layouts import check_examples, find_examples

    kept = run.out / PROMPTS_NAME
    _check_place(kept, resume=run.resume)
    marked = find_examples(run.data)
    if run.limit is not None:
        marked = marked.limited(run.limit)
    weights = weights_file(run.weights)
    watch.say(
        f"{len(marked.examples)} pictures, {marked.damaged} of them damaged, "
        f"in {run.data} ({marked.layout}); CLIP from {weights}"
    )

    from tools.experts.anomalyclip.clip_files import load_clip
    from tools.experts.anomalyclip.opening import on_device
    from tools.experts.anomalyclip.prompt_files import write_checkpoint
    from tools.experts.anomalyclip.training import learn
    from tools.image import ImageStore

    images = ImageStore()
    with watch.steps("checking pictures", len(marked.examples)) as tick:
        facts = check_examples(marked, images, tick)
    clip = load_clip(weights)
    begin = _begin(run, clip, _card(run, clip, weights, facts), kept)
    done = len(begin.card.losses) if begin.card else 0
    if done >= run.epochs:
        raise UsageError(f"{kept} has {done} epochs already; ask for more with --epochs")
    clip = on_device(clip, run.device)
    with watch.steps("learning prompts", (run.epochs - done) * len(marked.examples)) as tick:
        for epoch in learn(
            clip,
            marked.examples,
            images,
            begin,
            epochs=run.epochs,
            remembered_bytes=run.remembered_bytes,
            tick=tick,
        ):
            try:
                write_checkpoint(run.out, epoch.prompts, epoch.card, epoch.adam)
            except OSError as error:
                raise UsageError(
                    f"cannot write {kept} ({error.strerror}); make room or choose --out"
                ) from error
            losses = epoch.losses
            watch.say(
                f"epoch {epoch.number}/{run.epochs}  image loss {losses.image:.4f}  "
                f"pixel loss {losses.pixels:.4f}"
            )
    return kept


def _check_place(kept: Path, *, resume: bool) -> None:
    from agent.wiring import make_writable

    if kept.is_file() and not resume:
        raise UsageError(f"{kept} is there already; go on with --resume, or choose another --out")
    if resume and not kept.is_file():
        raise UsageError(f"there is no {kept} to go on from; leave --resume out")
    try:
        make_writable(kept.parent)
    except UsageError as error:
        raise UsageError(f"{kept.parent} cannot be written; choose another --out") from error


def _card(run: PromptRun, clip: Clip, weights: Path, facts: DataFacts) -> Card:
    from tools.experts.anomalyclip.files import file_sha256
    from tools.experts.anomalyclip.prompt_files import Card
    from tools.experts.anomalyclip.settings import Recipe
    from tools.experts.anomalyclip.training import PIXEL_WEIGHT

    try:
        recipe = Recipe.published(clip.shape, run.layers)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Card(
        base=str(clip.shape),
        base_sha256=file_sha256(weights),
        base_fingerprint=clip.fingerprint,
        side_px=recipe.side_px,
        layers=recipe.layers,
        alike_blocks=recipe.alike_blocks,
        data=facts,
        batch_size=run.batch_size,
        learning_rate=run.learning_rate,
        pixel_weight=PIXEL_WEIGHT,
        seed=run.seed,
    )


def _begin(run: PromptRun, clip: Clip, card: Card, kept: Path) -> Checkpoint:
    """Drawn prompts, or with `resume` those that were kept, if they were learnt in the same way."""
    from tools.experts.anomalyclip.prompt_files import Checkpoint, read_checkpoint
    from tools.experts.anomalyclip.prompts import Prompts

    if not run.resume:
        return Checkpoint(Prompts.drawn(clip, run.seed), card)
    earlier = read_checkpoint(kept, clip)
    if earlier.card is None or earlier.adam is None:
        raise UsageError(f"{kept} keeps no memory of its learning to go on from; begin anew in another --out")
    if (field := earlier.card.differs(card)) is not None:
        was, now = getattr(earlier.card, field), getattr(card, field)
        raise UsageError(
            f"{kept} was learnt with {field} {was}, not {now}: give that, or choose another --out"
        )
    return earlier
