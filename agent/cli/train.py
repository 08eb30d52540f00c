"""`agent train`: learn from a folder of marked pictures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click

from agent.errors import EXIT_INTERRUPTED


@click.group()
def train() -> None:
    """Tune what measures, on pictures of good and damaged parts of your own."""


@train.command()
@click.option(
    "--method",
    type=click.Choice(["anomalyclip"]),
    default="anomalyclip",
    show_default=True,
    help="Which expert's prompts.",
)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of pictures: MVTec AD's or VisA's layout, or good/, bad/ and masks/.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="CLIP weights. [env: AGENT_ANOMALYCLIP_WEIGHTS; default: ViT-L/14@336 from the hub's cache]",
    envvar="AGENT_ANOMALYCLIP_WEIGHTS",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the prompts and their card."
)
@click.option("--epochs", type=click.IntRange(1), default=15, show_default=True, help="Times through all.")
@click.option(
    "--batch-size", type=click.IntRange(1), default=8, show_default=True, help="Pictures to one step."
)
@click.option(
    "--lr", type=click.FloatRange(0, min_open=True), default=1e-3, show_default=True, help="Learning rate."
)
@click.option("--seed", type=click.IntRange(0), default=111, show_default=True, help="Of start and order.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to run.",
)
@click.option("--limit", type=click.IntRange(2), help="At most so many pictures, evenly over the folder.")
@click.option(
    "--layer",
    "layers",
    type=click.IntRange(1),
    multiple=True,
    help="Vision block to compare, repeatable. [default: the last]",
)
@click.option(
    "--memory-gb",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    help="For what CLIP made of the pictures; more is faster.",
)
@click.option("--resume", is_flag=True, help="Go on from the last finished epoch in --out.")
def prompts(
    method: str,  # noqa: ARG001 - one choice so far
    data: Path,
    weights: Path | None,
    out: Path,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    device: str,
    limit: int | None,
    layers: tuple[int, ...],
    memory_gb: float,
    resume: bool,
) -> None:
    """Learn the words for "good" and "damaged" that AnomalyCLIP compares pictures with.

    CLIP itself stays as it is. Prompts are kept after each epoch; Ctrl-C loses none that is finished.
    """
    from agent.training import PromptRun, train_prompts

    run = PromptRun(
        data=data,
        out=out,
        weights=weights,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=lr,
        seed=seed,
        device=device,
        limit=limit,
        layers=layers,
        resume=resume,
        remembered_bytes=round(memory_gb * 2**30),
    )
    try:
        kept = train_prompts(run, _Terminal())
    except KeyboardInterrupt:
        click.echo(f"agent: interrupted; what {out} keeps goes on with --resume", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    click.echo(f"kept {kept}\nto inspect with it: export AGENT_ANOMALYCLIP_PROMPTS={kept}")


class _Terminal:
    """Results on stdout, and a bar on stderr if a person watches."""

    def say(self, line: str) -> None:
        """A result that stays, above the bar."""
        click.echo(line)

    def steps(self, what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        """A bar of so many steps."""
        from agent.cli.progress import progress_bar

        return progress_bar(what, total, quiet=False)
