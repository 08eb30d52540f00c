"""`agent templates`: good images on record, so that `agent inspect --product` needs no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import folder_options


@click.group(no_args_is_help=True)
def templates() -> None:
    """Keep good images on record for a product.

    \b
    agent templates add good/ --product flange
    agent inspect --image query.png --product flange
    """  # noqa: D301 - click reads \b as "keep these lines apart"


@templates.command(no_args_is_help=True)
@click.argument("sources", nargs=-1, required=True, metavar="IMAGE|FOLDER|GLOB...")
@click.option("--product", required=True, metavar="NAME", help="The product that they show.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
@folder_options
def add(sources: tuple[str, ...], product: str, quiet: bool, config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """Add good images to a product's record and teach the experts.

    What is on record already is not learnt again. Prints what each expert makes of the record.
    """
    from agent.cli.recording import add_to_record
    from agent.settings import Settings

    add_to_record(Settings.resolve(explicit, config=config), sources, product, quiet=quiet)


@templates.command("list")
@folder_options
def list_(config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """List the products on record and how many good images each has."""
    from agent.settings import Settings
    from agent.wiring import open_profiles

    profiles = open_profiles(Settings.resolve(explicit, config=config))
    names = profiles.names()
    for name in names:
        click.echo(f"{name:<32} {len(profiles.images_of(name)):>5} good image(s)")
    if not names:
        click.echo(
            "agent: no product is on record; add one: agent templates add DIR --product NAME", err=True
        )


@templates.command(no_args_is_help=True)
@click.option("--product", required=True, metavar="NAME", help="The product to forget.")
@folder_options
def remove(product: str, config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """Forget a product and the copies of its good images; the originals stay where they are."""
    from agent.settings import Settings
    from agent.wiring import open_profiles

    count = open_profiles(Settings.resolve(explicit, config=config)).remove(product)
    click.echo(f"{product}: {count} good image(s) forgotten")
