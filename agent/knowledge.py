"""What the agent knows, from outside an inspection: files added, listed, searched and taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import UsageError
from agent.settings import Settings
from agent.wiring import make_writable, open_embeddings, open_knowledge, open_store, own_documents
from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.folder import Remark, files_of, shown_name
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.product_document import is_product_document
from knowledge_base.ingest.read import read_sources
from knowledge_base.load import load_document
from knowledge_base.mmad import MmadImport, import_mmad
from knowledge_base.schema import Library
from knowledge_base.search import KnowledgeBase
from knowledge_base.sources import IndexReport, Progress, Source
from knowledge_base.store import IndexedDocument, KnowledgeStore
from tools.atomic import write_atomically

Watch = Callable[[Progress], None]


@dataclass(frozen=True)
class Addition:
    """What came of adding files.

    Attributes:
        documents: ids of the product documents that were taken over.
        report: what became of all other files.
        refused: what cannot be read, and why.
        remarks: what was left out, or read only in part.
    """

    documents: tuple[str, ...]
    report: IndexReport
    refused: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...]


@dataclass
class Desk:
    """Changes and shows what the agent knows. Use it as `with Desk.open(settings) as desk`."""

    settings: Settings
    store: KnowledgeStore
    _opened: KnowledgeBase | None = None

    @classmethod
    @contextmanager
    def open(cls, settings: Settings) -> Iterator[Desk]:
        """Open the store of the settings.

        Raises:
            UsageError: the data folder cannot be written.
            KnowledgeError: the store cannot be used.
        """
        make_writable(settings.data_dir)
        store = open_store(settings)
        try:
            yield cls(settings, store)
        finally:
            store.close()

    def knowledge(self) -> KnowledgeBase:
        """The knowledge base over the store, its documents indexed.

        Raises:
            KnowledgeError: a document, the store or the embedding model cannot be used.
        """
        if self._opened is None:
            self._opened = open_knowledge(self.settings, self.store)
        return self._opened

    def add(self, paths: Sequence[Path], product: str | None, watch: Watch | None = None) -> Addition:
        """Add files and folders; product documents are kept as the user's own, all else is indexed as text.

        Args:
            paths: files, and folders with all that lies in them.
            product: what they are about; None if that is several products, or none.
            watch: called before each file that must be read.

        Raises:
            UsageError: a path does not exist.
            KnowledgeError: the store or the embedding model cannot be used.
        """
        for path in paths:
            if not path.exists():
                raise UsageError(f"{path} does not exist; name a file or a folder to add")
        reading = _Reading(own_documents(self.settings), self._product(product))
        report = self.store.add(reading.sources(paths), open_embeddings(self.settings), progress=watch)
        if reading.kept:
            self._opened = None  # what was opened does not know them
            self.knowledge().index(watch)
        return Addition(
            tuple(reading.kept), report, (*reading.refused, *report.failed), tuple(reading.remarks)
        )

    def import_mmad(self, file: Path, watch: Watch | None = None) -> tuple[MmadImport, IndexReport]:
        """Take over the domain knowledge of the MMAD benchmark.

        Raises:
            DocumentInvalid: it is not that file.
            KnowledgeError: the store or the embedding model cannot be used.
        """
        found = import_mmad(file)
        embeddings, replaced = open_embeddings(self.settings), frozenset[Library](("mmad",))
        report = self.store.add(found.sources, embeddings, progress=watch, replace_libraries=replaced)
        return found, report

    def rebuild(self, watch: Watch | None = None) -> int:
        """Embed every passage again, with the embedding model of the settings; returns how many there are.

        Raises:
            KnowledgeError: the store or the embedding model cannot be used.
        """
        return self.store.rebuild(open_embeddings(self.settings), progress=watch)

    def documents(
        self, product: str | None = None, libraries: Sequence[Library] = (), watch: Watch | None = None
    ) -> list[IndexedDocument]:
        """The documents, by key; those of one product, or of some libraries, if asked for.

        Product documents that were not indexed yet are, and `watch` is called before each.
        """
        self.knowledge().index(watch)
        wanted = self._product(product)
        return [
            document
            for document in self.store.documents()
            if (wanted is None or document.product == wanted)
            and (not libraries or document.library in libraries)
        ]

    def remove(self, documents: Sequence[IndexedDocument]) -> int:
        """Take documents away; returns how many there were.

        Raises:
            UsageError: one of them came with this package.
        """
        for document in documents:
            if document.library == "shipped":
                raise UsageError(
                    f"{document.key} comes with this package and cannot be removed; "
                    "a document of your own with the same id takes its place: agent kb add FILE"
                )
        for document in documents:
            if document.library == "own":
                Path(document.origin).unlink(missing_ok=True)  # first: the index follows the files
        return self.store.remove(document.key for document in documents)

    def _product(self, name: str | None) -> str | None:
        """Id of a product, or the name itself where no document knows it."""
        return self.knowledge().product_named(name) or name if name else None

    def named(self, name: str, watch: Watch | None = None) -> list[IndexedDocument]:
        """The documents that a user may mean: by key, title, file name or path of a file or folder.

        Raises:
            UsageError: there is none.
        """
        path = str(Path(name).expanduser().resolve())
        found = [
            document
            for document in self.documents(watch=watch)
            if name in {document.key, document.title, Path(document.origin).name}
            or document.origin == path
            or document.origin.startswith(f"{path}/")
        ]
        if not found:
            raise UsageError(f"no document named {name!r} was added; see: agent kb list")
        return found


@dataclass
class _Reading:
    """One pass over what is added: product documents are kept on the way, all else becomes sources."""

    own: Path
    product: str | None
    kept: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def sources(self, paths: Sequence[Path]) -> Iterator[Source]:
        for path in paths:
            try:
                yield from self._of(path)
            except DocumentInvalid as error:  # of this path alone; the others are read
                self.refused.append((str(path), str(error)))

    def _of(self, path: Path) -> Iterator[Source]:
        root = path.resolve()
        if root.is_file():
            if is_product_document(root):
                self._keep(root)
            else:
                yield from read_sources(root, product=self.product, remark=self.remarks.append)
            return
        documents = {
            shown_name(file, root): file
            for file in files_of(root, Limits(), lambda _: None)
            if is_product_document(file)
        }
        for file in documents.values():
            self._keep(file)

        def remark(about: Remark) -> None:
            if about.file not in documents:
                self.remarks.append(about)

        try:
            yield from read_sources(root, product=self.product, remark=remark)
        except DocumentInvalid:
            if not documents:
                raise

    def _keep(self, file: Path) -> None:
        """Copy a product document to the user's own, under the name of its id."""
        try:
            document = load_document(file)
        except DocumentInvalid as error:
            self.refused.append((file.name, str(error)))
            return
        self.own.mkdir(parents=True, exist_ok=True)
        write_atomically(self.own / f"{document.id}.yaml", file.read_bytes())
        self.kept.append(document.id)
