"""How a model asks for a tool: by the API's own tool calls, or in JSON under a schema; pure.

Tool calls of the API need a chat template that shows the model its tools and what came of them. Many
vision-language models have none (that of Qwen2.5-VL, for one, passes over tools in silence), so that the same
can be said in words: the tools are listed in the prompt, the wish is one JSON object under a schema, and what
the tool gives stands in a user's turn. `ToolStyle` says which.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import Any, Final, Literal, TypeAlias

from tools.errors import VlmInvalid
from tools.vlm.base import CallTool, ImagePart, JsonSchema, Message, TextPart, ToolCall
from tools.vlm.parse import check_json, one_line

ToolStyle: TypeAlias = Literal["native", "json"]

_NAME: Final = "tool_call"


def native_fields(constraint: CallTool, *, strict: bool) -> dict[str, Any]:
    """Fields of the request body that ask for one tool call.

    `strict` asks the server to hold the arguments to their schema. Without it vLLM lets any JSON pass as
    arguments; with it OpenAI takes only a part of JSON Schema and refuses the rest.
    """
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.purpose,
                "parameters": json.loads(json.dumps(dict(tool.parameters))),
                **({"strict": True} if strict else {}),
            },
        }
        for tool in constraint.tools
    ]
    return {"tools": tools, "tool_choice": "required", "parallel_tool_calls": False}


def call_schema(constraint: CallTool) -> JsonSchema:
    """The schema of one wish: the tool's name and arguments that suit it."""
    wishes = [
        {
            "type": "object",
            "properties": {
                "tool": {"type": "string", "enum": [tool.name]},
                "arguments": json.loads(json.dumps(dict(tool.parameters))),
            },
            "required": ["tool", "arguments"],
            "additionalProperties": False,
        }
        for tool in constraint.tools
    ]
    return JsonSchema(_NAME, {"anyOf": wishes})


def in_words(messages: Sequence[Message], constraint: CallTool | None = None) -> list[Message]:
    """A conversation without tool calls: each said in JSON, and what came of it as a user's turn.

    With a `constraint` the tools that can be called now are listed at the end of the user's last turn.
    """
    turns: list[Message] = []
    for message in messages:
        if message.role == "assistant" and message.call is not None:
            parts = (*message.parts, TextPart(_said(message.call)))
            turns.append(Message("assistant", parts))
        elif message.role == "tool":
            turns.append(Message("user", message.parts))
        else:
            turns.append(message)
    if constraint is not None:
        turns.append(Message("user", (TextPart(_listed(constraint)),)))
    return joined(turns)


def with_pictures_shown(messages: Sequence[Message]) -> list[Message]:
    """A conversation whose tools answer in text alone; what they show stands in a user's turn behind it.

    Endpoints refuse pictures where a tool answers. Some also refuse two calls of one id, which a conversation
    has that began in JSON, where models give none: later ones are numbered.

    Raises:
        ValueError: a tool's turn does not answer the call before it.
    """
    turns: list[Message] = []
    made: set[str] = set()
    asked = sent = None
    for message in messages:
        if message.role == "assistant" and message.call is not None:
            asked = message.call
            sent = replace(asked, id=_unused(asked.id, made))
            made.add(sent.id)
            turns.append(replace(message, call=sent))
            continue
        if message.role != "tool":
            turns.append(message)
            continue
        if message.call is None or asked is None or message.call.id != asked.id:
            raise ValueError("a tool's turn answers the call before it")
        told = "\n".join(part.text for part in message.parts if isinstance(part, TextPart))
        shown = tuple(part for part in message.parts if isinstance(part, ImagePart))
        turns.append(Message("tool", (TextPart(told),), sent))
        asked = None
        if shown:
            turns.append(Message("user", shown))
    return joined(turns)


def joined(messages: Sequence[Message]) -> list[Message]:
    """A conversation in which nobody has two turns in a row: some chat templates refuse that.

    Words of the model before its call go with it; a call and what stands behind it stay apart.
    """
    turns: list[Message] = []
    for message in messages:
        last = turns[-1] if turns else None
        if last and last.role == message.role and message.role in ("user", "assistant") and not last.call:
            turns[-1] = replace(message, parts=(*last.parts, *message.parts))
        else:
            turns.append(message)
    return turns


def _unused(wanted: str, made: Container[str]) -> str:
    numbered = (f"{wanted}-{number}" for number in count(2))
    return next(name for name in chain((wanted,), numbered) if name not in made)


def call_in_text(text: str, constraint: CallTool) -> ToolCall:
    """The wish that a reply in JSON states.

    Raises:
        VlmInvalid: it is none that the constraint allows.
    """
    said = check_json(text, call_schema(constraint).schema)
    return ToolCall(id=said["tool"], name=said["tool"], arguments=said["arguments"])


def checked_call(call: ToolCall, constraint: CallTool) -> ToolCall:
    """A tool call that keeps to its tool's schema.

    Raises:
        VlmInvalid: there is no such tool, or its arguments do not suit it.
    """
    tool = next((tool for tool in constraint.tools if tool.name == call.name), None)
    if tool is None:
        names = ", ".join(tool.name for tool in constraint.tools)
        raise VlmInvalid(f"the model called {one_line(call.name, 40)!r}, which is none of: {names}")
    check_json(json.dumps(dict(call.arguments)), tool.parameters)
    return call


def first_call(
    calls: Sequence[Mapping[str, Any]], unreadable: Sequence[Mapping[str, Any]], constraint: CallTool
) -> ToolCall:
    """The first of the calls that came over the wire; more than one were not asked for.

    `unreadable` are those whose arguments are no JSON object.

    Raises:
        VlmInvalid: there is none, or it is not allowed.
    """
    if not calls:
        for call in unreadable:
            name, told = one_line(str(call.get("name")), 40), one_line(str(call.get("args")), 80)
            raise VlmInvalid(f"the model called {name!r} with arguments that are no JSON object: {told}")
        raise VlmInvalid("the model called no tool where it had to; ask in JSON instead (model_tools)")
    first = calls[0]
    name = str(first["name"])
    return checked_call(ToolCall(str(first.get("id") or name), name, dict(first["args"])), constraint)


def _said(call: ToolCall) -> str:
    return json.dumps({"tool": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)


def _listed(constraint: CallTool) -> str:
    """The tools, a line each, and how to ask for one."""
    lines = (
        f"- {tool.name}: {tool.purpose} arguments: {json.dumps(_shown(tool.parameters), ensure_ascii=False)}"
        for tool in constraint.tools
    )
    form = '{"tool": NAME, "arguments": {...}}'
    return "\n".join((f"Tools, to be called with {form}:", *lines))


def _shown(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Arguments as a model needs to know them: names and kinds, without bounds."""
    return {name: _kind(schema) for name, schema in parameters.get("properties", {}).items()}


def _kind(schema: Mapping[str, Any]) -> str:
    if alternatives := schema.get("anyOf"):
        return " or ".join(_kind(alternative) for alternative in alternatives)
    if schema.get("type") == "array":
        return f"{schema.get('maxItems', 'some')} {_kind(schema.get('items', {}))}s"
    return str(schema.get("type", "anything"))
