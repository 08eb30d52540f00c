"""Tells an endpoint that is away, for which a run waits, from a case that it cannot serve."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tools.errors import VlmServerError, VlmTimeout, VlmUnreachable

AWAY: Final = (VlmUnreachable, VlmTimeout, VlmServerError)
"""Errors of an endpoint that is away or has too much to do: waiting helps."""

OVERLOADED: Final = (VlmTimeout, VlmServerError)
"""Errors of an endpoint that may have too much to do: asking less helps."""

_MOST_TRIES: Final = 6
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 20.0


class Patience:
    """What all cases of a run know of the endpoint. It is away while nobody gets an answer."""

    def __init__(self, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._away_since: float | None = None
        self.answers = 0

    def answered(self) -> None:
        """Somebody got an answer."""
        self.answers += 1
        self._away_since = None

    def refused(self) -> bool:
        """Somebody got one of the errors `AWAY`; whether it is the first since the last answer."""
        first = self._away_since is None
        if self._away_since is None:
            self._away_since = self._clock()
        return first

    @property
    def over(self) -> bool:
        """Whether the endpoint has been away for longer than a run waits."""
        return self._away_since is not None and self._clock() - self._away_since >= self._patience_s


class Tries:
    """One case's tries.

    Args:
        patience: the run's.
        alone: every refusal counts against the case, as nobody else may be left to be served.
    """

    def __init__(self, patience: Patience, *, alone: bool) -> None:
        self._patience = patience
        self._alone = alone
        self.answered()

    def answered(self) -> None:
        """The case got an answer: it can be served."""
        self._served_before: int | None = None
        self._refusals = 0
        self._wait_s = _FIRST_WAIT_S

    def refused(self) -> None:
        """The case was refused; it counts against it from when others are served between two refusals."""
        served = self._patience.answers
        others_served = self._served_before is not None and served > self._served_before
        if self._alone or self._refusals or others_served:
            self._refusals += 1
        self._served_before = served

    @property
    def hopeless(self) -> bool:
        """Whether the endpoint serves others and never this case."""
        return self._refusals >= _MOST_TRIES

    def next_wait_s(self) -> float:
        """Seconds until the next try; each time longer."""
        wait, self._wait_s = self._wait_s, min(2 * self._wait_s, _LONGEST_WAIT_S)
        return wait
