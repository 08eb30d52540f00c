"""Imports the domain knowledge of the MMAD benchmark (Jiang et al., ICLR 2025): dataset, class, entry, text.

The file is not part of this package (github.com/jam-cc/MMAD, `domain_knowledge.json`). Its entries carry the
names of the defects that the benchmark's test images show. Whoever looks them up by the class of an image is
told what to expect: such results are near-oracle, and are to be named so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from knowledge_base.errors import DocumentInvalid
from knowledge_base.ingest.characters import one_line, visible
from knowledge_base.ingest.opening import open_listed
from knowledge_base.schema import PassageText, Section
from knowledge_base.sources import Source

FILE = "domain_knowledge.json"
"""How MMAD calls the file."""

_VERSION = "1"  # of how entries become passages
_MOST_BYTES = 20_000_000  # the file has 0.15 MB
_MOST_CHARACTERS = 50_000  # of an entry; the longest has 3,127
_NAME = re.compile(r"\w[\w .+-]{0,59}")
_PART = re.compile(r"^(?=<[^<>\n]{1,80}>[ ]*$)", re.MULTILINE)  # "<Missing Component>" on a line of its own
_NORMAL = frozenset(("good", "normal"))


@dataclass(frozen=True)
class MmadClass:
    """What was taken of one class: how many entries, and how many characters in all."""

    dataset: str
    name: str
    entries: int
    characters: int


@dataclass(frozen=True)
class MmadImport:
    """What an MMAD file holds.

    Attributes:
        sources: a document per class, with key `mmad/<dataset>/<class>`; the class is the product.
        classes: what was taken, in the order of the file.
        skipped: what was not, and why.
    """

    sources: tuple[Source, ...]
    classes: tuple[MmadClass, ...]
    skipped: tuple[str, ...]


def import_mmad(path: Path) -> MmadImport:
    """Read MMAD's domain knowledge; odd entries are skipped and said.

    An entry "good" is of section `normal`, all others are of section `defect`. An entry that describes
    several defects, each under its "<Name>", becomes a passage for each; joined, the passages of a class are
    its text.

    Args:
        path: the file, or the folder that it lies in.

    Raises:
        DocumentInvalid: the file cannot be read, is not of MMAD's form, or nothing in it can be taken.
    """
    file = path / FILE if path.is_dir() else path
    content = _parse(file)
    sources, classes, skipped = list[Source](), list[MmadClass](), list[str]()
    for dataset, inner in content.items():
        for name, entries in _fields(inner, (dataset,), skipped):
            texts = {
                entry: visible(text)
                for entry, text in _fields(entries, (dataset, name), skipped)
                if _is_text(text, (dataset, name, entry), skipped)
            }
            if texts:
                sources.append(_source(file, dataset, name, texts))
                classes.append(MmadClass(dataset, name, len(texts), sum(map(len, texts.values()))))
    if not sources:
        first = f" ({skipped[0]})" if skipped else ""
        raise DocumentInvalid(
            f"{file.name}: holds no dataset -> class -> entry -> text{first}; use MMAD's {FILE}"
        )
    return MmadImport(tuple(sources), tuple(classes), tuple(skipped))


def _parse(file: Path) -> dict[str, Any]:
    try:
        with open_listed(file.resolve()) as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except DocumentInvalid as exc:
        raise DocumentInvalid(f"{file}: {exc}") from exc
    except (OSError, RuntimeError) as exc:
        raise DocumentInvalid(f"{file}: cannot be read ({exc}); check the path") from exc
    if len(raw) > _MOST_BYTES:
        raise DocumentInvalid(f"{file.name}: has over {_MOST_BYTES / 1e6:.0f} MB; use MMAD's {FILE}")
    try:
        content = json.loads(raw, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        reason = "nested too deeply" if isinstance(exc, RecursionError) else one_line(str(exc))[:120]
        raise DocumentInvalid(f"{file.name}: is no JSON ({reason}); use MMAD's {FILE}") from exc
    if not isinstance(content, dict):
        raise DocumentInvalid(f"{file.name}: holds no dataset -> class -> entry -> text; use MMAD's {FILE}")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice in one group")
    return found


def _fields(group: Any, place: tuple[str, ...], skipped: list[str]) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """The named members of a group, if its own name and theirs can be part of a passage's id."""
    if not _NAME.fullmatch(place[-1]):
        skipped.append(f"{_shown(place)}: its name is unusual")
    elif not isinstance(group, dict) or not group:
        skipped.append(f"{_shown(place)}: holds no entries")
    else:
        yield from group.items()


def _is_text(text: Any, place: tuple[str, ...], skipped: list[str]) -> bool:  # noqa: ANN401 - whatever JSON holds
    if not _NAME.fullmatch(place[-1]):
        reason = "its name is unusual"
    elif not isinstance(text, str):
        reason = "is no text"
    elif not visible(text):
        reason = "is empty"
    elif len(text) > _MOST_CHARACTERS:
        reason = f"is longer than {_MOST_CHARACTERS} characters"
    else:
        return True
    skipped.append(f"{_shown(place)}: {reason}")
    return False


def _shown(place: tuple[str, ...]) -> str:
    return " > ".join(one_line(name)[:60] or "(no name)" for name in place)


def _source(file: Path, dataset: str, name: str, texts: dict[str, str]) -> Source:
    identity = json.dumps([_VERSION, file.name, dataset, name, texts])
    return Source(
        key=f"mmad/{dataset}/{name}",
        library="mmad",
        title=f"{dataset} {name}",
        origin=str(file.resolve()),
        product=name,
        digest=hashlib.sha256(identity.encode()).hexdigest(),
        passages=partial(_passages, file.name, dataset, name, texts),
    )


def _passages(file: str, dataset: str, name: str, texts: dict[str, str]) -> Iterator[PassageText]:
    key = f"mmad/{dataset}/{name}"
    for entry, text in texts.items():
        section: Section = "normal" if entry.casefold() in _NORMAL else "defect"
        parts = [part.strip() for part in _PART.split(text) if part.strip()]
        for number, part in enumerate(parts, 1):
            yield PassageText(
                id=f"{key}/{entry}" if len(parts) == 1 else f"{key}/{entry}/{number}",
                document=key,
                library="mmad",
                product=name,
                section=section,
                defect=_defect(entry) if section == "defect" else None,
                source=f"{file}, {dataset} > {name} > {entry}",
                heading=f"{_words(name)}: {_words(entry)}",
                text=part,
            )


def _defect(entry: str) -> str:
    """The entry's name as ids of defects are written."""
    return "-".join(_words(entry).lower().split())


def _words(name: str) -> str:
    return " ".join(name.replace("_", " ").split())
