"""PDF, page by page. Headings come from the bookmarks, or where there are none, from the size of the type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Block, Heading, Note, Paragraph
from knowledge_base.ingest.characters import one_line
from knowledge_base.ingest.limits import Limits

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_KEPT_PAGES = 20  # whose objects, pictures among them, are kept in memory
_MOST_BOOKMARKS = 20_000
_HEADING_WORDS = 12
_LARGER = ((1.7, 1), (1.35, 2), (1.15, 3))  # type this much larger than most is a heading of this level
_SHORT = 0.7  # of the page's longest line: a shorter line ends a paragraph
_HYPHENATED = re.compile(r"[a-z]{2}-$")
_CONTINUED = re.compile(r"[a-z]{2}")
_ITEM = re.compile(r"([•‣◦▪●–—*-]|\d{1,2}[.)]|[a-z]\))\s")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float


def blocks(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    """Headings and paragraphs with their pages; a page that cannot be read is noted and left out.

    Raises:
        DocumentInvalid: it is no PDF, encrypted, without any text, or beyond the limits.
    """
    if b"%PDF-" not in file.read(1024):
        raise DocumentInvalid("is no PDF; save it in the format that its name says")
    file.seek(0)
    reader, count = _opened(file)
    if count > limits.pages:
        raise DocumentInvalid(f"has {count} pages, and {limits.pages} are read at most; split it")
    yield from _pages(reader, count)


def _opened(file: BinaryIO) -> tuple[PdfReader, int]:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError

    try:
        reader = PdfReader(file)
        if reader.is_encrypted:
            reader.decrypt("")  # where only printing or copying is locked
        return reader, len(reader.pages)
    except MemoryError:
        raise
    except (DependencyError, FileNotDecryptedError) as exc:
        raise DocumentInvalid("is encrypted; save it without a password") from exc
    except Exception as exc:  # whatever a damaged file makes pypdf stumble over
        reason = one_line(str(exc))[:100] or type(exc).__name__
        raise DocumentInvalid(f"is damaged ({reason}); save or print it anew") from exc


def _pages(reader: PdfReader, count: int) -> Iterator[Block]:
    bookmarks = _bookmarks(reader)
    sizes: Counter[float] = Counter()
    empty, broken = 0, list[int]()
    for number in range(1, count + 1):
        try:
            lines = _lines(reader.pages[number - 1])
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - pypdf raises whatever a damaged page makes it stumble over
            broken.append(number)
            continue
        finally:
            if number % _KEPT_PAGES == 0:
                reader.resolved_objects.clear()  # pypdf would keep all of the file
        empty += not lines
        for line in lines:
            sizes[line.size] += len(line.text)
        if bookmarks:
            yield from _by_bookmarks(lines, bookmarks.get(number, ()), number)
        else:
            yield from _by_size(lines, max(sizes, key=lambda size: sizes[size], default=0.0), number)
    if empty + len(broken) == count:
        raise DocumentInvalid(
            "holds no text that can be read (a scan?); run text recognition (OCR) on it first"
        )
    if broken:
        shown = ", ".join(map(str, broken[:5])) + (" and more" if len(broken) > 5 else "")
        yield Note(f"{len(broken)} of {count} pages are damaged and were left out: {shown}")
    if empty:
        yield Note(f"{empty} of {count} pages hold no text (pictures, or empty)")


def _lines(page: PageObject) -> list[_Line]:
    """The lines of a page, each with the size of most of its type in points."""
    parts: list[tuple[str, float]] = []

    def take(text: str, cm: Sequence[float], tm: Sequence[float], _font: Any, size: float) -> None:  # noqa: ANN401
        scale = abs((cm[0] * cm[3] - cm[1] * cm[2]) * (tm[0] * tm[3] - tm[1] * tm[2])) ** 0.5
        parts.append((text, round(abs(size) * scale, 1)))

    page.extract_text(visitor_text=take)
    lines: list[_Line] = []
    said, sizes = "", Counter[float]()
    for text, size in [*parts, ("\n", 0.0)]:
        first, *more = text.split("\n")
        for place, part in enumerate([first, *more]):
            if place:
                if clean := one_line(said):
                    lines.append(_Line(clean, max(sizes, key=lambda s: sizes[s])))
                said, sizes = "", Counter()
            said += part
            if part.strip():
                sizes[size] += len(part)
    return lines


def _bookmarks(reader: PdfReader) -> dict[int, list[tuple[int, str]]]:
    """Level and title of each bookmark, by page."""
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        waiting: list[tuple[int, Any]] = [(0, reader.outline)]
        for _ in range(_MOST_BOOKMARKS):
            if not waiting:
                break
            level, entry = waiting.pop()
            if isinstance(entry, list):
                waiting.extend((level + 1, inner) for inner in reversed(entry))
            elif (
                (page := reader.get_destination_page_number(entry)) is not None and page >= 0 and entry.title
            ):
                found.setdefault(page + 1, []).append((level, one_line(str(entry.title))))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as for pages; the size of the type tells headings, too
        return {}
    return found


def _by_bookmarks(lines: list[_Line], marks: Sequence[tuple[int, str]], page: int) -> Iterator[Block]:
    """Headings stand where a line says what a bookmark does, or at the top of the page."""
    from knowledge_base.schema import name_key  # with pydantic, which takes as long to load as all else here

    keys = [name_key(line.text) for line in lines]
    placed: dict[int, list[Heading]] = {}
    unread = set[int]()
    start = 0
    for level, title in marks:
        at = next((place for place in range(start, len(keys)) if keys[place] == name_key(title)), None)
        if at is not None:
            unread.add(at)
        start = start if at is None else at
        placed.setdefault(start, []).append(Heading(title, level, page))
    begin = 0
    for place, headings in sorted(placed.items()):
        yield from _paragraphs(
            [line for at, line in enumerate(lines[begin:place], begin) if at not in unread], page
        )
        yield from headings
        begin = place
    yield from _paragraphs([line for at, line in enumerate(lines[begin:], begin) if at not in unread], page)


def _by_size(lines: list[_Line], body: float, page: int) -> Iterator[Block]:
    """Headings are short lines of larger type; those that follow one another in one size are one heading."""
    for level, group in groupby(lines, key=lambda line: _level(line, body)):
        if level:
            yield Heading(_joined(list(group)), level, page)
        else:
            yield from _paragraphs(list(group), page)


def _level(line: _Line, body: float) -> int:
    if len(line.text.split()) > _HEADING_WORDS or sum(map(str.isalpha, line.text)) < 2:
        return 0
    return next((level for ratio, level in _LARGER if body and line.size >= ratio * body), 0)


def _paragraphs(lines: Sequence[_Line], page: int) -> Iterator[Block]:
    longest = max((len(line.text) for line in lines), default=0)
    said: list[_Line] = []
    for line, following in pairwise([*lines, _Line("", 0.0)]):
        said.append(line)
        if len(line.text) < _SHORT * longest or not following.text or _ITEM.match(following.text):
            yield Paragraph(_joined(said), page)
            said = []


def _joined(lines: Sequence[_Line]) -> str:
    """Lines as one; a word that was hyphenated at the end of a line is put together."""
    text = ""
    for line in lines:
        if _HYPHENATED.search(text) and _CONTINUED.match(line.text):
            text = text[:-1] + line.text
        else:
            text = f"{text} {line.text}" if text else line.text
    return text
