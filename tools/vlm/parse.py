"""Replies in JSON, read strictly: what does not keep to its schema is a fault, never "nothing found".

Tolerated around the JSON: white space, a byte order mark, and one Markdown code fence (three backticks with
or without a language word). Nothing else: no prose before or after, no repair, no duplicate keys, no NaN,
no half of a surrogate pair.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from tools.errors import VlmInvalid

AnyModel = TypeVar("AnyModel", bound=BaseModel)

_FENCE = re.compile(r"\A```[A-Za-z0-9_-]*[ \t]*\r?\n(?P<body>.*)\r?\n[ \t]*```\Z", re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN_CHARS = 160


def one_line(text: str, limit: int = _SHOWN_CHARS) -> str:
    """Text of others made fit for a one-line message: shortened, white space folded, nothing unprintable."""
    visible = "".join(character if character.isprintable() else " " for character in text[: 20 * limit])
    folded = " ".join(visible.split())
    return folded if len(folded) <= limit else folded[: limit - 3].rstrip() + "..."


def whole_characters(text: str) -> str:
    """Text that UTF-8 can hold: half of a surrogate pair, which JSON can smuggle in, becomes U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def read_json(text: str) -> JsonValue:
    """The one JSON value in a reply.

    Raises:
        VlmInvalid: anything else than exactly one JSON value, bare or in one code fence.
    """
    body = _without_wrapping(text)
    if not body:
        raise VlmInvalid("the model's reply is empty where JSON was asked for")
    try:
        value: JsonValue = json.loads(
            body, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_unique_keys
        )
        json.dumps(value, ensure_ascii=False).encode()  # refuses half a character, which no file can hold
    except (ValueError, RecursionError) as exc:  # ValueError: also a number of over 4300 digits
        raise VlmInvalid(
            f"the model's reply is not valid JSON ({one_line(str(exc), 80)}): {one_line(body)}"
        ) from exc
    return value


def parse_reply(text: str, model: type[AnyModel]) -> AnyModel:
    """A reply as an instance of a pydantic model, types taken strictly ("1" is no number).

    Raises:
        VlmInvalid: the reply is not JSON, or breaks the model; the message names the first place that does.
    """
    read_json(text)  # refuses what pydantic's own reader would let pass: duplicate keys, NaN, a cut end
    try:
        return model.model_validate_json(_without_wrapping(text), strict=True)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the reply"
        raise VlmInvalid(
            f"the model's reply breaks {model.__name__} at {one_line(place, 60)}: {one_line(first['msg'])}"
        ) from exc


def check_json(text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the schema knows the type
    """The JSON value of a reply, which keeps to a JSON schema (draft 2020-12).

    Raises:
        VlmInvalid: it is not; the message names the place that breaks it.
    """
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped,unused-ignore]
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped,unused-ignore]

    value = read_json(text)
    try:
        error = best_match(Draft202012Validator(schema).iter_errors(value))
    except RecursionError as exc:
        raise VlmInvalid("the model's reply is nested too deeply to be checked") from exc
    if error is not None:
        place = one_line(error.json_path, 60)
        raise VlmInvalid(
            f"the model's reply breaks its schema at {place}: {one_line(error.message, 100)}"
        ) from error
    return value


def bounded_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, after checking that no reply under it can run on without end.

    Under a grammar an untrained or confused model may fill any unbounded place until its token limit, so
    every string needs `maxLength` (or `enum`, `const`), every array `maxItems`, every number both bounds
    (digits can run on too), every object `additionalProperties: false`, and no definition may contain itself.

    Raises:
        ValueError: a place is unbounded; a mistake of the schema's author, named by its path.
    """
    schema = model.model_json_schema()
    _assert_bounded(schema, schema.get("$defs", {}), model.__name__, ())
    return schema


def _assert_bounded(
    node: Mapping[str, Any], defs: Mapping[str, Any], path: str, seen: tuple[str, ...]
) -> None:
    if "enum" in node or "const" in node:
        return
    if "$ref" in node:
        name = str(node["$ref"]).removeprefix("#/$defs/")
        if name in seen:
            raise ValueError(f"schema is unbounded at {path}: {name} contains itself")
        _assert_bounded(defs[name], defs, path, (*seen, name))
        return
    alternatives = [entry for key in ("anyOf", "oneOf", "allOf") for entry in node.get(key, ())]
    for entry in alternatives:
        _assert_bounded(entry, defs, path, seen)
    if alternatives and "type" not in node:
        return
    _assert_type_bounded(node, defs, path, seen)


def _assert_type_bounded(
    node: Mapping[str, Any], defs: Mapping[str, Any], path: str, seen: tuple[str, ...]
) -> None:
    match node.get("type"):
        case "string":
            if "maxLength" not in node or "pattern" in node:
                raise ValueError(f"schema is unbounded at {path}: a string needs max_length, and no pattern")
        case "integer" | "number":
            low, up = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
            if not (low & node.keys() and up & node.keys()):
                raise ValueError(f"schema is unbounded at {path}: a number needs a lower and an upper bound")
        case "array":
            if "maxItems" not in node:
                raise ValueError(f"schema is unbounded at {path}: an array needs max_length")
            entries = [*node.get("prefixItems", ()), *([node["items"]] if "items" in node else [])]
            for entry in entries:
                _assert_bounded(entry, defs, f"{path}[]", seen)
        case "object":
            if node.get("additionalProperties") is not False:
                raise ValueError(f"schema is unbounded at {path}: an object needs extra='forbid'")
            for key, entry in node.get("properties", {}).items():
                _assert_bounded(entry, defs, f"{path}.{key}", seen)
        case "boolean" | "null":
            pass
        case other:
            raise ValueError(f"schema is unbounded at {path}: type {other!r} allows anything")


def _without_wrapping(text: str) -> str:
    bare = text.removeprefix("\ufeff").strip()
    fenced = _FENCE.match(bare)
    return (fenced["body"] if fenced else bare).strip()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too large")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object names a key twice")
    return value
