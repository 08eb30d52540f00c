from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable

import pytest

from evals.pacing import Pace, Throttle

pytestmark = pytest.mark.anyio


class Simulation:
    """Cases under a throttle on a clock of its own; `seconds(in_flight)` is what one takes."""

    def __init__(self, pace: Pace, seconds: Callable[[int], float], refuses_over: int | None = None) -> None:
        self.now = 0.0
        self.throttle = Throttle(pace, lambda: self.now)
        self.seconds = seconds
        self.refuses_over = refuses_over
        self.limits: list[int] = []
        self.most = 0
        self.noise = random.Random(1)

    async def run(self, cases: int) -> None:
        ends: list[tuple[float, int, bool, int]] = []
        for case in range(cases):
            while len(ends) >= self.throttle.limit:
                self._end_one(ends)
            await asyncio.wait_for(self.throttle.enter(), 1)
            in_flight = len(ends) + 1
            self.most = max(self.most, in_flight)
            refused = self.refuses_over is not None and in_flight > self.refuses_over
            end = self.now + self.seconds(in_flight) * self.noise.uniform(0.9, 1.1)
            heapq.heappush(ends, (end, case, refused, self.throttle.cuts))

    def _end_one(self, ends: list[tuple[float, int, bool, int]]) -> None:
        self.now, _, refused, cuts = heapq.heappop(ends)
        if refused:
            self.throttle.overloaded(cuts)
        self.throttle.leave(5)
        self.limits.append(self.throttle.limit)

    def usual(self) -> float:
        """Mean limit over the second half."""
        half = self.limits[len(self.limits) // 2 :]
        return sum(half) / len(half)


def cores(number: int) -> Callable[[int], float]:
    """So many cases at a time take a second each; more of them wait for one another."""
    return lambda in_flight: max(1.0, in_flight / number)


@pytest.mark.parametrize("number", [1, 2, 8, 48])
async def test_as_many_are_in_flight_as_the_endpoint_serves_at_a_time(number: int) -> None:
    simulation = Simulation(Pace(), cores(number))
    await simulation.run(6000)
    assert 0.75 * number <= simulation.usual() <= 2 * number + 2
    best = 6000 / number
    assert simulation.now < 1.35 * best


async def test_a_large_endpoint_is_filled_within_a_few_hundred_cases() -> None:
    simulation = Simulation(Pace(), cores(1000))
    await simulation.run(2000)
    assert max(simulation.limits[:800]) >= 128
    assert simulation.most <= 256


async def test_an_endpoint_that_says_it_has_too_much_gets_less() -> None:
    simulation = Simulation(Pace(first=64), cores(1000), refuses_over=20)
    await simulation.run(3000)
    assert simulation.usual() <= 30
    assert min(simulation.limits) >= 1


async def test_one_overload_halves_once_however_many_were_refused() -> None:
    throttle = Throttle(Pace(first=64))
    before = throttle.cuts
    for _ in range(64):
        throttle.overloaded(before)
    assert throttle.limit == 32
    throttle.overloaded(throttle.cuts)
    assert throttle.limit == 16
    for _ in range(20):
        throttle.overloaded(throttle.cuts)
    assert throttle.limit == 1


async def test_a_fixed_number_stays_whatever_happens() -> None:
    simulation = Simulation(Pace(fixed=7), cores(2), refuses_over=3)
    await simulation.run(500)
    assert set(simulation.limits) == {7}
    assert simulation.most == 7


async def test_an_upper_bound_is_kept() -> None:
    simulation = Simulation(Pace(most=10), cores(1000))
    await simulation.run(1000)
    assert simulation.most == 10


async def test_who_waits_for_room_gets_it_when_a_case_ends() -> None:
    throttle = Throttle(Pace(fixed=1))
    await throttle.enter()
    waiting = asyncio.ensure_future(throttle.enter())
    await asyncio.sleep(0)
    assert not waiting.done()
    throttle.leave(1)
    await asyncio.wait_for(waiting, 1)
