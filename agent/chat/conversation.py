"""One session's conversation: turns, the steps behind it, and the way back to one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, cast

from anyio.from_thread import BlockingPortal, start_blocking_portal
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent.chat.sessions import Session
from agent.chat.workbench import ChatBench
from agent.runs import open_checkpointer
from graphs.chat.build import ChatGraph, build_chat
from graphs.chat.events import Event
from graphs.chat.state import CHECKPOINTED, Asked, ChatState
from graphs.chat.toolset import ChatTools
from tools.atomic import write_atomically
from tools.vlm.recording import transcript_to
from tools.vlm.transcript import Transcript

_END: Final = object()
_RECURSION: Final = 64


@dataclass(frozen=True)
class Step:
    """A turn of the conversation as it can be returned to.

    `line` is what was typed, `whole` whether the turn came to its end, `checkpoint` the state after it.
    """

    number: int
    line: str
    whole: bool
    checkpoint: str


class Conversation:
    """A conversation that is kept step by step. Use `open_conversation`."""

    def __init__(
        self, session: Session, bench: ChatBench, portal: BlockingPortal, saver: AsyncSqliteSaver
    ) -> None:
        self._session = session
        self._portal = portal
        self._saver = saver
        self._tools = ChatTools(bench)
        self._graph: ChatGraph = build_chat(saver)
        self._transcript = Transcript(session.said)
        self._config: RunnableConfig = {
            "configurable": {"thread_id": session.name},
            "recursion_limit": _RECURSION,
        }

    @property
    def state(self) -> ChatState:
        """Where the conversation stands."""
        snapshot = self._portal.call(self._graph.aget_state, self._config)
        return ChatState.model_validate(snapshot.values) if snapshot.values else ChatState()

    @property
    def unfinished(self) -> bool:
        """Whether a turn was stopped or killed before its end, and can be gone on with."""
        return bool(self._portal.call(self._graph.aget_state, self._config).next)

    @property
    def interrupted(self) -> bool:
        """Whether the program ended in the middle of a turn, without the person having stopped it."""
        return self.unfinished and self._stopped_at() != self._checkpoint()

    def stop(self) -> None:
        """Remember that the person stopped the turn under way."""
        write_atomically(self._session.stopped, self._checkpoint().encode())

    def turn(self, asked: Asked | None) -> Iterator[Event]:
        """Take a turn, and yield what happens; None goes on with an unfinished one.

        Closing the iterator, or an exception where it is read, stops the turn; it can be gone on with then.
        """
        events: SimpleQueue[Any] = SimpleQueue()
        future = self._portal.start_task_soon(self._run, asked, events)
        future.add_done_callback(lambda _: events.put(_END))
        try:
            while (event := events.get()) is not _END:
                yield cast("Event", event)
            future.result()
        finally:
            if not future.done():
                future.cancel()
                while events.get() is not _END:  # let it put away what it has
                    pass

    async def _run(self, asked: Asked | None, events: SimpleQueue[Any]) -> None:
        if asked is not None:
            self._transcript.discard()
        start = None if asked is None else {"asked": asked}
        with transcript_to(self._transcript):
            async for event in self._graph.astream(
                cast("Any", start), self._config, context=self._tools, stream_mode="custom", durability="sync"
            ):
                events.put(event)

    def _checkpoint(self) -> str:
        """The state where the conversation stands, by its id."""
        snapshot = self._portal.call(self._graph.aget_state, self._config)
        return str(snapshot.config["configurable"].get("checkpoint_id", ""))

    def _stopped_at(self) -> str:
        file = self._session.stopped
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def steps(self) -> list[Step]:
        """The turns that led here, in order; those of branches that were left are not among them."""
        ends = self._portal.call(self._ends)
        return [
            Step(number, line, whole, checkpoint)
            for number, (line, whole, checkpoint) in enumerate(reversed(ends), start=1)
        ]

    async def _ends(self) -> list[tuple[str, bool, str]]:
        """(line, whole, checkpoint) of the end of each turn, the latest first."""
        found: list[tuple[str, bool, str]] = []
        latest = await self._graph.aget_state(self._config)
        if not latest.values:
            return []
        at: RunnableConfig | None = latest.config
        is_end = True
        while at is not None and (kept := await self._saver.aget_tuple(at)) is not None:
            values = kept.checkpoint["channel_values"]
            if is_end and "asked" in values:
                whole = not (await self._graph.aget_state(at)).next
                found.append((values["asked"].text, whole, kept.checkpoint["id"]))
            is_end = kept.metadata.get("source") == "input"
            at = kept.parent_config
        return found

    def back(self, step: Step) -> None:
        """Return to the state after a step, and go on from there; what came later stays on record."""
        at: RunnableConfig = {
            **self._config,
            "configurable": {**self._config["configurable"], "checkpoint_id": step.checkpoint},
        }
        self._portal.call(self._copy, at)

    async def _copy(self, at: RunnableConfig) -> None:
        await self._graph.aupdate_state(at, None, as_node="__copy__")


@contextmanager
def open_conversation(session: Session, bench: ChatBench) -> Iterator[Conversation]:
    """The conversation of a session.

    Raises:
        UsageError: its database is damaged or cannot be written.
    """
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_checkpointer(session.database, CHECKPOINTED)) as saver,
    ):
        yield Conversation(session, bench, portal, saver)
