"""Suspicion that grows: the phi accrual failure detector of Hayashibara, Défago, Yared and Katayama (2004).

A rhythm notes when heartbeats arrive, and says how surprising the present silence is: phi = -log10(p), where p is the
chance that a sender who lives is silent for so long.  At phi 1 one such silence in ten is harmless, at 3 one in a
thousand, at 8 one in a hundred million.  It adapts to what it hears: a busy machine whose beats come late raises the
mean and the deviation, and is suspected later.

Time is handed in, in seconds of any clock that does not go back; one that does costs nothing but patience.
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from typing import Final

from rmimom.errors import ConfigurationError

WINDOW: Final = 100
"""How many intervals are remembered."""
PAUSES_NOT_LEARNT: Final = 10.0
"""An interval of so many times the mean is not slowness but absence; learnt, it would make us deaf for the next one."""
_HIGHEST: Final = 1e6


class SuspicionLevel(Enum):
    """What is thought of a sender of heartbeats."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    FAILED = "failed"


class Rhythm:
    """When the heartbeats of one sender come.

    `interval` is how often it says it sends; the mean is never taken for less, or the burst after a stall would look
    like a quick rhythm.  `min_deviation` keeps a very regular sender from being suspected at the first hiccup, and
    `acceptable_pause` is silence that is forgiven altogether; all are seconds.  Until the first beat the silence counts
    from `now`.
    """

    def __init__(
        self, now: float, interval: float, *, min_deviation: float = 0.1, acceptable_pause: float = 0.0
    ) -> None:
        for name, value, least in (
            ("interval", interval, 1e-3),
            ("min_deviation", min_deviation, 1e-4),
            ("acceptable_pause", acceptable_pause, 0.0),
        ):
            if not least <= value < math.inf:
                raise ConfigurationError(f"{name} must be at least {least} seconds, not {value!r}", setting=name)
        self._last = now
        self._beating = False
        self._interval = interval
        self._min_deviation = min_deviation
        self._pause = acceptable_pause
        self._intervals: deque[float] = deque(maxlen=WINDOW)

    @property
    def mean(self) -> float:
        """The usual silence between two beats, in seconds."""
        if not self._intervals:
            return self._interval
        return max(self._interval, sum(self._intervals) / len(self._intervals))

    @property
    def deviation(self) -> float:
        """How much that varies: the standard deviation, in seconds."""
        count = len(self._intervals)
        if not count:
            # Nothing is known yet: as wide as a quarter of the interval, like the implementations of others.
            return max(self._min_deviation, self._interval / 4)
        mean = sum(self._intervals) / count
        return max(self._min_deviation, math.sqrt(sum((one - mean) ** 2 for one in self._intervals) / count))

    def beat(self, now: float, interval: float | None = None) -> None:
        """A heartbeat arrived; `interval` if the sender says that it sends at another interval now."""
        passed = now - self._last
        # How long we waited for the first says nothing about the sender's rhythm.
        if self._beating and 0 <= passed <= PAUSES_NOT_LEARNT * self.mean + self._pause:
            self._intervals.append(passed)
        if interval is not None and interval != self._interval and 1e-3 <= interval < math.inf:
            self._interval = interval
            self._intervals.clear()
        self._last = now
        self._beating = True

    def phi(self, now: float) -> float:
        """How suspicious the silence is: 0 right after a beat, growing without end."""
        return _phi(now - self._last - self._pause, self.mean, self.deviation)

    def when(self, phi: float) -> float:
        """The time at which the silence will be so suspicious, if no beat comes."""
        mean, deviation = self.mean, self.deviation
        low, high = 0.0, mean + deviation
        while _phi(high, mean, deviation) < phi:
            low, high = high, high * 2
        for _ in range(40):
            middle = (low + high) / 2
            if _phi(middle, mean, deviation) < phi:
                low = middle
            else:
                high = middle
        return self._last + self._pause + high


def _phi(silence: float, mean: float, deviation: float) -> float:
    if silence <= 0:
        return 0.0
    distance = (silence - mean) / deviation
    later = 0.5 * math.erfc(distance / math.sqrt(2))
    if later > 1e-300:
        return -math.log10(later)
    # So unlikely that it is no number any more; the tail of the normal distribution, by its logarithm.
    tail = distance * distance / (2 * math.log(10)) + math.log10(distance * math.sqrt(2 * math.pi))
    return min(tail, _HIGHEST)


class Suspicion:
    """What is thought of one sender: its rhythm, held against two thresholds of phi."""

    def __init__(self, rhythm: Rhythm, *, suspect: float = 3.0, failed: float = 8.0) -> None:
        if not 0 < suspect <= failed < _HIGHEST:
            raise ConfigurationError(
                f"the thresholds must be 0 < suspect <= failed, not {suspect!r} and {failed!r}", setting="suspect"
            )
        self.rhythm = rhythm
        self.level = SuspicionLevel.ALIVE
        self._suspect = suspect
        self._failed = failed

    def beat(self, now: float, interval: float | None = None) -> bool:
        """A heartbeat arrived; whether the sender had been suspected until now."""
        self.rhythm.beat(now, interval)
        recovered = self.level is not SuspicionLevel.ALIVE
        self.level = SuspicionLevel.ALIVE
        return recovered

    def check(self, now: float) -> bool:
        """Look at the clock; whether the suspicion has risen to another level."""
        phi = self.rhythm.phi(now)
        before = self.level
        if phi >= self._failed:
            self.level = SuspicionLevel.FAILED
        elif phi >= self._suspect and before is SuspicionLevel.ALIVE:
            self.level = SuspicionLevel.SUSPECT
        return self.level is not before

    def next_check(self) -> float | None:
        """When to look again if no beat comes; None if the suspicion cannot rise."""
        if self.level is SuspicionLevel.FAILED:
            return None
        return self.rhythm.when(self._suspect if self.level is SuspicionLevel.ALIVE else self._failed)
