"""The actors of a cluster: who gets the next case, and who takes the place of one that died."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Final

from evals.errors import EngineUnavailable
from evals.patience import AWAY
from evals.pictures import leave_picture
from evals.ray_worker import OpenAnswer, Picture, Sent
from evals.types import GivenAnswer, Task
from tools.errors import ToolError
from tools.pixel_modes import printable

_MOST_DEATHS: Final = 3
_OPEN_TRIES: Final = 5
_CLOSE_S: Final = 10.0
_FIRST_REST_S: Final = 1.0
_LONGEST_REST_S: Final = 30.0


class WorkerLost(ToolError):
    """Every actor that was given this case died over it before its first answer."""

    kind = "worker_lost"


@dataclass(eq=False)
class Post:
    """A place in the crew. `handle` is its actor; None while a new one is opened.

    `broken` says why that does not succeed.
    """

    open_answer: OpenAnswer
    most: int
    handle: Any = None
    in_flight: int = 0
    rest_s: float = _FIRST_REST_S
    rests_until: float = 0.0
    broken: str | None = None

    @property
    def resting(self) -> bool:
        """Whether others go first."""
        return time.monotonic() < self.rests_until

    def rest(self) -> None:
        """Its endpoint is away: others go first for a while."""
        if not self.resting:
            self.rests_until = time.monotonic() + self.rest_s
            self.rest_s = min(2 * self.rest_s, _LONGEST_REST_S)

    def served(self) -> None:
        """Its endpoint answers."""
        self.rests_until, self.rest_s = 0.0, _FIRST_REST_S


@dataclass
class Crew:
    """The posts, and Ray. `actor` makes an actor of `evals.ray_worker.Worker`; for one event loop."""

    ray: ModuleType
    actor: Any
    posts: list[Post]
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    openings: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, start_s: float) -> None:
        """Open all posts at once.

        Raises:
            EngineUnavailable: it takes too long, or actors die over it.
            Exception: whatever opening an answerer raises.
        """
        try:
            async with asyncio.timeout(start_s):
                self.openings = {asyncio.create_task(self._open(post)) for post in self.posts}
                await asyncio.gather(*self.openings)
        except TimeoutError as error:
            free = self.ray.available_resources()
            raise EngineUnavailable(
                f"{len(self.posts)} Ray actors did not start within {start_s:g} s (free in the cluster: "
                f"{free.get('CPU', 0):g} CPUs, {free.get('GPU', 0):g} GPUs); use fewer --workers"
            ) from error
        except self.ray.exceptions.RayActorError as error:
            raise EngineUnavailable(f"a Ray actor died while it started: {one_line(error)}") from error

    async def answer(self, task: Task) -> AsyncGenerator[GivenAnswer, None]:
        """An `evals.types.Answer`: hands the task to an actor, and what it leaves to the next."""
        replies = dict(task.earlier)
        wanted = task.wanted
        deaths = 0
        while wanted:
            post = await self._free_post()
            handle = post.handle
            left = replace(task, wanted=wanted, earlier=dict(replies))
            try:
                async with aclosing(self._sent(handle, left)) as coming:
                    async for sent in coming:
                        if isinstance(sent, ToolError):
                            if isinstance(sent, AWAY):
                                post.rest()
                            raise sent
                        if isinstance(sent, Picture):
                            if task.overlay is not None:
                                leave_picture(task.overlay, sent.content)
                            continue
                        post.served()
                        deaths = 0
                        replies[sent.number] = sent.reply
                        wanted = tuple(one for one in wanted if one.number != sent.number)
                        yield sent
            except (self.ray.exceptions.RayActorError, self.ray.exceptions.ObjectLostError) as error:
                deaths += 1
                self._replace(post, handle)
                if deaths == _MOST_DEATHS:
                    raise WorkerLost(
                        f"{deaths} Ray actors died over it without an answer ({one_line(error)})"
                    ) from error
            else:
                return  # that is all that this answerer had to say
            finally:
                post.in_flight -= 1
                self.changed.set()

    async def _sent(self, handle: Any, task: Task) -> AsyncGenerator[Sent, None]:  # noqa: ANN401 - Ray's
        """What an actor sends for a task.

        Raises:
            RayActorError, ObjectLostError: the actor is gone.
            EngineUnavailable: the cluster is gone.
            Exception: a bug of the answerer.
        """
        errors = self.ray.exceptions
        stream = handle.answer.options(num_returns="streaming").remote(task)
        try:
            async for item in stream:
                yield await item
        except (GeneratorExit, asyncio.CancelledError):
            with suppress(errors.RayError):
                self.ray.cancel(stream)
            raise
        except errors.RayTaskError as error:
            raise _cause(error) from error
        except (errors.RayActorError, errors.ObjectLostError):
            raise
        except errors.RayError as error:
            raise EngineUnavailable(
                f"the Ray cluster is lost ({one_line(error)}); what was answered is on record, and the same "
                "command goes on"
            ) from error

    async def _free_post(self) -> Post:
        """The post with the least to do, once one has room; its endpoint is away only if all are."""
        while True:
            open_ = [post for post in self.posts if post.handle is not None]
            if not open_ and all(post.broken for post in self.posts):
                raise EngineUnavailable(
                    f"no Ray actor is left ({self.posts[0].broken}); the same command goes on"
                )
            awake = [post for post in open_ if not post.resting] or open_
            free = [post for post in awake if post.in_flight < post.most]
            if free:
                chosen = min(free, key=lambda post: post.in_flight)
                chosen.in_flight += 1
                return chosen
            self.changed.clear()
            with suppress(TimeoutError):  # a rest may be over without anybody saying so
                await asyncio.wait_for(self.changed.wait(), _FIRST_REST_S)

    def _replace(self, post: Post, handle: Any) -> None:  # noqa: ANN401 - Ray's
        """Put a new actor in the place of a dead one; the first who notices does it."""
        if post.handle is not handle:
            return
        post.handle = None
        self._kill(handle)
        opening = asyncio.create_task(self._reopen(post))
        self.openings.add(opening)
        opening.add_done_callback(self.openings.discard)

    async def _reopen(self, post: Post) -> None:
        """Open a post again; the endpoint, or the machine that took the actor down, may need a while."""
        wait_s = _FIRST_REST_S
        for tries in itertools.count(1):
            try:
                await self._open(post)
            except Exception as error:  # noqa: BLE001 - whatever it is, others go on; told if nobody is left
                if tries >= _OPEN_TRIES:
                    post.broken = one_line(error)
                    self.changed.set()
            else:
                post.broken = None
                return
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_REST_S)

    async def _open(self, post: Post) -> None:
        handle = self.actor.remote(post.open_answer)
        try:
            await handle.open.remote()
        except self.ray.exceptions.RayTaskError as error:
            self._kill(handle)
            raise _cause(error) from error
        except BaseException:
            self._kill(handle)
            raise
        post.handle = handle
        self.changed.set()

    async def close(self) -> None:
        """Let the actors close what they hold; whatever goes wrong, they are killed next."""
        closing = [post.handle.close.remote() for post in self.posts if post.handle is not None]
        with suppress(self.ray.exceptions.RayError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(*closing)

    def kill(self) -> None:
        """Stop the actors."""
        for opening in self.openings:
            opening.cancel()
        for post in self.posts:
            if post.handle is not None:
                self._kill(post.handle)

    def _kill(self, handle: Any) -> None:  # noqa: ANN401 - Ray's
        with suppress(self.ray.exceptions.RayError, ValueError):
            self.ray.kill(handle)


def _cause(error: Any) -> Exception:  # noqa: ANN401 - Ray's RayTaskError
    """What an actor raised, without Ray's wrapping."""
    cause = error.cause
    return (
        cause if isinstance(cause, Exception) else EngineUnavailable(f"a Ray actor failed: {one_line(error)}")
    )


def one_line(error: Exception) -> str:
    """The first line of what went wrong; Ray's errors go on for pages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[0]) if lines else type(error).__name__
