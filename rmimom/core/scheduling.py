"""Scheduling: messages that are to be delivered later, and again and again (AMQ_SCHEDULED_... of ActiveMQ).

A scheduled message waits in a queue of the server's own, delayed until its next time, and is always on disk, whatever
its delivery mode says.  When its time comes a copy is sent to its destination (`firing.py`), as if it were sent then,
and the message goes back to wait for the time after.  To the store that looks like a message that failed and is due
again: the number of failures is that of the copies sent, so nothing more has to be recorded.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rmimom.commands import CancelScheduled
from rmimom.core.entry import Entry
from rmimom.core.place import Place, QueuePlace
from rmimom.core.state import State
from rmimom.core.turn import Turn
from rmimom.cron import parse_cron
from rmimom.destination import Queue
from rmimom.frame import PERSISTENT, decode_frame, decode_head, encode
from rmimom.records import DestinationCreated, MessagesStored
from rmimom.wishes import SCHEDULED, Schedule, Wishes, encode_wishes

SCHEDULE = Queue("rmimom.schedule")
"""Where scheduled messages wait; nobody consumes from it."""


def keep(state: State, place: Place, frame: bytes, wishes: Wishes, turn: Turn) -> None:
    """Let a message wait for its first time."""
    asked = wishes.schedule
    assert asked is not None
    start = first_time(asked, turn.now)
    schedule = msgspec.structs.replace(asked, start=start, destination=str(place.destination))
    add(state, _stripped(frame), msgspec.structs.replace(wishes, schedule=schedule), turn)


def add(state: State, frame: bytes, wishes: Wishes, turn: Turn) -> None:
    """Let a message wait for the first time of its schedule, which says the rest."""
    assert wishes.schedule is not None
    home = state.places.get(SCHEDULE)
    if home is None:
        home = state.add_place(state.take_id(), SCHEDULE, turn.now)
        turn.records.append(DestinationCreated(home.id, SCHEDULE.kind, SCHEDULE.name, turn.now))
    assert isinstance(home, QueuePlace)
    head = decode_head(frame)
    number, size = state.take_id(), len(frame)
    state.residence.used += size
    entry = Entry(number, head.priority, 0, size, 1, True, frame, wishes)
    kept = msgspec.structs.replace(head, mode=PERSISTENT, expiration=0, delivery_time=wishes.schedule.start)
    turn.records.append(MessagesStored(home.id, [home.id], [number], [kept], [frame], [encode_wishes(wishes)]))
    home.mailbox.put_delayed(entry, wishes.schedule.start)
    state.residence.shrink([entry])


def _stripped(frame: bytes) -> bytes:
    """The message without what asked for the schedule, so that a copy sent on is not scheduled again."""
    whole = decode_frame(frame)
    properties = {
        name: value for name, value in msgspec.json.decode(whole.properties).items() if not name.startswith(SCHEDULED)
    }
    text = msgspec.json.encode(properties)
    return encode(msgspec.structs.replace(whole, properties=text, properties_length=len(text)))


def first_time(schedule: Schedule, now: int) -> int:
    """When the first copy is due, in milliseconds since 1970 UTC."""
    if schedule.cron:
        return parse_cron(schedule.cron).next_after(now)
    return now + (schedule.delay or schedule.period)


def next_time(schedule: Schedule, sent: int, now: int) -> int:
    """When the next copy is due after so many were sent, 0 for never; times that were missed meanwhile are left out."""
    if schedule.cron:
        return parse_cron(schedule.cron).next_after(now)
    if not schedule.period or 0 <= schedule.repeat < sent:
        return 0
    missed = max(0, now - schedule.start) // schedule.period
    return schedule.start + (missed + 1) * schedule.period


class Scheduled(msgspec.Struct, frozen=True):
    """One scheduled message; times in milliseconds since 1970 UTC, `sent` is how often it was sent, `size` in bytes."""

    id: int
    destination: str
    next_time: int
    sent: int
    delay: int
    period: int
    repeat: int
    cron: str
    size: int


def scheduled(state: State) -> list[Scheduled]:
    """Everything that is scheduled, what is due next first."""
    home = state.places.get(SCHEDULE)
    if not isinstance(home, QueuePlace):
        return []
    found: list[Scheduled] = []
    for due, entry in home.mailbox.delayed():
        schedule = entry.wishes.schedule if entry.wishes is not None else None
        if schedule is not None:
            sent = home.mailbox.failures(entry)
            terms = schedule.delay, schedule.period, schedule.repeat, schedule.cron
            found.append(Scheduled(entry.id, schedule.destination, due, sent, *terms, entry.size))
    return sorted(found, key=lambda one: (one.next_time, one.id))


def cancel(state: State, command: CancelScheduled, turn: Turn) -> int:
    """Forget scheduled messages; returns how many there were."""
    return _strike(state, command.ids, turn)


def _strike(state: State, ids: Sequence[int] | None, turn: Turn) -> int:
    home = state.places.get(SCHEDULE)
    if not isinstance(home, QueuePlace):
        return 0
    if ids is None:
        return home.mailbox.purge(turn)
    gone = home.mailbox.select(ids)
    home.mailbox.remove(gone, turn)
    return len(gone)
