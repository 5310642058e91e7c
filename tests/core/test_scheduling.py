"""When a scheduled message is sent (rmimom/core/scheduling.py)."""

from __future__ import annotations

import pytest
from support.brokers import BrokerOnStore
from support.messages import frame_for

from rmimom.commands import Connect, Fetched, Send, Tick
from rmimom.core.scheduling import first_time, next_time
from rmimom.core.state import Rules
from rmimom.destination import Queue
from rmimom.effects import Fetch
from rmimom.wishes import Schedule

QUEUE = Queue("q")
TIMES: list[tuple[Schedule, int, int, int]] = [
    (Schedule(delay=5, start=100), 1, 100, 0),
    (Schedule(period=10, repeat=2, start=100), 1, 100, 110),
    (Schedule(period=10, repeat=2, start=100), 2, 119, 120),
    (Schedule(period=10, repeat=2, start=100), 3, 120, 0),
    (Schedule(period=10, repeat=-1, start=100), 99, 155, 160),
    (Schedule(period=10, repeat=1, start=100), 1, 90, 110),
    (Schedule(cron="0 * * * *", start=100), 5, 3_600_000, 7_200_000),
]


@pytest.mark.parametrize(("schedule", "sent", "now", "following"), TIMES)
def test_next_time(schedule: Schedule, sent: int, now: int, following: int) -> None:
    """Given what was sent, then the next time is in the rhythm and after now, or there is none."""
    assert next_time(schedule, sent, now) == following


def test_first_time() -> None:
    """Given a delay, a period or an entry, then that says when it begins, in this order but for the entry."""
    assert first_time(Schedule(delay=5, period=7), 100) == 105
    assert first_time(Schedule(period=7), 100) == 107
    assert first_time(Schedule(delay=5, cron="* * * * *"), 100) == 60_000


def test_frames_are_asked_for_once() -> None:
    """Given messages that rest on disk, when they are due, then their frames are asked for once, and nothing twice."""
    room = BrokerOnStore(Rules(resident_bytes=0))
    room.handle(Connect("c", "c"))
    frame = frame_for(QUEUE, properties={"AMQ_SCHEDULED_DELAY": 10})
    room.handle(Send("c", "", 0, QUEUE, [frame] * 3))
    room.now += 10
    [asked] = room.handle(Tick()).effects
    assert isinstance(asked, Fetch)
    assert room.handle(Tick()).effects == []
    frames = room.store.frames(asked.ids)
    room.handle(Fetched(asked.ids[:1], {asked.ids[0]: frames[asked.ids[0]]}))
    room.handle(Fetched(asked.ids[1:], frames))
    room.handle(Fetched(asked.ids, frames))
    waiting = {place.name: place.pending for place in room.broker.statistics().destinations}
    assert waiting == {"q": 3}
    assert room.broker.scheduled() == []
