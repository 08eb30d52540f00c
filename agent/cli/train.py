"""`agent train`: learn from a folder of marked pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import click

from agent.cli.options import folder_options
from agent.cli.training_anomalygpt import anomalygpt
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
from agent.errors import EXIT_INTERRUPTED, UsageError


@click.group()
def train() -> None:
    """Tune what measures, on pictures of good and damaged parts of your own."""


@train.command()
@click.option(
    "--method",
    type=click.Choice(["anomalyclip", "dapo"]),
    default="anomalyclip",
    show_default=True,
    help="Which expert's prompts; dapo also learns the types of the defects.",
)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help=f"{MARKED_PICTURES}.",
)
@clip_weights
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for the prompts and their card."
)
@click.option("--epochs", type=click.IntRange(1), help="Times through all. [default: 15; dapo: 5]")
@click.option(
    "--batch-size", type=click.IntRange(1), default=8, show_default=True, help="Pictures to one step."
)
@lr_option("Learning rate.")
@click.option("--seed", type=click.IntRange(0), help="Of start and order. [default: 111; dapo: 42]")
@machine_options
@judging_options
@tensorboard
@click.option(
    "--layer",
    "layers",
    type=click.IntRange(1),
    multiple=True,
    help="anomalyclip: vision block to compare, repeatable. [default: the last]",
)
@click.option(
    "--memory-gb",
    type=click.FloatRange(0),
    help="anomalyclip: for what CLIP made of the pictures; more is faster. [default: 2]",
)
@click.option(
    "--type",
    "renamed",
    metavar="KIND=NAME",
    multiple=True,
    help="dapo: learn a type of the data under another name, repeatable; several may share one.",
)
@going_on
def prompts(
    method: str, out: Path, memory_gb: float | None, renamed: tuple[str, ...], **given: object
) -> None:
    """Learn the words for "good" and "damaged" that an expert compares pictures with.

    CLIP itself stays as it is. Prompts are kept after each epoch; Ctrl-C loses none that is finished.
    """
    wanted = {
        **given,
        "out": out,
        "remembered_bytes": None if memory_gb is None else round(memory_gb * 2**30),
        "renamed": _renamed(renamed),
    }
    try:
        kept, variable = _learn_prompts(
            method, {name: one for name, one in wanted.items() if one not in (None, (), {})}
        )
    except KeyboardInterrupt:
        click.echo(f"agent: interrupted; what {out} keeps goes on with --resume", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    click.echo(f"kept {kept}\nto inspect with it: export {variable}={kept}")


def _learn_prompts(method: str, wanted: Mapping[str, Any]) -> tuple[Path, str]:
    """Learn with what was given of the options; returns the file, and the variable that may name it.

    Raises:
        UsageError: an option is not of this method.
    """
    from agent.training.anomalyclip import AnomalyClipRun, train_anomalyclip
    from agent.training.dapo import DapoRun, train_dapo

    known = {field.name for field in fields(DapoRun if method == "dapo" else AnomalyClipRun)}
    if foreign := sorted(wanted.keys() - known):
        option = _OPTIONS.get(foreign[0], f"--{foreign[0]}")
        raise UsageError(f"{option} is nothing that --method {method} knows; leave it out")
    if method == "dapo":
        return train_dapo(DapoRun(**wanted), TrainingWatch()), "AGENT_DAPO_PROMPTS"
    return train_anomalyclip(AnomalyClipRun(**wanted), TrainingWatch()), "AGENT_ANOMALYCLIP_PROMPTS"


_OPTIONS: Final = {"layers": "--layer", "remembered_bytes": "--memory-gb", "renamed": "--type"}
"""Of fields that have other names."""


def _renamed(pairs: Sequence[str]) -> dict[str, str]:
    """KIND=NAME, each."""
    found = {}
    for pair in pairs:
        kind, equals, name = (part.strip() for part in pair.partition("="))
        if not (kind and equals and name) or kind in found:
            raise UsageError(f"--type {pair[:80]!r} is not KIND=NAME, with each KIND once")
        found[kind] = name
    return found


@train.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with a folder of crops for each type (and masks/, references/), COCO's annotations.json, or "
    "marked pictures with types.",
)
@click.option("--product", help="Whose types they are; looks the types up in its documents.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the types. [default: on record for --product]"
)
@click.option("--shots", type=click.IntRange(1), help="So many crops of each type. [default: all]")
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True, help="Times through all.")
@click.option(
    "--batch-size", type=click.IntRange(2), default=32, show_default=True, help="Crops to one step."
)
@lr_option("Learning rate.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is drawn.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where to learn; a CPU does for what is learnt here.",
)
@click.option(
    "--patience", type=click.IntRange(1), help="Hold crops out; stop after so many epochs without gain."
)
@going_on
@tensorboard
@folder_options
def types(
    data: Path,
    product: str | None,
    out: Path | None,
    shots: int | None,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: str,
    patience: int | None,
    resume: bool,
    log: Path | None,
    config: Path | None,
    data_dir: Path | None,
) -> None:
    """Learn which type a defect is of, from a few crops of each type.

    What is seen, what is measured and told of it, and numbers printed on the picture are aligned and fused.
    The models that look and read stay as they are. Each epoch is kept; Ctrl-C loses none that is finished.
    """
    from agent.settings import Settings
    from agent.training.defect_types import TypesRun, train_types

    run = TypesRun(
        data=data,
        product=product,
        out=out,
        shots=shots,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        device=device,  # type: ignore[arg-type]
        patience=patience,
        resume=resume,
        log=log,
    )
    try:
        kept = train_types(run, Settings.resolve({"data_dir": data_dir}, config=config), TrainingWatch())
    except KeyboardInterrupt:
        click.echo("agent: interrupted; what is kept goes on with --resume", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
    use = f"--product {product} uses them" if out is None else f"export AGENT_TYPES_MODEL={kept}"
    click.echo(f"kept {kept}\nto inspect with them: {use}")


train.add_command(anomalygpt)
