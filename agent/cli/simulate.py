"""`agent simulate`: defects drawn into pictures of good parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import quietly

KINDS = ("nsa", "cutpaste", "perlin", "geometric", "mix")


@click.command(no_args_is_help=True)
@click.argument("data", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write; the same command goes on with it.",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="mix",
    show_default=True,
    help="What to draw; mix: all of them.",
)
@click.option(
    "--count", type=click.IntRange(1, 1_000_000), help="Defects in all.  [default: one a good picture]"
)
@click.option("--per-image", type=click.IntRange(1, 10_000), help="Defects for each good picture, instead.")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Same seed, same defects."
)
@click.option(
    "--textures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of pictures for perlin.  [default: other parts, and drawn ones]",
)
@click.option(
    "--background",
    type=click.Choice(["auto", "bright", "dark", "none"]),
    default="auto",
    show_default=True,
    help="Around the parts; none: textures that fill the picture.",
)
@click.option(
    "--patches",
    type=click.IntRange(1, 8),
    default=2,
    show_default=True,
    help="Of nsa, for a picture at most.",
)
@click.option(
    "--blend",
    type=click.Choice(["normal", "mixed"]),
    default="normal",
    show_default=True,
    help="Of nsa; mixed keeps the stronger gradients of both pictures.",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Pictures at a time.  [default: one a CPU core]")
@quietly
def simulate(**given: Any) -> None:  # noqa: ANN401 - click's
    """Draw defects into the good pictures of DIR, with masks.

    DIR holds good pictures, or is one product in the layout of MVTec AD, VisA, Real-IAD or good/bad folders.
    Writes good/, bad/ and masks/, as `agent eval detect` and `agent train` read them, manifest.jsonl
    with what was drawn where, and preview.jpg.

    \b
    agent simulate parts/good --out simulated
    agent simulate mvtec/screw --out simulated --kind nsa --count 500 --seed 1
    """  # noqa: D301 - click reads \b as "keep these lines apart"
    from agent.cli.simulating import simulate_folder

    simulate_folder(given)
