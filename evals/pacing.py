"""How many cases are in flight: found out while running, as long as the caller fixes nothing.

Half as many when the endpoint says that it has too much to do (multiplicative decrease, Chiu and Jain, 1989).
Else the smallest number that gives the best rate is looked for: twice as many as long as that pays, then a
quarter more or a fifth fewer from time to time. More than that only waits somewhere else, and takes memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_PAYS: Final = 1.05
"""A rate so many times as high is worth more cases in flight."""
_COSTS_NOTHING: Final = 0.97
"""A rate so many times as high is as good with fewer in flight."""
_ROUND: Final = 2
"""Cases, for each in flight, over which a rate is taken: the first half began under another limit."""
_ROUND_S: Final = 0.25
_HOLD: Final = 4
"""Rounds without a change before another number is tried."""


@dataclass(frozen=True)
class Pace:
    """`fixed` cases in flight, or between 1 and `most` as it turns out; `first` is where it starts."""

    fixed: int | None = None
    first: int = 4
    most: int = 256


ADAPTIVE: Final = Pace()
"""Found out while running."""


class Throttle:
    """Admits cases. For one event loop."""

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._adaptive = pace.fixed is None
        self._search = _Search(pace.fixed or max(1, min(pace.first, pace.most)), pace.most)
        self._clock = clock
        self._in_flight = 0
        self._room = asyncio.Event()
        self._cuts = 0
        self._restart()

    @property
    def limit(self) -> int:
        """Cases that may be in flight now."""
        return self._search.limit

    @property
    def cuts(self) -> int:
        """How often the limit was halved."""
        return self._cuts

    async def enter(self) -> None:
        """Wait for room and take it."""
        while self._in_flight >= self.limit:
            self._room.clear()
            await self._room.wait()
        self._in_flight += 1

    def leave(self, answers: int) -> None:
        """Give room back: a case has ended, with so many answers."""
        self._in_flight -= 1
        self._ended += 1
        self._answers += answers
        elapsed = self._clock() - self._since
        if self._adaptive and self._ended >= _ROUND * self.limit and elapsed >= _ROUND_S:
            self._search.measured(self._answers / elapsed)
            self._restart()
        self._room.set()

    def overloaded(self, cuts: int) -> None:
        """The endpoint has too much to do: half as many from now on.

        Args:
            cuts: what `cuts` was when the refused question was asked. All that were asked before the last
                cut tell of one and the same overload.
        """
        if self._adaptive and cuts == self._cuts:
            self._cuts += 1
            self._search.cut()
            self._restart()

    def _restart(self) -> None:
        self._since, self._ended, self._answers = self._clock(), 0, 0


class _Search:
    """Looks for the smallest limit with the best rate, a round at a time."""

    def __init__(self, first: int, most: int) -> None:
        self.limit = first
        self._most = most
        self._best_limit = first
        self._best_rate = 0.0
        self._doubling = True
        self._upwards = True
        self._hold = 0

    def measured(self, rate: float) -> None:
        """Choose the next limit after a round with so many answers a second."""
        if self.limit > self._best_limit or self._best_rate == 0:
            if rate > _PAYS * self._best_rate:
                self._settle(rate)
                self._try_more()
            else:
                self._back()
        elif self.limit < self._best_limit:
            if rate > _COSTS_NOTHING * self._best_rate:
                self._settle(max(rate, self._best_rate))  # or many small losses would add up
                self._try_fewer()
            else:
                self._back()
        else:
            self._best_rate = rate
            self._hold -= 1
            if self._hold <= 0:
                (self._try_more if self._upwards else self._try_fewer)()

    def cut(self) -> None:
        """Half as many; their rate is not known."""
        self.limit = max(1, self.limit // 2)
        self._settle(0.0)
        self._doubling = False

    def _settle(self, rate: float) -> None:
        self._best_limit, self._best_rate = self.limit, rate

    def _try_more(self) -> None:
        step = self.limit if self._doubling else max(1, self.limit // 4)
        self.limit = min(self._most, self.limit + step)
        if self.limit == self._best_limit:
            self._rest()

    def _try_fewer(self) -> None:
        self.limit = max(1, self.limit - max(1, self.limit // 5))
        if self.limit == self._best_limit:
            self._rest()

    def _back(self) -> None:
        self.limit = self._best_limit
        self._rest()

    def _rest(self) -> None:
        self._doubling = False
        self._upwards = not self._upwards
        self._hold = _HOLD
