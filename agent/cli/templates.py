"""`agent templates`: good images on record, so that `agent inspect --product` needs no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import Command, as_json, folder_options, quietly, with_options


def library_options(command: Command) -> Command:
    """Options that say where the good images lie, what compares them, and in which form to print."""
    return with_options(
        folder_options(command),
        click.option("--template-backbone", help="What compares images. [env: AGENT_TEMPLATE_BACKBONE]"),
        as_json,
    )


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
@click.option("--anyway", is_flag=True, help="Add also what looks like another product on record.")
@quietly
@library_options
def add(
    sources: tuple[str, ...],
    product: str,
    anyway: bool,
    quiet: bool,
    json_: bool,
    config: Path | None,
    **explicit: Any,  # noqa: ANN401
) -> None:
    """Add good images to a product's record and teach the experts.

    What is on record already is not learnt again, a picture that was only saved again is left out, and one
    that looks like another product on record is refused. Prints what each expert makes of the record.
    """
    from agent.cli.recording import add_to_record
    from agent.settings import Settings

    settings = Settings.resolve(explicit, config=config)
    add_to_record(settings, sources, product, anyway=anyway, quiet=quiet, json_=json_)


@templates.command(no_args_is_help=True)
@click.option("--product", required=True, metavar="NAME", help="The product on record.")
@quietly
@library_options
def trial(product: str, quiet: bool, json_: bool, config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """Find out how well each expert does on a product, on its good images alone.

    Some good images are held out and read as they are and with a planted flaw. An expert that turns out weak
    is doubted in later inspections of the product, or left out (setting weak_experts).
    """
    from agent.cli.recording import try_on_record
    from agent.settings import Settings

    try_on_record(Settings.resolve(explicit, config=config), product, quiet=quiet, json_=json_)


@templates.command("list")
@library_options
def list_(json_: bool, config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """List the products on record and how many good images each has."""
    from agent.cli.recording import list_record
    from agent.settings import Settings

    list_record(Settings.resolve(explicit, config=config), json_=json_)


@templates.command(no_args_is_help=True)
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--product", metavar="NAME", help="Only good images of this product.")
@click.option("--limit", type=click.IntRange(1, 1000), default=5, show_default=True, help="Images at most.")
@click.option(
    "--choice", type=click.Choice(["similar", "random"]), default="similar", show_default=True,
    help="The most similar ones, or random ones: always the same for the same image.",
)  # fmt: skip
@library_options
def search(
    image: Path,
    product: str | None,
    limit: int,
    choice: Any,  # noqa: ANN401 - click has checked it
    json_: bool,
    config: Path | None,
    **explicit: Any,  # noqa: ANN401
) -> None:
    """Find the good images most like an image, at any quarter turn, and say which product it shows."""
    from agent.cli.recording import search_record
    from agent.settings import Settings

    settings = Settings.resolve(explicit, config=config)
    search_record(settings, image, product, limit=limit, how=choice, json_=json_)


@templates.command(no_args_is_help=True)
@click.option("--product", required=True, metavar="NAME", help="The product to forget.")
@library_options
def remove(product: str, json_: bool, config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """Forget a product and the copies of its good images; the originals stay where they are."""
    from agent.cli.recording import remove_from_record
    from agent.settings import Settings

    remove_from_record(Settings.resolve(explicit, config=config), product, json_=json_)
