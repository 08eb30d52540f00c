"""`agent eval detect`: detection and localisation figures over folders of good and damaged parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import as_json, folder_options, in_run, quietly
from evals.detect.cases import LAYOUTS


def _shots(ctx: click.Context, param: click.Parameter, value: str) -> int | str:
    """A number of good images, or all of them."""
    if value == "all":
        return value
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise click.BadParameter(f"{value!r} is neither a number nor all", ctx, param)
    return int(value)


@click.command(no_args_is_help=True)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the data set, of one category or of several.",
)
@in_run
@click.option(
    "--layout",
    type=click.Choice(["auto", *LAYOUTS]),
    default="auto",
    show_default=True,
    help="How the folders are laid out; plain: good/ and bad/, masks/ and train/ if there are any.",
)
@click.option("--category", "categories", multiple=True, help="Only this category; may be repeated.")
@click.option(
    "--expert",
    default="patchcore",
    show_default=True,
    metavar="NAME",
    help="Who measures; `agent doctor` lists them.",
)
@click.option(
    "--shots",
    callback=_shots,
    metavar="K|all",
    default="all",
    show_default=True,
    help="Good images to learn from, drawn by --seed. Of a data set without a split, all means half.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw and of intervals.")
@click.option(
    "--nearest",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Compare each image with the N of them most like it, for parts that differ from each other.",
)
@click.option("--limit", type=click.IntRange(1), help="Only N images of each category, evenly over all.")
@click.option(
    "--side",
    type=click.IntRange(16, 8192),
    default=256,
    show_default=True,
    help="Longer side in pixels at which maps are kept and judged.",
)
@click.option("--jobs", type=int, help="Images at a time. [env: AGENT_JOBS]")
@as_json
@quietly
@folder_options
def detect(**given: Any) -> None:  # noqa: ANN401 - click's
    """Measure detection and localisation: image AUROC, AP and F1-max, pixel AUROC and AUPRO.

    \b
    agent eval detect --data mvtec --run runs/patchcore
    agent eval detect --data mvtec --run runs/pair-1 --expert pair --shots 1 --category metal_nut
    """  # noqa: D301 - click reads \b as "keep these lines apart"
    from agent.cli.detecting import Detect, measure_detection

    asked = Detect(
        data=given["data"],
        run=given["run"],
        layout=None if given["layout"] == "auto" else given["layout"],
        categories=given["categories"],
        expert=given["expert"],
        shots=given["shots"],
        seed=given["seed"],
        nearest=given["nearest"],
        limit=given["limit"],
        side_px=given["side"],
        json=given["json_"],
        quiet=given["quiet"],
    )
    measure_detection(asked, {"data_dir": given["data_dir"], "jobs": given["jobs"]}, given["config"])
