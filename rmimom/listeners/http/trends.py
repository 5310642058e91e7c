"""What happened to single destinations in the last day, in bounded memory, for their charts.

Up to so many destinations have a trend each: those that were there first, and then those that somebody looks at, which
take the place of the one that nobody has looked at for the longest time.  A trend is three rings as in `history.py`, of
plain numbers in arrays: at most some 110 KB.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from rmimom.core.statistics import DestinationStatistics
from rmimom.listeners.http.history import RINGS, rate, thin

MOST_TRENDS: Final = 64
_WIDTH: Final = 4


class _Reading(NamedTuple):
    at: int
    enqueued: int
    dequeued: int
    pending: int


class TrendPoint(msgspec.Struct, frozen=True):
    """One point of a destination's chart; rates are messages a second since the point before."""

    at: int
    in_rate: float
    out_rate: float
    pending: int


class _Ring:
    """Readings at least `step` seconds apart, the last `size` of them."""

    __slots__ = ("_data", "_last", "_next", "size", "step")

    def __init__(self, step: int, size: int) -> None:
        self.step = step
        self.size = size
        self._data = array("q")
        self._next = 0
        self._last = 0

    def add(self, reading: _Reading) -> None:
        # Readings come about once a second: half a second early is in time.
        if reading.at - self._last < self.step * 1000 - 500:
            return
        self._last = reading.at
        if len(self._data) < self.size * _WIDTH:
            self._data.extend(reading)
        else:
            self._data[self._next : self._next + _WIDTH] = array("q", reading)
            self._next = (self._next + _WIDTH) % len(self._data)

    def since(self, at: int) -> Iterator[_Reading]:
        data = self._data
        for start in (*range(self._next, len(data), _WIDTH), *range(0, self._next, _WIDTH)):
            if data[start] >= at:
                yield _Reading(*data[start : start + _WIDTH])


class Trend:
    """The rings of one destination."""

    __slots__ = ("_last", "_rings")

    def __init__(self) -> None:
        self._rings = [_Ring(step, size) for step, size in RINGS]
        self._last = 0

    def add(self, at: int, row: DestinationStatistics) -> None:
        """Take a reading, at a time in milliseconds since 1970 UTC."""
        reading = _Reading(at, row.enqueued, row.dequeued, row.pending)
        for ring in self._rings:
            ring.add(reading)
        self._last = at

    def points(self, seconds: int, most: int) -> list[TrendPoint]:
        """The last so many seconds, in at most so many points."""
        ring = next((ring for ring in self._rings if ring.step * ring.size >= seconds), self._rings[-1])
        chosen = thin(list(ring.since(self._last - seconds * 1000)), most)
        return [
            TrendPoint(
                reading.at,
                rate(before.enqueued, reading.enqueued, reading.at - before.at),
                rate(before.dequeued, reading.dequeued, reading.at - before.at),
                reading.pending,
            )
            for before, reading in zip([*chosen[:1], *chosen], chosen, strict=False)
        ]


class Trends:
    """The trends by destination, written as `queue://NAME`; see the module's text."""

    def __init__(self) -> None:
        self._trends: OrderedDict[str, Trend] = OrderedDict()  # the one that was looked at last is last

    def add(self, at: int, rows: Mapping[str, DestinationStatistics]) -> None:
        """Take a reading of all destinations; what is not among them is forgotten."""
        for name in [name for name in self._trends if name not in rows]:
            del self._trends[name]
        if len(self._trends) < MOST_TRENDS:
            for name, row in rows.items():
                if not row.temporary and name not in self._trends:
                    self._trends[name] = Trend()
                    # So that what is looked at stays when others want its place.
                    self._trends.move_to_end(name, last=False)
                    if len(self._trends) == MOST_TRENDS:
                        break
        for name, trend in self._trends.items():
            trend.add(at, rows[name])

    def look_at(self, name: str) -> Trend:
        """The trend of a destination that is there; it begins now if there was none."""
        trend = self._trends.get(name)
        if trend is None:
            while len(self._trends) >= MOST_TRENDS:
                self._trends.popitem(last=False)
            trend = self._trends[name] = Trend()
        self._trends.move_to_end(name)
        return trend

    def __len__(self) -> int:
        return len(self._trends)
