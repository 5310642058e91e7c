"""Messages that wait for their time: delayed ones, and those that are sent again and again (AMQ_SCHEDULED_...)."""

from __future__ import annotations

import heapq
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from rmimom.commands import CancelScheduled, DeliverNow, DeliverScheduled, Remove
from rmimom.core.mailbox import Mailbox
from rmimom.core.scheduling import Scheduled
from rmimom.core.state import SERVER, State
from rmimom.destination import Destination, Queue
from rmimom.listeners.http.messages import read_destination
from rmimom.listeners.http.operation import Call, Handler, Nothing, Operation
from rmimom.listeners.http.paging import Filter, Limit, ListQuery, Page, page_of
from rmimom.roles import OPERATOR

_Ids: TypeAlias = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2**62)]], msgspec.Meta(max_length=10_000)]


class Delayed(msgspec.Struct, frozen=True):
    """A message whose time has not come: `due` in milliseconds since 1970 UTC, `size` in bytes.

    `subscription` is the id of the subscription of a topic where it waits, 0 for a queue.
    """

    id: int
    destination: str
    subscription: int
    due: int
    priority: int
    size: int


class DelayedQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which delayed messages are wanted: those due first; the filter looks at the destination."""

    filter: Filter = ""
    limit: Limit = 100
    offset: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


class DelayedPage(msgspec.Struct, frozen=True):
    """Delayed messages, those due first first; `total` counts all that the filter lets through."""

    total: int
    offset: int
    limit: int
    items: list[Delayed]


class ScheduledQuery(ListQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which scheduled messages are wanted; the filter looks at the destination."""

    sort: Literal["next_time", "destination", "sent", "id", "size"] = "next_time"


class DelayedOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Delayed messages of one destination, `queue://NAME` or `topic://NAME`."""

    destination: Annotated[str, msgspec.Meta(max_length=20_000)]
    ids: _Ids


class ScheduledOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scheduled messages by their ids."""

    ids: _Ids


class Concerned(msgspec.Struct, frozen=True):
    """How many messages an order concerned; the others are not there any more."""

    count: int


async def list_delayed(call: Call[DelayedQuery, None]) -> DelayedPage:
    """List the messages whose delivery time has not come, or that wait after a failure."""
    query = call.query
    needle = query.filter.casefold()
    waiting = [
        (place, mailbox)
        for place, mailbox in _mailboxes(call.engine.broker.state)
        if mailbox.early and needle in str(place).casefold()
    ]
    rows = ((due, entry.id, mailbox.id, place, entry) for place, mailbox in waiting for due, entry in mailbox.not_due())
    first = heapq.nsmallest(query.offset + query.limit, rows, key=lambda row: row[:3])
    items = [
        Delayed(number, str(place), 0 if isinstance(place, Queue) else mailbox, due, entry.priority, entry.size)
        for due, number, mailbox, place, entry in first[query.offset :]
    ]
    return DelayedPage(sum(mailbox.early for _, mailbox in waiting), query.offset, query.limit, items)


def _mailboxes(state: State) -> list[tuple[Destination, Mailbox]]:
    found: list[tuple[Destination, Mailbox]] = []
    for place in state.places.values():
        if not place.destination.is_system:
            found += [(place.destination, mailbox) for mailbox in place.mailboxes()]
    return found + [(one.mailbox.origin, one.mailbox) for one in state.patterns.values()]


async def remove_delayed(call: Call[Nothing, DelayedOrder]) -> Concerned:
    """Remove delayed messages for good."""
    destination = read_destination(call.body.destination)
    wanted = set(call.body.ids)
    # What has become due a moment ago is in the queue like others, and is not what was meant.
    early = [
        entry.id
        for place, mailbox in _mailboxes(call.engine.broker.state)
        if place == destination
        for _, entry in mailbox.not_due()
        if entry.id in wanted
    ]
    return Concerned(_count(await call.engine.submit(Remove(SERVER, destination, early))))


async def deliver_delayed(call: Call[Nothing, DelayedOrder]) -> Concerned:
    """Deliver delayed messages now."""
    destination = read_destination(call.body.destination)
    return Concerned(_count(await call.engine.submit(DeliverNow(SERVER, destination, call.body.ids))))


async def list_scheduled(call: Call[ScheduledQuery, None]) -> Page[Scheduled]:
    """List the messages that are sent when their time comes, perhaps again and again."""
    rows, query = call.engine.broker.scheduled(), call.query
    return page_of(rows, query, query.sort, lambda row: [row.destination], lambda row: row.id)


async def cancel_scheduled(call: Call[Nothing, ScheduledOrder]) -> Concerned:
    """Forget scheduled messages: they are not sent any more."""
    return Concerned(_count(await call.engine.submit(CancelScheduled(SERVER, call.body.ids))))


async def deliver_scheduled(call: Call[Nothing, ScheduledOrder]) -> Concerned:
    """Send scheduled messages now, whatever their time; that counts as once."""
    return Concerned(_count(await call.engine.submit(DeliverScheduled(SERVER, call.body.ids))))


def _count(answer: object) -> int:
    return len(answer) if isinstance(answer, list) else int(str(answer))


def _order(path: str, handler: Handler, body: type[msgspec.Struct]) -> Operation:
    return Operation(
        method="POST", path=path, handler=handler, tag="scheduled", role=OPERATOR, body=body, answer=Concerned
    )


OPERATIONS: Final = (
    Operation(
        method="GET", path="/delayed", handler=list_delayed, tag="scheduled", query=DelayedQuery, answer=DelayedPage
    ),
    _order("/delayed/remove", remove_delayed, DelayedOrder),
    _order("/delayed/deliver", deliver_delayed, DelayedOrder),
    Operation(
        method="GET",
        path="/scheduled",
        handler=list_scheduled,
        tag="scheduled",
        query=ScheduledQuery,
        answer=Page[Scheduled],
    ),
    _order("/scheduled/cancel", cancel_scheduled, ScheduledOrder),
    _order("/scheduled/deliver", deliver_scheduled, ScheduledOrder),
)
