"""Time is handed in: the server reads it here, tests own it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Something that knows the time of day."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC, as in JMS headers."""
        ...


class SystemClock:
    """The machine's clock, but it never goes back.

    When the machine's clock is set back, this one goes on at half its pace until the other has caught up: what waits
    for a time would otherwise wait for as long as the step was.  A step forward is followed at once, as after a sleep.
    """

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._shown = wall()
        self._read = monotonic()

    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        wall, read = self._wall(), self._monotonic()
        if wall < self._shown:
            wall = max(wall, self._shown + (read - self._read) // 2)
        self._shown, self._read = wall, read
        return wall // 1_000_000


class ManualClock:
    """A clock that moves only when told; for tests and simulation."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now

    def now(self) -> int:
        """The time last set, milliseconds since 1970-01-01 UTC."""
        return self._now

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self._now += milliseconds
