"""The same evaluation on a Ray cluster: actors answer, and the driver runs it as it always does.

`run_evaluation` hands out cases, waits, retries and keeps the folder; here is only the `Answer` that it is
given. A case goes to the actor with the least to do, so that a quick one gets more. Where an actor dies, what
it left unanswered goes to another while a new one takes its place.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, redirect_stdout
from types import ModuleType
from typing import Any, Final

from evals.errors import EngineUnavailable
from evals.ray_crew import Crew, Post, one_line
from evals.ray_worker import OpenAnswer, Worker
from evals.types import Answer
from tools.pixel_modes import printable

MOST_IN_FLIGHT: Final = 64
"""Cases that one actor has at a time."""

_CONNECT_S: Final = 5.0


@asynccontextmanager
async def answer_on_ray(
    answerers: Sequence[OpenAnswer],
    *,
    workers: int | None = None,
    cpus: float = 1,
    gpus: float = 0,
    start_s: float = 600.0,
    in_flight: int = MOST_IN_FLIGHT,
) -> AsyncIterator[Answer]:
    """Start actors that answer, for `run_evaluation`, and stop them afterwards.

    The cluster is the one that `RAY_ADDRESS` names, else a new one on this machine. Every machine needs this
    package in the same version, and the data at the same path.

    Args:
        answerers: actors open them in turn, so that several endpoints are used side by side.
        workers: actors; None: one for each of `answerers`, and two at least.
        cpus: CPUs that each actor reserves.
        gpus: GPUs that each actor reserves.
        start_s: seconds within which all actors must have found room and opened what they answer with.
        in_flight: cases that one actor has at a time.

    Raises:
        EngineUnavailable: Ray is not installed, its cluster cannot be reached or has no room, or it is lost.
        Exception: whatever opening an answerer raises.
    """
    count = workers or max(2, len(answerers))
    ray, ours = _connected(count * cpus)
    try:
        actor = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0, max_concurrency=in_flight + 1
        )(Worker)
        posts = [Post(answerers[index % len(answerers)], in_flight) for index in range(count)]
        crew = Crew(ray, actor, posts)
        try:
            with redirect_stdout(sys.stderr):  # Ray tells of dead actors on stdout, where results belong
                await crew.start(start_s)
                yield crew.answer
                await crew.close()
        finally:
            crew.kill()
    finally:
        if ours:
            ray.shutdown()


def _connected(cpus: float) -> tuple[ModuleType, bool]:
    """Ray, connected, and whether it is ours to shut down."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
    except ImportError as error:
        raise EngineUnavailable(
            "Ray is not installed; `pip install 'inspection-agent[ray]'`, or use --engine local"
        ) from error
    if ray.is_initialized():
        return ray, False
    address = _address()
    room: dict[str, Any] = {}
    if address == "local":  # every actor finds room, however few cores there are
        room = {"num_cpus": max(os.cpu_count() or 1, math.ceil(cpus)), "include_dashboard": False}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **room)
    except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
        raise _no_cluster(address, one_line(error)) from error
    return ray, True


def _address() -> str:
    """Where the cluster is: `host:port`, `auto`, or `local` for a new one on this machine."""
    address = os.environ.get("RAY_ADDRESS") or "local"
    if "://" in address:
        raise _no_cluster(address, "actors cannot send one answer after another to a Ray client")
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        try:  # Ray itself takes minutes to say that nobody is there
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(address, str(error)) from error
    return address


def _no_cluster(address: str, why: str) -> EngineUnavailable:
    where = "here" if address == "local" else f"at {printable(address)}"
    return EngineUnavailable(
        f"no Ray cluster {where} ({printable(why)}); give RAY_ADDRESS as host:port of one that "
        "`ray start --head` began, or unset it, or use --engine local"
    )
