"""`agent kb`: what the agent knows, and how to add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli.options import Command, as_json, folder_options, quietly, with_options
from knowledge_base.schema import LIBRARIES, SECTIONS, Library


def store_options(command: Command) -> Command:
    """Options that say where the knowledge lies and who embeds it."""
    return with_options(
        folder_options(command),
        click.option("--knowledge-url", help="Chroma server instead of a folder. [env: AGENT_KNOWLEDGE_URL]"),
        click.option("--embedding-model", help="Text embeddings. [env: AGENT_EMBEDDING_MODEL]"),
    )


in_library = click.option(
    "--library",
    "libraries",
    multiple=True,
    type=click.Choice(LIBRARIES),
    help="Only this one; may be repeated.",
)


@click.group(no_args_is_help=True)
def kb() -> None:
    """Add to what the agent knows, and look things up.

    \b
    agent kb add handbook.pdf specs/ --product gasket
    agent kb search "white residue along the zipper tape"
    """  # noqa: D301 - click reads \b as "keep these lines apart"


@kb.command(no_args_is_help=True)
@click.argument("paths", nargs=-1, required=False, metavar="FILE|FOLDER...", type=click.Path(path_type=Path))
@click.option("--product", metavar="NAME", help="The product that they are about; left out, several or none.")
@click.option("--rebuild", is_flag=True, help="Embed everything again, with the chosen embedding model.")
@as_json
@quietly
@store_options
def add(
    paths: tuple[Path, ...],
    product: str | None,
    rebuild: bool,
    json_: bool,
    quiet: bool,
    config: Path | None,
    **explicit: Any,  # noqa: ANN401
) -> None:
    """Add product documents (YAML) and handbooks: Markdown, PDF, DOCX, HTML, CSV.

    A file that did not change is not read again; one that changed takes the place of what it said before.
    """
    from agent.cli.knowing import add_files, rebuild_index
    from agent.settings import Settings

    settings = Settings.resolve(explicit, config=config)
    if rebuild:
        rebuild_index(settings, quiet=quiet, json_=json_)
    elif not paths:
        raise click.UsageError("name files or folders to add")
    if paths:
        add_files(settings, paths, product, quiet=quiet, json_=json_)


@kb.command("list")
@click.option("--product", metavar="NAME", help="Only documents about this product.")
@in_library
@as_json
@store_options
def list_(
    product: str | None,
    libraries: tuple[Library, ...],
    json_: bool,
    config: Path | None,
    **explicit: Any,  # noqa: ANN401
) -> None:
    """List the documents."""
    from agent.cli.knowing import list_documents
    from agent.settings import Settings

    list_documents(Settings.resolve(explicit, config=config), product, libraries, json_=json_)


@kb.command(no_args_is_help=True)
@click.argument("question")
@click.option("--product", metavar="NAME", help="Only passages about this product, or about none.")
@click.option(
    "--section", "sections", multiple=True, type=click.Choice(SECTIONS), help="Only these; may be repeated."
)
@in_library
@click.option("--limit", type=click.IntRange(1, 100), default=6, show_default=True, help="Passages at most.")
@click.option(
    "--mode", type=click.Choice(["hybrid", "dense", "bm25"]), default="hybrid", show_default=True,
    help="By meaning (dense), by words (bm25), or both.",
)  # fmt: skip
@as_json
@store_options
def search(question: str, config: Path | None, **given: Any) -> None:  # noqa: ANN401
    """Find the passages that answer a question, each with its source."""
    from agent.cli.knowing import Query, print_found
    from agent.settings import Settings

    names = ("product", "sections", "libraries", "limit", "mode", "json_")
    query = Query(question=question, **{name: given.pop(name) for name in names})
    print_found(Settings.resolve(given, config=config), query)


@kb.command(no_args_is_help=True)
@click.argument("names", nargs=-1, metavar="NAME|FILE|FOLDER...")
@in_library
@as_json
@store_options
def remove(
    names: tuple[str, ...],
    libraries: tuple[Library, ...],
    json_: bool,
    config: Path | None,
    **explicit: Any,  # noqa: ANN401
) -> None:
    """Take documents away, by key, title, file or folder; the files themselves stay where they are.

    Product documents of your own are deleted, since the agent keeps a copy of them.
    """
    from agent.cli.knowing import remove_documents
    from agent.settings import Settings

    if not names and not libraries:
        raise click.UsageError("name what to remove, or a library")
    remove_documents(Settings.resolve(explicit, config=config), names, libraries, json_=json_)


@kb.command()
@as_json
@store_options
def stats(json_: bool, config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """Say how much is known, about what, and where it lies."""
    from agent.cli.knowing import print_stats
    from agent.settings import Settings

    print_stats(Settings.resolve(explicit, config=config), json_=json_)


@kb.command("import-mmad", no_args_is_help=True)
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@quietly
@store_options
def import_mmad(file: Path, json_: bool, quiet: bool, config: Path | None, **explicit: Any) -> None:  # noqa: ANN401
    """Import the MMAD benchmark's domain_knowledge.json.

    It names the defects of the benchmark's test images, so that what uses it is near-oracle: an inspection
    never consults it, and a search finds it only with --library mmad.
    """
    from agent.cli.knowing import import_benchmark
    from agent.settings import Settings

    import_benchmark(Settings.resolve(explicit, config=config), file, quiet=quiet, json_=json_)
