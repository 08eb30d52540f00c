"""Reads a folder of product documents, and says which file and field is wrong when one is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from knowledge_base.errors import DocumentInvalid
from knowledge_base.schema import PassageText, ProductDocument, name_key

SHIPPED_DOCUMENTS = Path(__file__).parent / "documents"
"""The documents that come with this package."""

_MOST_BYTES = 2_000_000  # a document that an engineer edits by hand is far smaller
_DEEPEST = 20  # levels of nesting; the schema needs five

if TYPE_CHECKING:
    from yaml import SafeLoader as _Loader
else:
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads ten times as fast


class Documents:
    """Validated documents, and the passages they consist of."""

    def __init__(self, documents: dict[str, ProductDocument]) -> None:
        """`documents` maps the file name that sources show to the document."""
        _refuse_shared_names(documents)
        self._by_id = {document.id: document for document in documents.values()}
        self.passages: tuple[PassageText, ...] = tuple(
            passage for file, document in documents.items() for passage in document.passages(file)
        )

    @property
    def products(self) -> tuple[ProductDocument, ...]:
        """Documents about one product each, by id."""
        return tuple(d for _, d in sorted(self._by_id.items()) if not d.general)

    @property
    def general(self) -> tuple[ProductDocument, ...]:
        """Documents about parts of any kind."""
        return tuple(d for _, d in sorted(self._by_id.items()) if d.general)

    def get(self, product: str) -> ProductDocument | None:
        """The document with this id."""
        return self._by_id.get(product)


def load_documents(folder: Path = SHIPPED_DOCUMENTS) -> Documents:
    """Read every `*.yaml` of a folder, in the order of their names.

    Raises:
        DocumentInvalid: a file cannot be read or breaks the schema, or two documents contradict each other.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise DocumentInvalid(f"no product documents (*.yaml) in {folder}; name a folder that holds some")
    return Documents({f"{folder.name}/{path.name}": load_document(path) for path in paths})


def load_document(path: Path) -> ProductDocument:
    """Read one document.

    Raises:
        DocumentInvalid: the file cannot be read or breaks the schema; the message names file and field.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DocumentInvalid(f"{path.name}: too large; split the document")
        text = path.read_text(encoding="utf-8")
        _refuse_nesting(text)
        content = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 - a safe loader
    except OSError as exc:
        raise DocumentInvalid(
            f"{path.name}: cannot be read ({exc.strerror}); check path and permissions"
        ) from exc
    except UnicodeDecodeError as exc:
        raise DocumentInvalid(f"{path.name}: is not UTF-8 text; save it as UTF-8") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        reason = getattr(exc, "problem", None) or "not YAML"
        raise DocumentInvalid(f"{path.name}:{line} {reason}; correct the YAML there") from exc
    if not isinstance(content, dict):
        raise DocumentInvalid(f"{path.name}: holds no fields; start with schema_version, id and name")
    try:
        return ProductDocument.model_validate(content)
    except ValidationError as exc:
        raise DocumentInvalid(f"{path.name}: {_first_problem(exc, content)}") from exc


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


def _refuse_shared_names(documents: dict[str, ProductDocument]) -> None:
    """Two products must not answer to the same name."""
    owners: dict[str, str] = {}
    for file, document in documents.items():
        keys = {name_key(name) for name in (document.id, document.name, *document.synonyms)}
        for key in sorted(keys):
            if (other := owners.setdefault(key, file)) != file:
                raise DocumentInvalid(
                    f"{file}: {key!r} already names the product of {other}; rename one of them"
                )
