"""Reads folders of product documents, and says which file and field is wrong when one is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from knowledge_base.errors import DocumentInvalid
from knowledge_base.schema import Library, PassageText, ProductDocument, name_key

SHIPPED_DOCUMENTS = Path(__file__).parent / "documents"
"""The documents that come with this package."""

_MOST_BYTES = 2_000_000  # a document that an engineer edits by hand is far smaller
_DEEPEST = 20  # levels of nesting; the schema needs five

if TYPE_CHECKING:
    from yaml import SafeLoader as _Loader
else:
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads ten times as fast


@dataclass(frozen=True)
class DocumentFile:
    """A validated document and the file that it was read from.

    Attributes:
        document: what it says.
        path: the file.
        library: whether it came with this package or is the user's own.
        digest: SHA-256 of the file's bytes, in hexadecimal.
    """

    document: ProductDocument
    path: Path
    library: Library
    digest: str

    @property
    def shown(self) -> str:
        """How citations name the file."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def key(self) -> str:
        """Names the document in an index; the same as `PassageText.document` of its passages."""
        return f"{self.library}/{self.document.id}"

    def passages(self) -> Iterator[PassageText]:
        """Every fact as a passage, in the order of the document."""
        return self.document.passages(self.shown, self.library)


class Documents:
    """Validated documents, and the passages they consist of.

    Raises:
        DocumentInvalid: two of them answer to the same name.
    """

    def __init__(self, files: Iterable[DocumentFile]) -> None:
        self.files = tuple(sorted(files, key=lambda file: file.document.id))
        _refuse_shared_names(self.files)
        self._by_id = {file.document.id: file for file in self.files}

    @property
    def products(self) -> tuple[ProductDocument, ...]:
        """Documents about one product each, by id."""
        return tuple(file.document for file in self.files if not file.document.general)

    @property
    def general(self) -> tuple[ProductDocument, ...]:
        """Documents about parts of any kind."""
        return tuple(file.document for file in self.files if file.document.general)

    @cached_property
    def passages(self) -> tuple[PassageText, ...]:
        """Every fact of every document."""
        return tuple(passage for file in self.files for passage in file.passages())

    def get(self, product: str) -> ProductDocument | None:
        """The document with this id."""
        file = self._by_id.get(product)
        return file.document if file else None

    def file_of(self, product: str) -> DocumentFile | None:
        """The file of the document with this id."""
        return self._by_id.get(product)


def load_documents(folder: Path = SHIPPED_DOCUMENTS, own: Path | None = None) -> Documents:
    """Read every `*.yaml` of a folder, and those of the user's own, which come before ours of the same id.

    Args:
        folder: the documents of this package.
        own: the user's; need not exist.

    Raises:
        DocumentInvalid: a file cannot be read or breaks the schema, or two documents contradict each other.
    """
    shipped = {file.document.id: file for file in _read_folder(folder, "shipped")}
    if not shipped:
        raise DocumentInvalid(f"no product documents (*.yaml) in {folder}; name a folder that holds some")
    by_id = dict[str, DocumentFile]()
    for file in _read_folder(own, "own") if own is not None else ():
        if (other := by_id.setdefault(file.document.id, file)) is not file:
            raise DocumentInvalid(
                f"{file.shown}: {file.document.id!r} is the id of {other.shown}, too; change one of them"
            )
    return Documents((shipped | by_id).values())


def _read_folder(folder: Path, library: Library) -> Iterator[DocumentFile]:
    for path in sorted(folder.glob("*.yaml")):
        content = _read(path)
        digest = hashlib.sha256(content).hexdigest()
        yield DocumentFile(_parse(path.name, content), path, library, digest)


def load_document(path: Path) -> ProductDocument:
    """Read one document.

    Raises:
        DocumentInvalid: the file cannot be read or breaks the schema; the message names file and field.
    """
    return _parse(path.name, _read(path))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DocumentInvalid(f"{path.name}: too large; split the document")
        return path.read_bytes()
    except OSError as exc:
        raise DocumentInvalid(
            f"{path.name}: cannot be read ({exc.strerror}); check path and permissions"
        ) from exc


def _parse(name: str, raw: bytes) -> ProductDocument:
    try:
        text = raw.decode("utf-8")
        _refuse_nesting(text)
        content = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as exc:
        raise DocumentInvalid(f"{name}: is not UTF-8 text; save it as UTF-8") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        reason = getattr(exc, "problem", None) or "not YAML"
        raise DocumentInvalid(f"{name}:{line} {reason}; correct the YAML there") from exc
    if not isinstance(content, dict):
        raise DocumentInvalid(f"{name}: holds no fields; start with schema_version, id and name")
    try:
        return ProductDocument.model_validate(content)
    except ValidationError as exc:
        raise DocumentInvalid(f"{name}: {_first_problem(exc, content)}") from exc


def _refuse_nesting(text: str) -> None:
    """Stop what no document needs and what harms the loader: libyaml recurses, and aliases multiply."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        mark: Any = event.start_mark  # the stubs tell the marks of libyaml and of Python apart
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not allowed", mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.MarkedYAMLError(None, None, "is nested too deeply", mark)


class _UniqueKeys(_Loader):
    """A safe loader that refuses a key given twice: the second would silently replace the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401 - yaml's node
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key_node.value!r} is given twice", key_node.start_mark
                )
            seen.add(key_node.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return found


def _first_problem(exc: ValidationError, content: dict[str, Any]) -> str:
    """Field and reason of the first problem, with defects named by their id rather than by position."""
    problems = exc.errors(include_url=False, include_input=False)
    first = problems[0]
    field = _field_name(first["loc"], content)
    reason = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return (
        f"{field}: {reason}{more}; correct this field" if field else f"{reason}{more}; correct the document"
    )


def _field_name(loc: tuple[int | str, ...], content: dict[str, Any]) -> str:
    parts: list[str] = []
    value: Any = content
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
        if isinstance(step, int):
            named = value.get("id") if isinstance(value, dict) else None
            parts.append(str(named) if named else str(step + 1))
        else:
            parts.append(step)
    return " > ".join(parts)


def _refuse_shared_names(files: Iterable[DocumentFile]) -> None:
    """Two products must not answer to the same name."""
    owners: dict[str, DocumentFile] = {}
    for file in files:
        document = file.document
        keys = {name_key(name) for name in (document.id, document.name, *document.synonyms)}
        for key in sorted(keys):
            if (other := owners.setdefault(key, file)) is not file:
                raise DocumentInvalid(
                    f"{file.shown}: {key!r} already names the product of {other.shown}; rename one of them"
                )
