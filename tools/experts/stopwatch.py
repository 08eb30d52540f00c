"""Seconds of each step of a measurement."""

from __future__ import annotations

import time


class Stopwatch:
    """Runs from the moment that it is made."""

    def __init__(self) -> None:
        self.started = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, step: str) -> None:
        """Count the time since the last lap to a step."""
        now = time.perf_counter()
        self.laps[step] = self.laps.get(step, 0.0) + now - self._last
        self._last = now

    def note(self, step: str, seconds: float) -> None:
        """Write down a time that was not measured by a lap."""
        self.laps[step] = seconds

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.started
