"""DOCX: the text of Word's main document, read straight from the archive, one paragraph at a time.

Nothing is unpacked to disk, no picture is loaded, and no reference is followed. Deleted and hidden text,
field codes, headers and footers are left out.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree import ElementTree as ET

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.blocks import Block, Heading, Paragraph, Row
from knowledge_base.ingest.characters import one_line
from knowledge_base.ingest.limits import Limits
from knowledge_base.ingest.table import are_names, named

_CHUNK = 1 << 16
_DEEPEST = 20  # styles that a style inherits from
_UNREAD = frozenset(("del", "moveFrom", "instrText", "delText", "Fallback", "pPr", "rPr", "sectPr", "rt"))
_SPACES = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def blocks(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    """Headings, paragraphs and the rows of tables, then the notes.

    Raises:
        DocumentInvalid: it is damaged, encrypted, no Word document, or beyond the limits.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > limits.members:
                raise DocumentInvalid(f"has more than {limits.members} parts; it is no ordinary document")
            main = _main_part(archive, limits)
            folder = main.rpartition("/")[0]
            levels = _heading_levels(archive, f"{folder}/styles.xml", limits)
            notes = (f"{folder}/{name}.xml" for name in ("footnotes", "endnotes"))
            for part in (main, *(note for note in notes if note in archive.NameToInfo)):
                yield from _part(archive, part, levels, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as exc:
        raise DocumentInvalid(
            "is no readable DOCX archive (damaged, encrypted, or an old .doc); save it anew as .docx"
        ) from exc
    except ET.ParseError as exc:
        raise DocumentInvalid(f"has damaged XML ({exc}); save it anew as .docx") from exc


def _part(archive: zipfile.ZipFile, part: str, levels: dict[str, int], limits: Limits) -> Iterator[Block]:
    table = _Table()
    for element in _elements(archive, part, {"p", "tr"}, limits):
        if _name(element) == "p":
            table = _Table()
            yield from _paragraph(element, levels)
        else:
            yield from table.row(element, limits)


def _paragraph(element: ET.Element, levels: dict[str, int]) -> Iterator[Block]:
    text, boxes = _text(element)
    if level := _level(element, levels):
        yield Heading(text, level)
    else:
        numbered = _child(element, "pPr", "numPr") is not None
        yield Paragraph(f"- {text}" if numbered and text.strip() else text)
    for box in boxes:
        yield Paragraph(box)


class _Table:
    """Rows of one table, named by its first row where that is a header; cells merged downwards count anew."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] | None = None
        self._above: list[str] = []

    def row(self, element: ET.Element, limits: Limits) -> Iterator[Block]:
        values: list[str] = []
        for cell in _cells(element):
            text, boxes = _text(cell)
            value = one_line(" ".join((text, *boxes)))
            merge = _child(cell, "tcPr", "vMerge")
            if merge is not None and _value(merge) != "restart" and len(values) < len(self._above):
                value = self._above[len(values)]
            span = _value(_child(cell, "tcPr", "gridSpan")) or "1"
            across = int(span) if span.isdecimal() and len(span) < 4 else 1
            values += [value, *[""] * (across - 1)]
            if len(values) > limits.columns:
                raise DocumentInvalid(f"has a table of more than {limits.columns} columns; split the table")
        self._above = values
        if self._names is None:
            self._names = tuple(values) if _is_header(element, values) else ()
            if self._names:
                return
        yield Row(tuple(named(self._names, values)))


def _is_header(element: ET.Element, values: list[str]) -> bool:
    """Whether a first row says so, or looks so in a table of three columns or more."""
    if _child(element, "trPr", "tblHeader") is not None:
        return True
    return len(values) > 2 and are_names(values) and all(len(value.split()) <= 4 for value in values)


def _text(element: ET.Element) -> tuple[str, list[str]]:
    """The visible text below an element, and that of each text box in it."""
    texts = list[str]()
    roots = [element]
    for root in roots:  # grows while text boxes are found
        said = list[str]()
        waiting: list[ET.Element | str] = [*reversed(root)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, str):
                said.append(node)
            elif (name := _name(node)) == "t":
                said.append(node.text or "")
            elif name in _SPACES:
                said.append(_SPACES[name])
            elif name == "txbxContent":
                roots.append(node)
            elif name not in _UNREAD and not (name == "r" and _is_on(_child(node, "rPr", "vanish"))):
                waiting += ["\n"] if name == "p" else []
                waiting.extend(reversed(node))
        texts.append("".join(said))
    return texts[0], texts[1:]


def _cells(row: ET.Element) -> Iterator[ET.Element]:
    """The cells of a row, without those of tables inside them."""
    waiting = [*reversed(row)]
    while waiting:
        node = waiting.pop()
        if _name(node) == "tc":
            yield node
        elif _name(node) not in _UNREAD:
            waiting.extend(reversed(node))


def _level(paragraph: ET.Element, levels: dict[str, int]) -> int | None:
    own = _value(_child(paragraph, "pPr", "outlineLvl"))
    return _outline_level(own) or levels.get(_value(_child(paragraph, "pPr", "pStyle")))


def _outline_level(value: str) -> int | None:
    return int(value) + 2 if value in set("012345678") else None  # 9 is body text; 1 is left to the title


def _heading_levels(archive: zipfile.ZipFile, part: str, limits: Limits) -> dict[str, int]:
    """Levels of the styles that are headings, by the id of the style; a style inherits from another."""
    if part not in archive.NameToInfo:
        return {}
    own, based = dict[str, int](), dict[str, str]()
    for style in _elements(archive, part, {"style"}, limits):
        id_ = _attribute(style, "styleId")
        name = _value(_child(style, "name")).lower()
        based[id_] = _value(_child(style, "basedOn"))
        level = _outline_level(_value(_child(style, "pPr", "outlineLvl")))
        if name.startswith("heading ") and name[8:] in set("123456789"):
            level = int(name[8:]) + 1
        if level or name == "title":
            own[id_] = level or 1
    levels = dict[str, int]()
    for id_ in based:
        ancestor, steps = id_, 0
        while ancestor in based and ancestor not in own and steps < _DEEPEST:
            ancestor, steps = based[ancestor], steps + 1
        if ancestor in own:
            levels[id_] = own[ancestor]
    return levels


def _main_part(archive: zipfile.ZipFile, limits: Limits) -> str:
    """The name of the part that holds the document's text."""
    if "_rels/.rels" in archive.NameToInfo:
        for relation in _elements(archive, "_rels/.rels", {"Relationship"}, limits):
            if relation.get("Type", "").endswith("/officeDocument"):
                return relation.get("Target", "").lstrip("/")
    return "word/document.xml"


def _elements(archive: zipfile.ZipFile, part: str, names: set[str], limits: Limits) -> Iterator[ET.Element]:
    """Each outermost element of one of these names, when it is complete; then it is forgotten."""
    try:
        member = archive.getinfo(part)
    except KeyError:
        raise DocumentInvalid(f"is no Word document (without {part}); save it as .docx") from None
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DocumentInvalid("is encrypted or packed in an unusual way; save it anew as .docx")
    if member.file_size > limits.member_bytes:  # zipfile never gives more than this of it
        raise DocumentInvalid(
            f"unpacks to {member.file_size / 1e6:.0f} MB, and {limits.member_bytes / 1e6:.0f} MB are read at "
            "most; split the document"
        )
    found = _Found(names)
    parser = ET.XMLParser(target=found)  # noqa: S314 - document types, and so entities, are refused
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            parser.feed(chunk)
            yield from found.ready
            found.ready.clear()
    parser.close()
    yield from found.ready


class _Found(ET.TreeBuilder):
    """Keeps elements of the wanted names in `ready`, and nothing else."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.ready: list[ET.Element] = []
        self._names = names
        self._open: list[ET.Element] = []
        self._outermost: ET.Element | None = None

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        element = super().start(tag, attrs)
        self._open.append(element)
        if self._outermost is None and _name(element) in self._names:
            self._outermost = element
        return element

    def end(self, tag: str, /) -> ET.Element:
        element = super().end(tag)
        self._open.pop()
        if self._outermost is None or self._outermost is element:
            if self._outermost is element:
                self.ready.append(element)
                self._outermost = None
            if self._open:
                self._open[-1].remove(element)
        return element

    def doctype(self, *_: str | None) -> None:
        raise DocumentInvalid("declares a document type, as no Word document does; save it anew as .docx")


def _name(element: ET.Element) -> str:
    """Tag without its namespace: Word's two, and that of a part of the package, use the same names."""
    return element.tag.rpartition("}")[2]


def _child(element: ET.Element, *path: str) -> ET.Element | None:
    found: ET.Element | None = element
    for name in path:
        found = next((child for child in found if _name(child) == name), None) if found is not None else None
    return found


def _attribute(element: ET.Element | None, name: str) -> str:
    """The attribute of this name in any namespace; empty if there is none."""
    if element is None:
        return ""
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def _value(element: ET.Element | None) -> str:
    return _attribute(element, "val")


def _is_on(switch: ET.Element | None) -> bool:
    return switch is not None and _value(switch) not in {"0", "false", "off"}
