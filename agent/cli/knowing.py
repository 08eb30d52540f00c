"""What `agent kb` does and prints: tables for people, JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from agent.cli.json_output import print_json
from agent.cli.tables import Cell, print_table
from agent.errors import UsageError
from agent.knowledge import Desk
from agent.settings import Settings
from knowledge_base.schema import LIBRARIES, Library, Section
from knowledge_base.search import NEAR_ORACLE, Mode, Passage
from knowledge_base.sources import IndexReport, Progress
from tools.plain_text import plain

INDEXING = "indexing"


@dataclass(frozen=True)
class Query:
    """A search as the command line gives it."""

    question: str
    product: str | None
    sections: tuple[Section, ...]
    libraries: tuple[Library, ...]
    limit: int
    mode: Mode
    json_: bool


def add_files(
    settings: Settings, paths: Sequence[Path], product: str | None, *, quiet: bool, json_: bool
) -> None:
    """Add files and folders and say what came of each that cannot be read.

    Raises:
        UsageError: a path does not exist, or nothing could be read.
        KnowledgeError: the store or the embedding model cannot be used.
    """
    with Desk.open(settings) as desk, _watching("adding", quiet=quiet) as watch:
        addition = desk.add(paths, product, watch)
    report = addition.report
    for name, why in (*addition.refused, *((about.file, about.message) for about in addition.remarks)):
        click.echo(f"agent: warning: {plain(name)}: {plain(why)}", err=True)
    if json_:
        remarks = [asdict(about) for about in addition.remarks]
        told = {"product_documents": addition.documents, **_counts(report)}
        print_json({**told, "failed": addition.refused, "remarks": remarks})
    else:
        for id_ in addition.documents:
            click.echo(f"{id_}: product document taken over")
        if report != IndexReport() or not addition.documents:
            click.echo(_told(report))
    if addition.refused and not addition.documents and not (report.added + report.changed + report.unchanged):
        raise UsageError("nothing could be added; see the warnings above")


def rebuild_index(settings: Settings, *, quiet: bool, json_: bool) -> None:
    """Embed everything again.

    Raises:
        KnowledgeError: the store or the embedding model cannot be used.
    """
    with Desk.open(settings) as desk, _watching("embedding", quiet=quiet) as watch:
        passages = desk.rebuild(watch)
    if json_:
        print_json({"embedded": passages})
    else:
        click.echo(f"{passages:,} passages embedded again with {settings.embedding_model}")


def list_documents(
    settings: Settings, product: str | None, libraries: Sequence[Library], *, json_: bool
) -> None:
    """Print the documents.

    Raises:
        KnowledgeError: the store cannot be used.
    """
    with Desk.open(settings) as desk, _watching(INDEXING) as watch:
        documents = desk.documents(product, libraries, watch)
    if json_:
        print_json([asdict(document) for document in documents])
        return
    if not documents:
        click.echo("agent: no document; add some: agent kb add FILE", err=True)
        return
    print_table(
        ("key", "title", "product", "passages", "added"),
        [(d.key, d.title, d.product or "", d.passages, d.added[:10]) for d in documents],
    )


def print_found(settings: Settings, query: Query) -> None:
    """Print the passages that answer a question.

    Raises:
        KnowledgeError: the store or the embedding model cannot be used.
    """
    with Desk.open(settings) as desk, _watching(INDEXING) as watch:
        knowledge = desk.knowledge()
        if query.product is None:
            knowledge.index(watch)  # else the search does so, unseen, for one product
        found = knowledge.search(
            query.question,
            product=query.product,
            sections=query.sections or None,
            libraries=query.libraries or None,
            limit=query.limit,
            mode=query.mode,
        )
    if query.json_:
        print_json([passage.model_dump() for passage in found])
    elif not found:
        click.echo("agent: no passage answers this", err=True)
    else:
        click.echo("\n\n".join(map(_shown, found)))


def remove_documents(
    settings: Settings, names: Sequence[str], libraries: Sequence[Library], *, json_: bool
) -> None:
    """Take documents away.

    Raises:
        UsageError: a name that is not known, or a document that came with this package.
        KnowledgeError: the store cannot be used.
    """
    with Desk.open(settings) as desk, _watching(INDEXING) as watch:
        chosen = {document.key: document for name in names for document in desk.named(name, watch)}
        if libraries:
            chosen |= {document.key: document for document in desk.documents(None, libraries, watch)}
        count = desk.remove(list(chosen.values()))
    if json_:
        print_json({"removed": sorted(chosen)})
    else:
        click.echo(f"{count} document(s) removed")


def print_stats(settings: Settings, *, json_: bool) -> None:
    """Print how much is known, and about what.

    Raises:
        KnowledgeError: the store cannot be used.
    """
    with Desk.open(settings) as desk, _watching(INDEXING) as watch:
        documents, stats = desk.documents(watch=watch), desk.store.stats()
    counts: Counter[tuple[str, Library]] = Counter()
    for document in documents:
        counts[document.product or "", document.library] += document.passages
    products = sorted({product for product, _ in counts})
    held = [library for library in LIBRARIES if library in stats.libraries]
    if json_:
        by_product = {
            product: {library: counts[product, library] for library in held if counts[product, library]}
            for product in products
        }
        print_json({**asdict(stats), "where": stats_place(settings), "products": by_product})
        return
    click.echo(
        f"{stats.documents:,} documents, {stats.passages:,} passages, {stats.size_bytes / 1e6:.1f} MB "
        f"in {stats_place(settings)}\nembedded with {stats.model} ({stats.dimension} dimensions)\n"
    )
    rows: list[tuple[Cell, ...]] = [
        (product or "(no one product)", *(counts[product, library] for library in held))
        for product in products
    ]
    totals: tuple[Cell, ...] = ("all", *(stats.libraries[library][1] for library in held))
    print_table(("product", *(_heading(library) for library in held)), [*rows, totals])


def import_benchmark(settings: Settings, file: Path, *, quiet: bool, json_: bool) -> None:
    """Import MMAD's domain knowledge and print what was taken.

    Raises:
        KnowledgeError: it is not that file, or the store or the embedding model cannot be used.
    """
    with Desk.open(settings) as desk, _watching("importing", quiet=quiet) as watch:
        found, report = desk.import_mmad(file, watch)
    for skipped in found.skipped:
        click.echo(f"agent: warning: {plain(skipped)}", err=True)
    if json_:
        classes = [asdict(one) for one in found.classes]
        print_json({"classes": classes, "skipped": found.skipped, **_counts(report)})
        return
    print_table(("dataset", "class", "entries", "characters"), [astuple(one) for one in found.classes])
    click.echo(f"\n{len(found.classes)} classes. {_told(report)}")
    click.echo("These passages name the defects of the benchmark's test images: near-oracle.")


def stats_place(settings: Settings) -> str:
    """Where the index lies."""
    return settings.knowledge_url or str(settings.data_dir / "knowledge")


def _heading(library: Library) -> str:
    return f"{library} (near-oracle)" if library == NEAR_ORACLE else library


def _shown(passage: Passage) -> str:
    """A passage for people, wrapped as the terminal wraps."""
    marks = [passage.section, *([passage.kind] if passage.kind else [])]
    if passage.library == NEAR_ORACLE:
        marks.append("near-oracle")
    if passage.general:
        marks.append("of parts of any kind")
    head = f"{passage.score:.2f}  {plain(passage.id)}  ({', '.join(map(plain, marks))})"
    return f"{head}\n      {plain(passage.text)}\n      from {plain(passage.source)}"


def _told(report: IndexReport) -> str:
    parts = [
        f"{count} {what}"
        for count, what in (
            (report.added, "added"),
            (report.changed, "changed"),
            (report.removed, "removed"),
            (report.unchanged, "unchanged"),
            (len(report.failed), "failed"),
        )
        if count
    ]
    return f"Documents: {', '.join(parts) or 'none'}; {report.passages:,} passages written."


def _counts(report: IndexReport) -> dict[str, int]:
    return {name: value for name, value in asdict(report).items() if name != "failed"}


@contextmanager
def _watching(doing: str, *, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A line on stderr that says which document is read and how much was written; nothing in a pipe."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(doing, total=None)

        def watch(progress: Progress) -> None:
            counted = f"{progress.documents:,} documents, {progress.passages:,} passages"
            bar.update(task, description=f"{doing} {plain(progress.document, 60)}: {counted}")

        yield watch
