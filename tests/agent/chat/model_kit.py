"""A model at an endpoint of this process: it calls tools as told, then speaks word by word."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.tools.vlm.endpoint_kit import Exchange, FakeEndpoint, completion, cost, piece, running_endpoint

WORDS = ("The track ", "is open ", "near the ", "bottom edge. ", "Solder ", "will not ", "close it.")
SAID = "".join(WORDS)


class TalkingModel:
    """Answers at an endpoint.

    Attributes:
        wishes: calls that it makes, one after the other; then it wants to answer.
        words: what it says, in pieces.
        hold_after: pieces after which it waits for `go_on`; None does not wait.
        go_on: lets it speak on.
    """

    def __init__(self, endpoint: FakeEndpoint) -> None:
        self.endpoint = endpoint
        self.wishes: deque[tuple[str, dict[str, Any]]] = deque()
        self.words: tuple[str, ...] = WORDS
        self.hold_after: int | None = None
        self.go_on = threading.Event()
        endpoint.chat = self.answer

    @property
    def choices(self) -> list[dict[str, Any]]:
        """Requests to choose a tool."""
        return [asked for asked in self.endpoint.asked if not asked.get("stream")]

    @property
    def answers(self) -> list[dict[str, Any]]:
        """Requests to speak."""
        return [asked for asked in self.endpoint.asked if asked.get("stream")]

    def answer(self, exchange: Exchange) -> None:
        if exchange.asked.get("stream"):
            self._speak(exchange)
            return
        name, arguments = self.wishes.popleft() if self.wishes else ("answer", {})
        if exchange.asked.get("tools"):
            call = {"name": name, "arguments": json.dumps(arguments)}
            calls = [{"id": "call_1", "type": "function", "function": call}]
            exchange.send_json(completion(None, finish_reason="tool_calls", tool_calls=calls))
        else:
            exchange.send_json(completion(json.dumps({"tool": name, "arguments": arguments})))

    def _speak(self, exchange: Exchange) -> None:
        try:
            exchange.begin_stream()
            exchange.send_event(piece("", role="assistant"))
            for number, word in enumerate(self.words):
                if number == self.hold_after:
                    self.go_on.wait(60)
                exchange.send_event(piece(word))
            exchange.send_event(piece(finish_reason="stop"))
            exchange.send_event(cost())
            exchange.end_stream()
        except OSError:
            pass  # nobody listens any more


@contextmanager
def talking_model() -> Iterator[TalkingModel]:
    """A model that can be asked until the block ends."""
    with running_endpoint() as endpoint:
        model = TalkingModel(endpoint)
        try:
            yield model
        finally:
            model.go_on.set()


def told(asked: dict[str, Any]) -> str:
    """All words of a request, without its pictures."""
    return json.dumps(
        [
            part.get("text", "")
            for message in asked["messages"]
            for part in (
                [{"text": message["content"]}]
                if isinstance(message["content"], str)
                else message["content"] or []
            )
        ],
        ensure_ascii=False,
    )
