"""What a constraint asks of the wire, and whether a reply kept to it; pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from tools.errors import VlmEmpty, VlmInvalid
from tools.vlm.base import CallTool, Choice, Constraint, JsonSchema
from tools.vlm.parse import check_json, one_line
from tools.vlm.tool_calls import ToolStyle, call_in_text, call_schema, native_fields

Dialect: TypeAlias = Literal["vllm", "openai"]
"""How an endpoint takes a choice: vLLM's `structured_outputs`, or the standard JSON schema with an enum."""

TOP_LOGPROBS = 20
"""The most alternatives a token that vLLM (by default) and OpenAI give."""

UNTOLD_SHARE = 0.01
"""Probability, of that told for the options, which may be missing or ambiguous before none is given."""


def request_fields(constraint: Constraint, dialect: Dialect, style: ToolStyle = "json") -> dict[str, Any]:
    """Fields of the request body that impose a constraint.

    `style` is how a tool is asked for.

    JSON goes as the standard `response_format`, which vLLM honours as well. It is sent as an extra field
    because the client library would otherwise parse the reply itself and lose a truncated one.
    """
    match constraint:
        case JsonSchema(name=name, schema=schema):
            return {"extra_body": {"response_format": _response_format(name, schema)}}
        case Choice(options=options) if dialect == "vllm":
            return {
                "extra_body": {"structured_outputs": {"choice": list(options)}},
                "logprobs": True,
                "top_logprobs": TOP_LOGPROBS,
            }
        case Choice(options=options):
            return {"extra_body": {"response_format": _response_format("choice", _choice_schema(options))}}
        case CallTool() if style == "native":
            return {"extra_body": native_fields(constraint, strict=dialect == "vllm")}
        case CallTool():
            return request_fields(call_schema(constraint), dialect)
        case None:
            return {"extra_body": {}}


def room_for(constraint: Constraint, max_tokens: int) -> int:
    """Tokens to allow: for a choice at least its longest option, one token a byte, and what wraps it.

    An option is no longer than itself, so that this only keeps a short limit from cutting one off.
    """
    if not isinstance(constraint, Choice):
        return max_tokens
    return max(max_tokens, max(len(option.encode()) for option in constraint.options) + 32)


def checked_text(text: str, constraint: Constraint, dialect: Dialect) -> str:
    """The reply's text once it keeps to its constraint; for a `Choice` the option itself.

    Raises:
        VlmInvalid: it does not: the endpoint ignores the constraint, or another program answers.
    """
    match constraint:
        case JsonSchema(schema=schema):
            check_json(text, schema)
        case Choice(options=options):
            if dialect == "openai":
                return str(check_json(text, _choice_schema(options))["choice"])
            if text.strip() not in options:
                raise VlmInvalid(
                    f"the model answered {one_line(text, 60)!r} where one of {list(options)} was asked for"
                )
            return text.strip()
        case CallTool():
            call_in_text(text, constraint)
        case None:
            if not text.strip():
                raise VlmEmpty("the model's reply is empty")
    return text


def option_probabilities(
    options: Sequence[str], first_token: Sequence[tuple[str, float]]
) -> Mapping[str, float] | None:
    """Probability of each option, renormalised, from the alternatives for the reply's first token.

    `first_token` holds (text, natural log of probability). An alternative that begins exactly one option
    decides for it. None where that does not tell the whole: more than `UNTOLD_SHARE` of the probability lies
    with alternatives that begin several options, end within a character, or were not listed.
    """
    told = dict.fromkeys(options, 0.0)
    ambiguous = listed = 0.0
    for token, logprob in first_token:
        probability = math.exp(min(logprob, 0.0))
        listed += probability
        whole = token and "\ufffd" not in token  # otherwise it ends within a character and tells nothing
        begun = [option for option in options if whole and option.startswith(token)]
        if len(begun) == 1:
            told[begun[0]] += probability
        elif begun or not whole:
            ambiguous += probability
    total = sum(told.values())
    untold = ambiguous + max(0.0, 1.0 - listed)
    if total <= 0 or untold > UNTOLD_SHARE * total:
        return None
    return {option: probability / total for option, probability in told.items()}


def first_token_of(logprobs: object, text: str) -> list[tuple[str, float]]:
    """(text, log-probability) of the alternatives for a reply's first token; empty if none are told."""
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(first, Mapping) or not text.startswith(str(first.get("token"))):
        return []
    listed = first.get("top_logprobs")
    return [
        (entry["token"], float(entry["logprob"]))
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, Mapping)
        and isinstance(entry.get("token"), str)
        and isinstance(entry.get("logprob"), int | float)
        and not math.isnan(entry["logprob"])
    ]


def _choice_schema(options: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": list(options)}},
        "required": ["choice"],
        "additionalProperties": False,
    }


def _response_format(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    # A copy through JSON: an unserialisable schema is its author's mistake and shows here.
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": json.loads(json.dumps(dict(schema)))},
    }
