"""Unfinished inspections: what makes two of them the same, and where they are kept until they are done."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from agent.errors import UsageError
from agent.settings import Settings
from graphs.inspection.state import CHECKPOINTED, Request

ANSWER_CHANGING = (
    "vlm_url",
    "vlm_model",
    "reasoner",
    "planner",
    "expert",
    "notation",
    "knowledge",
    "knowledge_tokens",
    "embedding_model",
    "cot",
    "max_looks",
    "look_seconds",
    "look_tokens",
    "look_closer",
    "model_tools",
    "votes",
    "grounding",
    "gating",
    "registration",
    "layout",
    "read_text",
    "weak_experts",
    "abstain_below",
    "language",
    "mm_per_px",
    "sensitivity",
    "threshold",
    "box_margin_px",
    "backbone",
    "dino_backbone",
    "winclip_weights",
    "anomalyclip_weights",
    "anomalyclip_prompts",
    "dapo_prompts",
    "dapo_types",
    "types",
    "types_model",
    "template_backbone",
    "template_choice",
)
"""Settings beside the request that make an inspection another one; time-outs and folders do not."""


def inspection_id(request: Request, settings: Settings, versions: dict[str, str], library: str) -> str:
    """The same for the same pictures, product, settings and versions, so that an interrupted run is found.

    `library` is the state of the good images to choose from; empty if there are none.
    """
    content = {
        "request": request.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json", include=set(ANSWER_CHANGING)),
        "versions": versions,
        "library": library,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


@contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """A folder that nobody else uses meanwhile: `root/name`, or another if someone is at the same work."""
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield root / f"{name}-{uuid4().hex[:8]}"
        return
    try:
        yield root / name
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


@asynccontextmanager
async def open_checkpointer(
    file: Path, kinds: Collection[tuple[str, str]] = CHECKPOINTED
) -> AsyncIterator[AsyncSqliteSaver]:
    """The SQLite store of states of a graph, such as unfinished inspections.

    Args:
        file: where it lies; made if it is not there.
        kinds: (module, class) of what a state may hold.

    Raises:
        UsageError: the file is damaged or cannot be written.
    """
    try:
        async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
            saver.serde = JsonPlusSerializer(allowed_msgpack_modules=kinds)
            await saver.setup()
            yield saver
    except sqlite3.Error as error:
        raise UsageError(f"cannot use {file} ({error}); delete it and begin anew") from error
