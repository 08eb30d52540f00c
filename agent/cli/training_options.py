"""Options of learning from marked pictures, whatever is learnt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from agent.cli.options import with_options

Command = TypeVar("Command", bound=Callable[..., Any])

MARKED_PICTURES: Final = (
    "Folder of marked pictures: MVTec AD's, VisA's, MPDD's, MAD's or Real-IAD's layout, or good/, bad/ "
    "and masks/"
)

clip_weights = click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="CLIP weights. [env: AGENT_ANOMALYCLIP_WEIGHTS; default: ViT-L/14@336 from the hub's cache]",
    envvar="AGENT_ANOMALYCLIP_WEIGHTS",
)


def lr_option(help_: str) -> Callable[[Command], Command]:
    """The option of how fast to learn."""
    return click.option(
        "--lr",
        "learning_rate",
        type=click.FloatRange(0, min_open=True),
        default=1e-3,
        show_default=True,
        help=help_,
    )


def machine_options(command: Command) -> Command:
    """Options of where to learn, and how exactly."""
    return with_options(
        command,
        click.option(
            "--device",
            type=click.Choice(["auto", "cpu", "cuda"]),
            default="auto",
            show_default=True,
            help="Where to run.",
        ),
        click.option(
            "--precision",
            type=click.Choice(["off", "bf16", "fp16"]),
            default="off",
            show_default=True,
            help="Of the forward pass; half is faster on a GPU.",
        ),
    )


def judging_options(command: Command) -> Command:
    """Options of how many pictures are learnt from, and of what they are judged by."""
    return with_options(
        command,
        click.option(
            "--limit", type=click.IntRange(2), help="At most so many pictures, evenly over the folder."
        ),
        click.option(
            "--validation",
            type=click.FloatRange(0, 0.9),
            default=0.0,
            show_default=True,
            help="Share of the pictures that is only judged by; the best epoch is used.",
        ),
        click.option(
            "--patience",
            type=click.IntRange(1),
            help="Stop after so many epochs without gain on --validation.",
        ),
    )


tensorboard = click.option("--log", type=click.Path(path_type=Path), help="Folder for TensorBoard.")
going_on = click.option("--resume", is_flag=True, help="Go on from the last finished epoch in --out.")
