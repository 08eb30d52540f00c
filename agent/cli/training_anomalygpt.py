"""`agent train anomalygpt`: a language model learns to hear the anomaly map."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click

from agent.cli.simulate import KINDS
from agent.cli.training_options import (
    MARKED_PICTURES,
    clip_weights,
    going_on,
    judging_options,
    lr_option,
    machine_options,
    tensorboard,
)
from agent.cli.training_watch import TrainingWatch
from agent.errors import EXIT_INTERRUPTED


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help=f"{MARKED_PICTURES}, such as `agent simulate` writes. With --simulate: of good pictures.",
)
@click.option(
    "--lm", required=True, help="Causal language model: its folder, or its name in the hub's cache; frozen."
)
@clip_weights
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the model and its card."
)
@click.option(
    "--simulate",
    "simulated",
    type=click.Choice(KINDS),
    help="Take the good pictures of --data alone, of one product or a folder for each, and draw such defects "
    "into half of them, others in each epoch; nsa is the paper's.",
)
@click.option(
    "--instructions",
    type=click.Path(path_type=Path),
    help='JSON lines of {"picture", "question", "answer"} on other pictures, asked in every second step.',
)
@click.option("--epochs", type=click.IntRange(1), default=50, show_default=True, help="Times through all.")
@click.option(
    "--batch-size", type=click.IntRange(1), default=16, show_default=True, help="Pictures to one step."
)
@lr_option("Highest learning rate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of start and order.")
@machine_options
@judging_options
@click.option("--map-px", type=click.IntRange(8), help="Side of the map that is heard. [default: 224]")
@tensorboard
@going_on
def anomalygpt(out: Path, **given: object) -> None:
    """Teach a frozen language model to hear the anomaly map, and to answer without a threshold.

    CLIP and the language model stay as they are; a decoder and soft prompts are learnt. Each epoch is kept;
    Ctrl-C loses none that is finished.
    """
    from agent.training.anomalygpt import AnomalyGptRun, train_anomalygpt

    known = {field.name for field in fields(AnomalyGptRun)}
    wanted = {name: value for name, value in given.items() if name in known and value is not None}
    try:
        kept = train_anomalygpt(AnomalyGptRun(out=out, **wanted), TrainingWatch())  # type: ignore[arg-type]
    except KeyboardInterrupt:
        click.echo(f"agent: interrupted; what {out} keeps goes on with --resume", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    click.echo(f"kept {kept}\nto inspect with it: agent inspect --reasoner anomalygpt:{out}")
