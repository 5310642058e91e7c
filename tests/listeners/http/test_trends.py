"""A day of single destinations, in bounded memory."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.http import Room, in_room
from support.messages import frame_for

from rmimom.commands import Send
from rmimom.core.state import SERVER
from rmimom.core.statistics import DestinationStatistics
from rmimom.destination import Queue
from rmimom.listeners.http import trends
from rmimom.listeners.http.history import RINGS
from rmimom.listeners.http.trends import Trend, Trends


def row(name: str, enqueued: int = 0, dequeued: int = 0, *, temporary: bool = False) -> DestinationStatistics:
    pending = enqueued - dequeued
    return DestinationStatistics("queue", name, pending, 0, 0, 0, enqueued, dequeued, 0, 0, temporary=temporary)


def rows(*names: str) -> dict[str, DestinationStatistics]:
    return {f"queue://{name}": row(name) for name in names}


def test_rates_are_made_of_counters() -> None:
    trend = Trend()
    for second in range(5):
        trend.add(1_000_000 + second * 1000, row("q", second * 10, second * 4))
    points = trend.points(60, 100)
    assert [point.pending for point in points] == [0, 6, 12, 18, 24]
    assert [(point.in_rate, point.out_rate) for point in points] == [(0, 0)] + [(10, 4)] * 4


@pytest.mark.parametrize(
    ("seconds", "most", "count", "step"),
    [(60, 1000, 61, 1), (900, 1000, 900, 1), (900, 300, 300, 3), (3600, 1000, 361, 10), (86400, 2000, 1440, 60)],
)
def test_the_last_minutes_and_the_last_day(seconds: int, most: int, count: int, step: int) -> None:
    """Given more than a day, when some of it is asked for, then it comes in as many points as are kept or wanted."""
    trend = Trend()
    for second in range(86400 + 7201):
        trend.add(1_000_000 + second * 1000, row("q", second * 3))
    points = trend.points(seconds, most)
    assert len(points) == count
    assert {after.at - before.at for before, after in pairwise(points)} == {step * 1000}
    assert {point.in_rate for point in points[1:]} == {3}
    assert [len(ring._data) for ring in trend._rings] == [size * 4 for _, size in RINGS]


def test_a_clock_that_is_early_or_late_leaves_no_gap() -> None:
    trend = Trend()
    for second in range(10):
        trend.add(1_000_000 + second * 1000 + (40 if second % 2 else 0), row("q", second))
    assert len(trend.points(60, 100)) == 10


def test_there_is_an_end_to_how_many_have_a_trend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more destinations than have a place, when one is looked at, then one goes that nobody looked at."""
    monkeypatch.setattr(trends, "MOST_TRENDS", 3)
    kept = Trends()
    everything = rows("a", "b", "c", "d")
    kept.look_at("queue://c")
    kept.add(1000, everything)
    assert len(kept) == 3
    assert len(kept.look_at("queue://c").points(60, 100)) == 1
    kept.look_at("queue://d")
    kept.add(2000, everything)
    assert len(kept) == 3
    assert len(kept.look_at("queue://c").points(60, 100)) == 2
    assert len(kept.look_at("queue://d").points(60, 100)) == 1


def test_what_is_gone_is_forgotten_and_temporary_destinations_have_none() -> None:
    kept = Trends()
    kept.add(1000, {**rows("a", "b"), "temp-queue://t": row("t", temporary=True)})
    assert len(kept) == 2
    kept.add(2000, rows("b"))
    assert len(kept) == 1
    assert kept.look_at("queue://a").points(60, 100) == []


def test_charts_of_a_queue_over_http() -> None:
    async def conversation(room: Room) -> None:
        await room.post("/queues", {"name": "a/b"})
        await room.sampler.sample()
        queue = Queue("a/b")
        await room.engine.submit(Send(SERVER, "", 0, queue, [frame_for(queue)] * 3))
        room.clock.advance(1000)
        await room.sampler.sample()
        answer = await room.get("/queues/a%2Fb/history?seconds=60")
        assert [(point["pending"], point["in_rate"]) for point in answer["items"]] == [(0, 0), (3, 3)]
        await room.get("/topics/a%2Fb/history", expect=404)
        await room.post("/topics", {"name": "t"})
        assert (await room.get("/topics/t/history"))["items"] == []

    in_room(conversation)
