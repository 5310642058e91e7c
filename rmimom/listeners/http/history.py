"""What happened in the last day, in fixed memory: a sample each second, thinned out as it grows old.

Three rings: each second of the last quarter of an hour, every tenth of the last three hours, every sixtieth of the last
day.  Counters are kept as they were read; rates are made of them when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, TypeVar

import msgspec

RINGS: Final = ((1, 900), (10, 1080), (60, 1440))
"""Seconds between samples, and how many are kept."""
LONGEST: Final = 86_400
SHORTEST: Final = 60


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The time to look back on in seconds, and how many points are wanted at most."""

    seconds: Annotated[int, msgspec.Meta(ge=SHORTEST, le=LONGEST)] = 900
    points: Annotated[int, msgspec.Meta(ge=2, le=2000)] = 300


class Sample(msgspec.Struct, frozen=True, gc=False):
    """The server at one time (milliseconds since 1970 UTC); `messages_in` and `messages_out` count since its start."""

    at: int
    messages_in: int
    messages_out: int
    pending: int
    connections: int
    consumers: int
    resident_bytes: int


class Point(msgspec.Struct, frozen=True):
    """One point of a chart; `in_rate` and `out_rate` are messages a second since the point before."""

    at: int
    in_rate: float
    out_rate: float
    pending: int
    connections: int
    consumers: int
    resident_bytes: int


class _Ring:
    def __init__(self, step: int, size: int) -> None:
        self.step = step
        self.size = size
        self._samples: list[Sample] = []
        self._next = 0

    def add(self, sample: Sample) -> None:
        if len(self._samples) < self.size:
            self._samples.append(sample)
        else:
            self._samples[self._next] = sample
            self._next = (self._next + 1) % self.size

    def __iter__(self) -> Iterator[Sample]:
        yield from self._samples[self._next :]
        yield from self._samples[: self._next]


class History:
    """The rings; see the module's text."""

    def __init__(self) -> None:
        self._rings = [_Ring(step, size) for step, size in RINGS]
        self._count = 0
        self.last: Sample | None = None

    def add(self, sample: Sample) -> None:
        """Take the sample of a second."""
        for ring in self._rings:
            if self._count % ring.step == 0:
                ring.add(sample)
        self._count += 1
        self.last = sample

    def points(self, seconds: int, most: int) -> list[Point]:
        """The last so many seconds, in at most so many points."""
        if self.last is None:
            return []
        ring = next((ring for ring in self._rings if ring.step * ring.size >= seconds), self._rings[-1])
        since = self.last.at - seconds * 1000
        chosen = thin([sample for sample in ring if sample.at >= since], most)
        return [_point(before, sample) for before, sample in zip([chosen[0], *chosen], chosen, strict=False)]


T = TypeVar("T")


def thin(samples: list[T], most: int) -> list[T]:
    """At most so many of the samples, evenly spaced; the newest is always among them."""
    stride = -(-len(samples) // most) if len(samples) > most else 1
    return samples[::-1][::stride][::-1]


def _point(before: Sample, sample: Sample) -> Point:
    return Point(
        sample.at,
        rate(before.messages_in, sample.messages_in, sample.at - before.at),
        rate(before.messages_out, sample.messages_out, sample.at - before.at),
        sample.pending,
        sample.connections,
        sample.consumers,
        sample.resident_bytes,
    )


def rate(before: int, after: int, milliseconds: int) -> float:
    """How much a counter grew a second."""
    # A counter that is less than before began anew: another reign.
    return round(max(0, after - before) * 1000 / milliseconds, 3) if milliseconds > 0 else 0.0
