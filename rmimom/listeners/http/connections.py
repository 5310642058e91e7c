"""Connections and their consumers.

The name of a connection in the core is a secret: who knows it can act for the client.  So connections are known here by
a hash of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from rmimom.commands import Disconnect
from rmimom.core.place import Place, QueuePlace
from rmimom.core.state import BARE, SERVER, Client, Opened, State
from rmimom.dispatch import ConnectionInfo, public_id
from rmimom.engine import Engine
from rmimom.listeners.http.operation import Call, Nothing, Operation
from rmimom.listeners.http.paging import ListQuery, Page, page_of
from rmimom.listeners.http.problems import not_found
from rmimom.roles import OPERATOR

MOST_CONSUMERS: Final = 1000
"""Consumers that are listed with a destination or a connection."""


class Consumer(msgspec.Struct, frozen=True):
    """An open consumer: what it may have (`prefetch`) and what it holds.

    `subscription` is the name of a durable or shared subscription, or empty; `selector` is empty for everything.
    """

    connection: str
    number: int
    user: str
    client_id: str
    destination: str
    subscription: str
    selector: str
    prefetch: int
    held: int
    held_bytes: int


class Connection(msgspec.Struct, frozen=True):
    """A client's connection; `protocol` is rmi, bare (a Pyro5 callback object without our library), or stomp.

    `since` is in milliseconds since 1970 UTC.
    """

    id: str
    user: str
    client_id: str
    protocol: str
    address: str
    since: int
    consumers: int
    held: int
    temporaries: int


class ConnectionDetail(msgspec.Struct, frozen=True):
    """A connection with its consumers, at most 1000 of them, and its temporary destinations."""

    connection: Connection
    consumers: list[Consumer]
    temporaries: list[str]


_Sort: TypeAlias = Literal[
    "user", "client_id", "protocol", "address", "since", "consumers", "held", "temporaries", "id"
]


class ConnectionQuery(ListQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which connections are wanted, and in which order; the filter looks at user, client id, address and protocol."""

    sort: _Sort = "since"


async def list_connections(call: Call[ConnectionQuery, None]) -> Page[Connection]:
    """List the connections of clients."""
    engine = call.engine
    rows = [_row(engine, client) for client in _clients(engine.broker.state)]
    return page_of(
        rows,
        call.query,
        call.query.sort,
        lambda row: [row.user, row.client_id, row.address, row.protocol],
        lambda row: row.id,
    )


async def show_connection(call: Call[Nothing, None]) -> ConnectionDetail:
    """Show one connection with its consumers."""
    client = _find(call)
    consumers = [_consumer(client, opened) for opened in list(client.consumers.values())[:MOST_CONSUMERS]]
    return ConnectionDetail(_row(call.engine, client), consumers, [str(one) for one in client.temporaries])


async def close_connection(call: Call[Nothing, None]) -> None:
    """Close a connection: what its consumers hold goes back to its place.  A client may connect again at once."""
    client, engine = _find(call), call.engine
    info = engine.dispatch.info(client.connection)
    if info is not None:
        await info.close(f"closed by {call.caller.user}")
    # The listener has said the same by now, or knows no better way.
    await engine.submit(Disconnect(client.connection))


def _clients(state: State) -> Iterable[Client]:
    return [client for name, client in state.clients.items() if name not in {SERVER, BARE}]


def _find(call: Call[Nothing, None]) -> Client:
    wanted = call.path["id"]
    for client in _clients(call.engine.broker.state):
        if public_id(client.connection) == wanted:
            return client
    raise not_found(f"there is no connection {wanted!r} (any more)", connection=wanted)


def _row(engine: Engine, client: Client) -> Connection:
    info = engine.dispatch.info(client.connection) or ConnectionInfo("bare", "", 0)
    return Connection(
        public_id(client.connection),
        client.user,
        client.client_id,
        info.protocol,
        info.address,
        info.since,
        len(client.consumers),
        sum(len(opened.consumer.held) for opened in client.consumers.values()),
        len(client.temporaries),
    )


def _consumer(client: Client, opened: Opened) -> Consumer:
    consumer, subscription = opened.consumer, opened.subscription
    selector = consumer.selector if subscription is None else subscription.selector
    return Consumer(
        public_id(client.connection),
        consumer.number,
        client.user,
        client.client_id,
        str(opened.source),
        subscription.name if subscription is not None else "",
        str(selector) if selector is not None else "",
        consumer.prefetch,
        len(consumer.held),
        consumer.held_bytes,
    )


def consumers_of(state: State, place: Place) -> list[Consumer]:
    """The consumers of a queue, or of the subscriptions of a topic, those with a pattern among them."""
    mailboxes = place.mailboxes()
    if not isinstance(place, QueuePlace):
        mailboxes = mailboxes + [one.mailbox for one in place.patterns.values()]
    found: list[Consumer] = []
    for mailbox in mailboxes:
        for consumer in mailbox.consumers[: MOST_CONSUMERS - len(found)]:
            client = state.clients[consumer.connection]
            found.append(_consumer(client, client.consumers[consumer.number]))
    return found


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/connections",
        handler=list_connections,
        tag="connections",
        query=ConnectionQuery,
        answer=Page[Connection],
    ),
    Operation(
        method="GET",
        path="/connections/{id}",
        handler=show_connection,
        tag="connections",
        answer=ConnectionDetail,
    ),
    Operation(method="DELETE", path="/connections/{id}", handler=close_connection, tag="connections", role=OPERATOR),
)
