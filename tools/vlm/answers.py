"""From a chat message off the wire to a whole, valid reply, or to the fault that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tools.errors import VlmEmpty, VlmInvalid, VlmRefused, VlmServerError, VlmTruncated
from tools.vlm.base import CallTool, Choice, Constraint, Reply, Usage
from tools.vlm.constraints import Dialect, checked_text, first_token_of, option_probabilities
from tools.vlm.parse import one_line, whole_characters
from tools.vlm.tool_calls import ToolStyle, call_in_text, first_call

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

WHOLE = ("stop", "eos", "eos_token", "tool_calls")
"""Finish reasons of a whole answer: OpenAI's and vLLM's first, then those of other servers, then a call's."""


def whole_reply(
    message: AIMessage,
    constraint: Constraint,
    dialect: Dialect,
    max_tokens: int,
    seconds: float,
    style: ToolStyle = "json",
) -> Reply:
    """The reply that a message carries, once it is whole and keeps to its constraint.

    `style` is how a tool was asked for.

    Raises:
        VlmRefused: the model declined, or a filter stopped it.
        VlmTruncated: it was cut off at its token limit.
        VlmServerError: the server gave up half way.
        VlmInvalid: it is empty (`VlmEmpty`), ended for an unknown reason, or breaks the constraint.
    """
    metadata, extras = message.response_metadata, message.additional_kwargs
    said = whole_characters(message.content) if isinstance(message.content, str) else ""
    thought = extras.get("reasoning_content")
    reasoning = whole_characters(thought) if isinstance(thought, str) else None
    if refusal := extras.get("refusal"):
        raise VlmRefused(f"the model declined to answer: {one_line(str(refusal))}")
    check_ended(metadata.get("finish_reason"), said, max_tokens)
    if isinstance(constraint, CallTool) and style == "native":
        return Reply(
            text=said,
            usage=_usage(message.usage_metadata),
            seconds=seconds,
            reasoning=reasoning,
            call=first_call(message.tool_calls, message.invalid_tool_calls, constraint),
        )
    if not said.strip():
        raise VlmEmpty("the model's reply is empty")
    text = checked_text(said, constraint, dialect)
    probabilities = None
    # The log-probabilities of a model that thought first begin with its thoughts.
    if isinstance(constraint, Choice) and reasoning is None:
        alternatives = first_token_of(metadata.get("logprobs"), text)
        probabilities = option_probabilities(constraint.options, alternatives)
    return Reply(
        text=text,
        usage=_usage(message.usage_metadata),
        seconds=seconds,
        probabilities=probabilities,
        reasoning=reasoning,
        call=call_in_text(text, constraint) if isinstance(constraint, CallTool) else None,
    )


def check_ended(reason: object, said: str, max_tokens: int) -> None:
    """See that an answer ended of itself.

    Raises:
        VlmTruncated: it was cut off at its token limit; it carries what was `said`.
        VlmRefused: a filter stopped it.
        VlmServerError: the server gave up half way.
        VlmInvalid: it ended for an unknown reason.
    """
    match reason:
        case "length":
            cut = VlmTruncated(f"the answer was cut off after {max_tokens} tokens; allow more")
            cut.text = said
            raise cut
        case "content_filter":
            raise VlmRefused("the endpoint's content filter stopped the answer")
        case "abort" | "error":
            raise VlmServerError("the endpoint gave up on the answer half way; see the server's log")
        case reason if reason not in WHOLE:
            shown = one_line(str(reason), 40)
            raise VlmInvalid(f"the answer ended for an unknown reason ({shown!r}): it may not be whole")


def _usage(told: Mapping[str, Any] | None) -> Usage:
    if told is None:
        return Usage()
    return Usage(
        prompt_tokens=told["input_tokens"],
        completion_tokens=told["output_tokens"],
        cached_tokens=told.get("input_token_details", {}).get("cache_read"),
    )
