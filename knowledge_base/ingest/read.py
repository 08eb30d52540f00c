"""Files and folders as sources that the store is brought in step with."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Heading, Note, Paragraph, Row
from knowledge_base.ingest.cutting import CUTTER, Piece, cut
from knowledge_base.ingest.folder import Remark, files_of, shown_name, why_unread
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.opening import open_listed
from knowledge_base.ingest.parsing import Parser
from knowledge_base.ingest.product_document import is_product_document
from knowledge_base.schema import Library, PassageText
from knowledge_base.sources import Source

_TRAIL_CHARACTERS = 300  # of headings in a citation; the innermost say most


def _unheard(_: Remark) -> None:
    """For callers who do not want to hear remarks."""


def read_sources(
    path: Path,
    *,
    product: str | None = None,
    library: Library = "files",
    limits: Limits | None = None,
    remark: Callable[[Remark], None] = _unheard,
) -> Iterator[Source]:
    """A file, or all readable files of a folder, as sources; one at a time, and none is kept in memory.

    Files are parsed in a process of their own while a source's passages are read.

    Args:
        path: a file or a folder. Links in the folder are not followed; hidden files are left out.
        product: what all of it is about; None for several products or none.
        library: the library that the passages belong to.
        limits: on files and folders.
        remark: is told what is left out or was only read in part: of files that are skipped while sources are
            asked for, of parts of a file while its passages are read.

    Raises:
        DocumentInvalid: the file cannot be read or is a product document; or nothing in the folder can be
            read (raised once the folder was walked through). A file of a folder that cannot be parsed raises
            when its passages are read.
    """
    limits = limits or Limits()
    try:
        root = path.resolve(strict=True)
        size = root.stat().st_size
    except (OSError, RuntimeError) as exc:  # a loop of links is a RuntimeError up to Python 3.12
        reason = getattr(exc, "strerror", None) or "a loop of links"
        raise DocumentInvalid(f"{path}: cannot be read ({reason}); name a file or a folder") from exc
    reading = _Reading(root, product, library, limits, Parser(limits), remark)
    if root.is_dir():
        return reading.sources()
    reading.root = root.parent
    if is_product_document(root):
        raise DocumentInvalid(f"{root.name}: {_PRODUCT_DOCUMENT}")
    if why := why_unread(root, size, limits):
        raise DocumentInvalid(f"{root.name}: {why}")
    return iter([reading.source(root)])


_PRODUCT_DOCUMENT = "is a product document (it has schema_version); add it by itself with `agent kb add`"


@dataclass
class _Reading:
    root: Path
    product: str | None
    library: Library
    limits: Limits
    parser: Parser
    remark: Callable[[Remark], None]

    def sources(self) -> Iterator[Source]:
        found = skipped = 0

        def remark(about: Remark) -> None:
            nonlocal skipped
            skipped += 1
            self.remark(about)

        for path in files_of(self.root, self.limits, remark):
            shown = shown_name(path, self.root)
            if is_product_document(path):
                remark(Remark(shown, _PRODUCT_DOCUMENT, skipped=True))
                continue
            try:
                source = self.source(path)
            except DocumentInvalid as exc:
                remark(Remark(shown, str(exc).removeprefix(f"{shown}: "), skipped=True))
                continue
            found += 1
            yield source
        if not found:
            raise DocumentInvalid(
                f"{self.root}: holds no file that can be read ({skipped} were skipped); name another folder"
            )

    def source(self, path: Path) -> Source:
        shown = shown_name(path, self.root)
        key = f"{self.library}/{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"
        identity = "\n".join((CUTTER, self.library, self.product or "", shown, _digest(path, shown)))
        return Source(
            key=key,
            library=self.library,
            title=shown,
            origin=str(path),
            product=self.product,
            digest=hashlib.sha256(identity.encode()).hexdigest(),
            passages=lambda: self.passages(path, key, shown),
        )

    def passages(self, path: Path, key: str, shown: str) -> Iterator[PassageText]:
        copies = dict[str, int]()
        count = 0
        subject = " ".join(Path(shown).stem.replace("_", " ").replace("-", " ").split())
        if self.product:
            subject = f"{self.product}, {subject}"
        try:
            for piece in cut(self._said(path, shown)):
                count += 1
                if count > self.limits.passages:
                    raise DocumentInvalid(f"falls into more than {self.limits.passages} passages; split it")
                yield self._passage(piece, key, shown, subject, copies)
        except DocumentInvalid as exc:
            raise DocumentInvalid(f"{shown}: {exc}") from exc
        if not count:
            raise DocumentInvalid(f"{shown}: holds no text; check that it is the right file")

    def _said(self, path: Path, shown: str) -> Iterator[Heading | Paragraph | Row]:
        for block in self.parser.blocks(path, path.suffix):
            if isinstance(block, Note):
                self.remark(Remark(shown, block.message, skipped=False))
            else:
                yield block

    def _passage(
        self, piece: Piece, key: str, shown: str, subject: str, copies: dict[str, int]
    ) -> PassageText:
        """The piece with an id that it keeps while the file changes elsewhere."""
        content = hashlib.sha256("\n".join((*piece.headings, "", piece.text)).encode()).hexdigest()[:16]
        copies[content] = copy = copies.get(content, 0) + 1
        trail = _trail(piece.headings)
        page = f"page {piece.page}" if piece.page else ""
        return PassageText(
            id=f"{key}/{content}" if copy == 1 else f"{key}/{content}-{copy}",
            document=key,
            library=self.library,
            product=self.product,
            section=piece.section,
            page=piece.page,
            source=", ".join(part for part in (shown, page, trail) if part),
            heading=f"{subject}: {trail}" if trail else subject,
            text=piece.text,
        )


def _trail(headings: tuple[str, ...]) -> str:
    trail = " > ".join(headings)
    return trail if len(trail) <= _TRAIL_CHARACTERS else f"… {trail[-_TRAIL_CHARACTERS:]}"


def _digest(path: Path, shown: str) -> str:
    try:
        with open_listed(path) as file:
            digest = hashlib.sha256()
            while chunk := file.read(1 << 20):
                digest.update(chunk)
            return digest.hexdigest()
    except DocumentInvalid as exc:
        raise DocumentInvalid(f"{shown}: {exc}") from exc
    except OSError as exc:
        raise DocumentInvalid(f"{shown}: cannot be read ({exc.strerror}); check the disk") from exc
