"""From a chat message off the wire to a whole, valid reply, or to the fault that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tools.errors import VlmInvalid, VlmRefused, VlmServerError, VlmTruncated
from tools.vlm.base import Choice, Constraint, Reply, Usage
from tools.vlm.constraints import Dialect, checked_text, first_token_of, option_probabilities
from tools.vlm.parse import one_line

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

WHOLE = ("stop", "eos", "eos_token")
"""Finish reasons of a whole answer: OpenAI's and vLLM's first, then those of other servers."""


def whole_reply(
    message: AIMessage, constraint: Constraint, dialect: Dialect, max_tokens: int, seconds: float
) -> Reply:
    """The reply that a message carries, once it is whole and keeps to its constraint.

    Raises:
        VlmRefused: the model declined, or a filter stopped it.
        VlmTruncated: it was cut off at its token limit.
        VlmServerError: the server gave up half way.
        VlmInvalid: it is empty, ended for an unknown reason, or breaks the constraint.
    """
    metadata, extras = message.response_metadata, message.additional_kwargs
    if refusal := extras.get("refusal"):
        raise VlmRefused(f"the model declined to answer: {one_line(str(refusal))}")
    match metadata.get("finish_reason"):
        case "length":
            raise VlmTruncated(f"the answer was cut off after {max_tokens} tokens; allow more")
        case "content_filter":
            raise VlmRefused("the endpoint's content filter stopped the answer")
        case "abort" | "error":
            raise VlmServerError("the endpoint gave up on the answer half way; see the server's log")
        case reason if reason not in WHOLE:
            shown = one_line(str(reason), 40)
            raise VlmInvalid(f"the answer ended for an unknown reason ({shown!r}): it may not be whole")
    if not isinstance(message.content, str) or not message.content.strip():
        raise VlmInvalid("the model's reply is empty")
    text = checked_text(message.content, constraint, dialect)
    reasoning = extras.get("reasoning_content")
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
    )


def _usage(told: Mapping[str, Any] | None) -> Usage:
    if told is None:
        return Usage()
    return Usage(
        prompt_tokens=told["input_tokens"],
        completion_tokens=told["output_tokens"],
        cached_tokens=told.get("input_token_details", {}).get("cache_read"),
    )
