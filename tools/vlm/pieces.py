"""An answer that arrives in pieces, put together into the completion that it would have been whole; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tools.errors import VlmInvalid
from tools.vlm.parse import one_line


class StreamedAnswer:
    """Collects what the events of a stream tell of one answer: its text, its reasoning, its end, its cost."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._finish_reason: object = None
        self._usage: object = None
        self._begun = False

    def add(self, event: object) -> tuple[str, str]:
        """Take the next event; (text, reasoning) that it adds, either may be empty.

        Raises:
            VlmInvalid: the event is no piece of a chat completion.
        """
        if not isinstance(event, Mapping):
            raise _no_piece(event)
        choices, usage = event.get("choices"), event.get("usage")
        if not isinstance(choices, list | None) or (choices is None and usage is None):
            raise _no_piece(event)
        self._begun = True
        self._usage = usage or self._usage
        text = reasoning = ""
        for choice in choices or ():
            if not isinstance(choice, Mapping):
                raise _no_piece(event)
            if choice.get("index"):  # another answer to the same question, which was not asked for
                continue
            delta = choice.get("delta") or {}
            if not isinstance(delta, Mapping):
                raise _no_piece(event)
            text += _said(delta, "content")
            reasoning += _said(delta, "reasoning") or _said(delta, "reasoning_content")
            self._refusal.append(_said(delta, "refusal"))
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
        self._text.append(text)
        self._reasoning.append(reasoning)
        return text, reasoning

    def completion(self) -> dict[str, Any]:
        """The chat completion that the pieces make, as an endpoint sends it whole.

        Raises:
            VlmInvalid: not a single piece came.
        """
        if not self._begun:
            raise VlmInvalid("the endpoint ended the answer before its first piece; see the server's log")
        message = {
            "role": "assistant",
            "content": "".join(self._text),
            "reasoning": "".join(self._reasoning) or None,
            "refusal": "".join(self._refusal) or None,
        }
        choice = {"index": 0, "message": message, "finish_reason": self._finish_reason}
        return {"object": "chat.completion", "choices": [choice], "usage": self._usage}


def _said(delta: Mapping[str, Any], key: str) -> str:
    """A text of a piece, often absent."""
    said = delta.get(key)
    if said is None:
        return ""
    if not isinstance(said, str):
        raise _no_piece(delta)
    return said


def _no_piece(event: object) -> VlmInvalid:
    shown = one_line(json.dumps(event, default=str), 100)
    return VlmInvalid(f"the endpoint streams what is no piece of a chat completion: {shown}")
