"""A message's life: where it is now, and what happened to it as far as that is still known.

Where it is, the core knows by its number.  By a JMSMessageID it has to be looked for among everything that waits, in
pieces, so that others have their turn in between; and one request looks at so much and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import islice
from typing import Annotated, Final, NamedTuple

import msgspec

from rmimom.core.entry import Entry
from rmimom.core.mailbox import Found, Mailbox
from rmimom.core.place import QueuePlace, TopicPlace
from rmimom.core.scheduling import SCHEDULE
from rmimom.core.state import State
from rmimom.dispatch import public_id
from rmimom.engine import Engine
from rmimom.frame import decode_head
from rmimom.listeners.http.message import Summary, summary_of
from rmimom.listeners.http.messages import read_destination
from rmimom.listeners.http.operation import Call, Operation
from rmimom.listeners.http.story import Story, read_story

PIECE: Final = 100
"""Messages that are looked at before others have their turn."""
MAILBOXES_AT_ONCE: Final = 200
MOST_EXAMINED: Final = 100_000
"""Messages that one request looks at."""
MOST_BYTES: Final = 256 * 1024 * 1024
"""Bytes of messages that one request looks at."""


class TraceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where to look: a `queue://NAME` or `topic://NAME`; everywhere if it is left out."""

    destination: Annotated[str, msgspec.Meta(max_length=20_000)] = ""


class Whereabout(msgspec.Struct, frozen=True):
    """A place where the message is, in a state: ready, delayed, held, in doubt, or scheduled.

    `subscription` is the id of the subscription of a topic, 0 for a queue, and `subscription_name` its name.
    `connection`, `user` and `client_id` are of the consumer that holds it; `deliveries` counts how often it came back.
    """

    destination: str
    subscription: int
    subscription_name: str
    state: str
    deliveries: int
    connection: str
    user: str
    client_id: str


class Event(msgspec.Struct, frozen=True):
    """Something that happened: see `Step`; `where` and `to` are queues and subscriptions by name.

    `at` is in milliseconds since 1970 UTC.
    """

    at: int
    epoch: int
    sequence: int
    what: str
    where: str
    to: list[str]
    reason: str


class Trace(msgspec.Struct, frozen=True):
    """What is known of a message.

    `id` is its number, null if it is not known.  `message` is null if it is nowhere (any more).  `complete` says
    whether all that waits was looked at.  `events` are what happened to it, if it is persistent, the oldest first,
    since the batch `events_since`: the active server keeps what its latest batches did, and forgets it when it stops.
    """

    id: int | None
    message: Summary | None
    places: list[Whereabout]
    complete: bool
    examined: int
    events: list[Event]
    events_since: int


class _Box(NamedTuple):
    """A mailbox, and what it is called."""

    mailbox: Mailbox
    destination: str
    subscription: int
    name: str

    def __str__(self) -> str:
        return f"{self.destination} ({self.name or self.subscription})" if self.subscription else self.destination


async def trace_message(call: Call[TraceQuery, None]) -> Trace:
    """Tell a message's life, by its JMSMessageID or its number: where it is, and what happened to it before."""
    engine, asked = call.engine, call.path["id"]
    destination = call.query.destination
    if destination:
        destination = str(read_destination(destination))
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None
    # Before anything is looked for, for what is told next would be missing in both.
    story = await asyncio.to_thread(read_story, engine.trail.kept(), number, asked)
    number = number if number is not None else story.id
    boxes = await _boxes(engine.broker.state, destination)
    examined, complete = 0, True
    if number is None:
        number, examined, complete = await _look_for(engine, boxes, asked, call.view.clock.now())
    places: list[Whereabout] = []
    message: Summary | None = None
    if number is not None:
        for at, box in enumerate(boxes):
            if at % MAILBOXES_AT_ONCE == MAILBOXES_AT_ONCE - 1:
                await asyncio.sleep(0)
            found = box.mailbox.find(number)
            if found is not None:
                places.append(_whereabout(engine.broker.state, box, found))
                message = message or await _summary(engine, found)
    names = {box.mailbox.id: str(box) for box in await _boxes(engine.broker.state, "")}
    return Trace(number, message, places, complete, examined, _events(story, names), story.since)


async def _boxes(state: State, destination: str) -> list[_Box]:
    """Every mailbox that there is, or those of one destination."""
    found: list[_Box] = []
    for at, place in enumerate(list(state.places.values())):
        if at % MAILBOXES_AT_ONCE == MAILBOXES_AT_ONCE - 1:
            await asyncio.sleep(0)
        name = str(place.destination)
        if (destination and destination != name) or (place.destination.is_system and place.destination != SCHEDULE):
            continue
        if isinstance(place, QueuePlace):
            found.append(_Box(place.mailbox, name, 0, ""))
        elif isinstance(place, TopicPlace):
            found += [_Box(one.mailbox, name, one.id, one.name) for one in place.subscriptions.values()]
    for one in state.patterns.values():
        name = str(one.mailbox.origin)
        if destination in {"", name} and not one.mailbox.origin.is_system:
            found.append(_Box(one.mailbox, name, one.id, one.name))
    return found


async def _look_for(engine: Engine, boxes: list[_Box], message_id: str, now: int) -> tuple[int | None, int, bool]:
    """The number of the message of this id among all that waits; how many were looked at, and whether that was all."""
    examined = size = 0
    seen: set[int] = set()
    for box in boxes:
        async for piece in _pieces(box.mailbox, now):
            # A message of a topic waits in many mailboxes.
            entries = [entry for entry in piece if entry.id not in seen]
            seen.update(entry.id for entry in entries)
            resting = [entry.id for entry in entries if entry.frame is None]
            frames = await engine.frames(resting) if resting else {}
            for entry in entries:
                frame = frames.get(entry.id) if entry.frame is None else entry.frame
                if frame is not None and decode_head(frame).message_id == message_id:
                    return entry.id, examined, True
            examined += len(entries)
            size += sum(entry.size for entry in entries)
            if examined >= MOST_EXAMINED or size >= MOST_BYTES:
                return None, examined, False
            await asyncio.sleep(0)
    return None, examined, True


async def _pieces(mailbox: Mailbox, now: int) -> AsyncIterator[list[Entry]]:
    """Everything in a mailbox, some at a time; what moves on meanwhile may be missed."""
    aside = [entry for consumer in mailbox.consumers for entry in consumer.held.values()]
    aside += [entry for _, entry in islice(mailbox.not_due(), MOST_EXAMINED)]
    for start in range(0, len(aside), PIECE):
        yield aside[start : start + PIECE]
    after: tuple[int, int] | None = None
    while True:
        piece = [entry for entry, _ in islice(mailbox.browse(after, now), PIECE)]
        if not piece:
            return
        yield piece
        after = piece[-1].priority, piece[-1].id


def _whereabout(state: State, box: _Box, found: Found) -> Whereabout:
    connection = user = client_id = ""
    if found.state == "held":
        holder = next(one for one in box.mailbox.consumers if found.entry.id in one.held)
        client = state.clients[holder.connection]
        connection, user, client_id = public_id(holder.connection), client.user, client.client_id
    state_name = "scheduled" if box.destination == str(SCHEDULE) else found.state
    return Whereabout(
        box.destination, box.subscription, box.name, state_name, found.past.returns, connection, user, client_id
    )


async def _summary(engine: Engine, found: Found) -> Summary | None:
    frame, number = found.entry.frame, found.entry.id
    if frame is None:
        frame = (await engine.frames([number])).get(number)
    return summary_of(number, frame, found.past.returns, found.past.note) if frame is not None else None


def _events(story: Story, names: dict[int, str]) -> list[Event]:
    def name(mailbox: int) -> str:
        return names.get(mailbox, f"{mailbox} (gone)") if mailbox else ""

    return [
        Event(
            step.at,
            step.epoch,
            step.sequence,
            step.what,
            name(step.mailbox),
            [name(one) for one in step.to],
            step.reason,
        )
        for step in story.steps
    ]


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/messages/{id}/trace",
        handler=trace_message,
        tag="messages",
        query=TraceQuery,
        answer=Trace,
    ),
)
"""What can be asked about one message, wherever it is."""
