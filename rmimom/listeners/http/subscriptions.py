"""Subscriptions of topics: durable ones, with or without a consumer, and those that live as long as their consumers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from rmimom.commands import CreateSubscription, RemoveSubscription
from rmimom.core.place import TopicPlace
from rmimom.core.state import SERVER, State
from rmimom.core.subscription import Subscription as CoreSubscription
from rmimom.destination import Topic, check_source
from rmimom.errors import InvalidDestinationError
from rmimom.listeners.http.operation import Call, Nothing, Operation
from rmimom.listeners.http.paging import ListQuery, Page, page_of
from rmimom.listeners.http.problems import Refusal, bad_request, not_found
from rmimom.roles import OPERATOR

_Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=20_000)]


class Subscription(msgspec.Struct, frozen=True):
    """A subscription; `topic` is a name or a pattern.

    `client_id` is whose it is: a client id, a user for connections without one, or empty for what all of those share.
    A durable one is offline while it is not `active`, and its messages wait.
    """

    id: int
    client_id: str
    name: str
    topic: str
    pattern: bool
    durable: bool
    shared: bool
    active: bool
    consumers: int
    selector: str
    no_local: bool
    pending: int
    held: int
    enqueued: int
    dequeued: int
    expired: int
    moved: int
    created: int


class SubscriptionQuery(ListQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which subscriptions are wanted; the filter looks at client id, name and topic."""

    sort: Literal[
        "client_id", "name", "topic", "pending", "held", "consumers", "enqueued", "dequeued", "created", "id"
    ] = "client_id"
    state: Literal["all", "active", "offline", "not-durable"] = "all"
    topic: _Text = ""


class NewSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A durable subscription to make for clients that connect later.

    `client_id` is their client id, or their user if they have none; a shared one may leave it empty.
    """

    topic: _Text
    name: _Text
    client_id: _Text = ""
    selector: _Text = ""
    no_local: bool = False
    shared: bool = False


def _all(state: State) -> list[CoreSubscription]:
    found = {one.id: one for one in [*state.patterns.values(), *state.subscriptions.values()]}
    for place in state.places.values():
        if isinstance(place, TopicPlace):
            found.update(place.subscriptions)
    return [one for one in found.values() if not one.mailbox.origin.is_system]


def _row(state: State, one: CoreSubscription) -> Subscription:
    mailbox = one.mailbox
    client = state.clients.get(one.connection)
    return Subscription(
        one.id,
        one.owner or (client.client_id if client is not None and not one.shared else ""),
        one.name,
        one.pattern or state.places_by_id[one.topic].destination.name,
        bool(one.pattern),
        one.durable,
        one.shared,
        one.active,
        len(mailbox.consumers),
        str(one.selector) if one.selector is not None else "",
        one.no_local,
        mailbox.pending,
        mailbox.held,
        mailbox.enqueued,
        mailbox.dequeued,
        mailbox.expired,
        mailbox.moved,
        one.created,
    )


_WANTED: Final[Mapping[str, Callable[[CoreSubscription], bool]]] = {
    "all": lambda one: True,
    "active": lambda one: one.durable and one.active,
    "offline": lambda one: one.durable and not one.active,
    "not-durable": lambda one: not one.durable,
}


async def list_subscriptions(call: Call[SubscriptionQuery, None]) -> Page[Subscription]:
    """List the subscriptions: durable ones that are active or offline, and those that are not durable."""
    state, query = call.engine.broker.state, call.query
    wanted = _WANTED[query.state]
    rows = [_row(state, one) for one in _all(state) if wanted(one)]
    if query.topic:
        rows = [row for row in rows if row.topic == query.topic]
    return page_of(
        rows, query, query.sort, lambda row: [row.client_id, row.name, row.topic], lambda row: (row.name, row.id)
    )


async def create_subscription(call: Call[Nothing, NewSubscription]) -> Subscription:
    """Make a durable subscription; refused with 409 if it exists."""
    engine, asked = call.engine, call.body
    topic = Topic(asked.topic)
    if topic.is_system:
        raise bad_request(f"{topic} belongs to the server")
    try:
        check_source(topic)
    except InvalidDestinationError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, error) from None
    command = CreateSubscription(
        SERVER, topic, asked.client_id, asked.name, asked.selector, asked.no_local, asked.shared
    )
    try:
        await engine.submit(command)
    except InvalidDestinationError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, error) from None
    state = engine.broker.state
    return _row(state, state.subscriptions[asked.client_id, asked.name])


async def show_subscription(call: Call[Nothing, None]) -> Subscription:
    """Show one subscription."""
    state, number = call.engine.broker.state, _number(call)
    for one in _all(state):
        if one.id == number:
            return _row(state, one)
    raise not_found(f"there is no subscription {number} (any more)", subscription=number)


async def delete_subscription(call: Call[Nothing, None]) -> None:
    """Delete a durable subscription with what waits there; refused with 409 while it has a consumer."""
    await call.engine.submit(RemoveSubscription(SERVER, _number(call)))


def _number(call: Call[Nothing, None]) -> int:
    text = call.path["id"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise not_found(f"subscriptions are known by numbers, not by {text!r}")
    return int(text)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/subscriptions",
        handler=list_subscriptions,
        tag="subscriptions",
        query=SubscriptionQuery,
        answer=Page[Subscription],
    ),
    Operation(
        method="POST",
        path="/subscriptions",
        handler=create_subscription,
        tag="subscriptions",
        role=OPERATOR,
        body=NewSubscription,
        answer=Subscription,
        status=HTTPStatus.CREATED,
    ),
    Operation(
        method="GET",
        path="/subscriptions/{id}",
        handler=show_subscription,
        tag="subscriptions",
        answer=Subscription,
    ),
    Operation(
        method="DELETE",
        path="/subscriptions/{id}",
        handler=delete_subscription,
        tag="subscriptions",
        role=OPERATOR,
    ),
)
