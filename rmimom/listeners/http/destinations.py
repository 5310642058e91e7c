"""Queues and topics: look at them, make them, empty them, pause them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from rmimom.commands import CreateDestination, DeleteDestination, Pause, Purge
from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.state import SERVER
from rmimom.core.statistics import DestinationStatistics, read_place
from rmimom.destination import Destination, Queue, Topic
from rmimom.listeners.http.connections import Consumer, consumers_of
from rmimom.listeners.http.history import HistoryQuery
from rmimom.listeners.http.operation import Call, Nothing, Operation, changeable
from rmimom.listeners.http.paging import ListQuery, Page, page_of
from rmimom.listeners.http.problems import not_found
from rmimom.listeners.http.readings import read_destinations
from rmimom.listeners.http.trends import TrendPoint
from rmimom.roles import OPERATOR

_Sort: TypeAlias = Literal[
    "name",
    "pending",
    "held",
    "delayed",
    "consumers",
    "subscriptions",
    "enqueued",
    "dequeued",
    "expired",
    "moved",
    "created",
]


class DestinationQuery(ListQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which queues or topics are wanted, and in which order."""

    sort: _Sort = "name"
    temporary: bool = True


class NewDestination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A queue or topic to make."""

    name: Annotated[str, msgspec.Meta(max_length=20_000)]


class Created(msgspec.Struct, frozen=True):
    """What there is now; `new` says whether it was made by this request."""

    kind: str
    name: str
    new: bool


class Count(msgspec.Struct, frozen=True):
    """How many messages were concerned."""

    count: int


class DestinationDetail(msgspec.Struct, frozen=True):
    """A queue or topic as a whole; the consumers of a topic are those of its subscriptions, at most 1000 of them.

    `dead_letter_queue` and `expiry_queue` are where its messages go that fail too often or expire; empty for nowhere.
    """

    statistics: DestinationStatistics
    consumers: list[Consumer]
    dead_letter_queue: str
    expiry_queue: str


class TrendAnswer(msgspec.Struct, frozen=True):
    """The points of a destination's charts, the oldest first.

    There are none for the time before the server was active or, with very many destinations, before this one was first
    looked at.
    """

    seconds: int
    items: list[TrendPoint]


class Paused(msgspec.Struct, frozen=True):
    """Whether the queue is paused, and whether this request changed that."""

    paused: bool
    changed: bool


async def list_queues(call: Call[DestinationQuery, None]) -> Page[DestinationStatistics]:
    """List the queues with their counters."""
    return await _list(call, QueuePlace)


async def list_topics(call: Call[DestinationQuery, None]) -> Page[DestinationStatistics]:
    """List the topics with their counters."""
    return await _list(call, TopicPlace)


async def _list(call: Call[DestinationQuery, None], kind: type) -> Page[DestinationStatistics]:
    rows = await read_destinations(call.engine.broker.state, kind)
    query = call.query
    if not query.temporary:
        rows = [row for row in rows if not row.temporary]
    return page_of(rows, query, query.sort, lambda row: [row.name], lambda row: row.name)


async def create_queue(call: Call[Nothing, NewDestination]) -> Created:
    """Make a queue; harmless if it exists."""
    return await _create(call, Queue(call.body.name))


async def create_topic(call: Call[Nothing, NewDestination]) -> Created:
    """Make a topic; harmless if it exists."""
    return await _create(call, Topic(call.body.name))


async def _create(call: Call[Nothing, NewDestination], wanted: Destination) -> Created:
    destination = changeable(wanted)
    new = await call.engine.submit(CreateDestination(SERVER, destination))
    return Created(destination.kind, destination.name, bool(new))


async def show_queue(call: Call[Nothing, None]) -> DestinationDetail:
    """Show one queue, with its consumers."""
    return _show(call, find_place(call, call.queue))


async def show_topic(call: Call[Nothing, None]) -> DestinationDetail:
    """Show one topic, with the consumers of its subscriptions."""
    return _show(call, find_place(call, call.topic))


def _show(call: Call[Nothing, None], place: Place) -> DestinationDetail:
    state = call.engine.broker.state
    policy = state.rules.policies.of(place.destination)
    return DestinationDetail(
        read_place(place),
        consumers_of(state, place),
        policy.dead_letter_queue(place.destination),
        policy.expiry_queue(place.destination),
    )


def find_place(call: Call[Any, Any], destination: Destination) -> Place:
    """The place of a destination that the path names; raises Refusal if it is not there."""
    place = call.engine.broker.state.places.get(destination)
    if place is None or destination.is_system:
        raise not_found(f"there is no {destination.kind} named {destination.name!r}", destination=str(destination))
    return place


async def show_queue_history(call: Call[HistoryQuery, None]) -> TrendAnswer:
    """Show what happened to a queue in the last minutes or hours, for charts."""
    return _show_history(call, find_place(call, call.queue))


async def show_topic_history(call: Call[HistoryQuery, None]) -> TrendAnswer:
    """Show what happened to a topic in the last minutes or hours, for charts."""
    return _show_history(call, find_place(call, call.topic))


def _show_history(call: Call[HistoryQuery, None], place: Place) -> TrendAnswer:
    trend = call.sampler.trends.look_at(str(place.destination))
    return TrendAnswer(call.query.seconds, trend.points(call.query.seconds, call.query.points))


async def delete_queue(call: Call[Nothing, None]) -> None:
    """Delete a queue with all that waits there; refused with 409 while it has consumers."""
    await call.engine.submit(DeleteDestination(SERVER, changeable(call.queue)))


async def delete_topic(call: Call[Nothing, None]) -> None:
    """Delete a topic with its durable subscriptions; refused with 409 while it has consumers."""
    await call.engine.submit(DeleteDestination(SERVER, changeable(call.topic)))


async def purge_queue(call: Call[Nothing, None]) -> Count:
    """Remove every message of a queue that no consumer holds."""
    count = await call.engine.submit(Purge(SERVER, changeable(call.queue)))
    assert isinstance(count, int)
    return Count(count)


async def pause_queue(call: Call[Nothing, None]) -> Paused:
    """Let a queue deliver nothing; it goes on taking messages.  That survives a restart."""
    return await _pause(call, paused=True)


async def resume_queue(call: Call[Nothing, None]) -> Paused:
    """Let a paused queue deliver again."""
    return await _pause(call, paused=False)


async def _pause(call: Call[Nothing, None], *, paused: bool) -> Paused:
    changed = await call.engine.submit(Pause(SERVER, changeable(call.queue), paused))
    return Paused(paused, bool(changed))


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/queues",
        handler=list_queues,
        tag="queues",
        query=DestinationQuery,
        answer=Page[DestinationStatistics],
    ),
    Operation(
        method="POST",
        path="/queues",
        handler=create_queue,
        tag="queues",
        role=OPERATOR,
        body=NewDestination,
        answer=Created,
        status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path="/queues/{name}", handler=show_queue, tag="queues", answer=DestinationDetail),
    Operation(
        method="GET",
        path="/queues/{name}/history",
        handler=show_queue_history,
        tag="queues",
        query=HistoryQuery,
        answer=TrendAnswer,
    ),
    Operation(method="DELETE", path="/queues/{name}", handler=delete_queue, tag="queues", role=OPERATOR),
    Operation(
        method="POST", path="/queues/{name}/purge", handler=purge_queue, tag="queues", role=OPERATOR, answer=Count
    ),
    Operation(
        method="POST", path="/queues/{name}/pause", handler=pause_queue, tag="queues", role=OPERATOR, answer=Paused
    ),
    Operation(
        method="POST", path="/queues/{name}/resume", handler=resume_queue, tag="queues", role=OPERATOR, answer=Paused
    ),
    Operation(
        method="GET",
        path="/topics",
        handler=list_topics,
        tag="topics",
        query=DestinationQuery,
        answer=Page[DestinationStatistics],
    ),
    Operation(
        method="POST",
        path="/topics",
        handler=create_topic,
        tag="topics",
        role=OPERATOR,
        body=NewDestination,
        answer=Created,
        status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path="/topics/{name}", handler=show_topic, tag="topics", answer=DestinationDetail),
    Operation(
        method="GET",
        path="/topics/{name}/history",
        handler=show_topic_history,
        tag="topics",
        query=HistoryQuery,
        answer=TrendAnswer,
    ),
    Operation(method="DELETE", path="/topics/{name}", handler=delete_topic, tag="topics", role=OPERATOR),
)
