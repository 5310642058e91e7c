"""A reading of the core's counters; consoles and metrics only collect it."""

from __future__ import annotations

import msgspec

from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.state import BARE, SERVER, State


class DestinationStatistics(msgspec.Struct, frozen=True):
    """One queue or topic.

    `pending` counts messages that are not gone (for a topic: over all its subscriptions), `held` those of them that
    are with a consumer.  Subscriptions with a pattern count for none of their topics.
    `enqueued`, `dequeued`, `expired` and `moved` count since the server started; `moved` are those that became dead
    letters, were sent back from a queue of dead letters, or moved to another queue by hand.  `delayed` are those of
    `pending` whose time has not come; `created` in milliseconds since 1970 UTC.
    """

    kind: str
    name: str
    pending: int
    held: int
    consumers: int
    subscriptions: int
    enqueued: int
    dequeued: int
    expired: int
    moved: int
    delayed: int = 0
    paused: bool = False
    created: int = 0
    temporary: bool = False


class SubscriptionStatistics(msgspec.Struct, frozen=True):
    """One durable subscription; `topic` is a name or a pattern."""

    client_id: str
    name: str
    topic: str
    active: bool
    pending: int
    held: int
    dequeued: int


class BrokerStatistics(msgspec.Struct, frozen=True):
    """The whole core; `resident_bytes` are the frames in memory."""

    connections: int
    consumers: int
    messages_in: int
    messages_out: int
    resident_bytes: int
    producers: int
    destinations: list[DestinationStatistics]
    subscriptions: list[SubscriptionStatistics]


def read_place(place: Place) -> DestinationStatistics:
    """Read the counters of one destination."""
    mailboxes = place.mailboxes()
    # A topic keeps what subscriptions that are gone have counted.
    past = place if isinstance(place, TopicPlace) else None
    return DestinationStatistics(
        kind=place.destination.kind,
        name=place.destination.name,
        pending=sum(mailbox.pending for mailbox in mailboxes),
        held=sum(mailbox.held for mailbox in mailboxes),
        consumers=sum(len(mailbox.consumers) for mailbox in mailboxes),
        subscriptions=len(mailboxes) if past else 0,
        enqueued=place.mailbox.enqueued if isinstance(place, QueuePlace) else place.enqueued,
        dequeued=sum(mailbox.dequeued for mailbox in mailboxes) + (past.dequeued if past else 0),
        expired=sum(mailbox.expired for mailbox in mailboxes) + (past.expired if past else 0),
        moved=sum(mailbox.moved for mailbox in mailboxes) + (past.moved if past else 0),
        delayed=sum(mailbox.early for mailbox in mailboxes),
        paused=isinstance(place, QueuePlace) and place.mailbox.paused,
        created=place.created,
        temporary=bool(place.owner),
    )


def read_subscriptions(state: State) -> list[SubscriptionStatistics]:
    """Read the counters of the durable subscriptions."""
    return [
        SubscriptionStatistics(
            client_id=subscription.owner,
            name=subscription.name,
            topic=subscription.pattern or state.places_by_id[subscription.topic].destination.name,
            active=subscription.active,
            pending=subscription.mailbox.pending,
            held=subscription.mailbox.held,
            dequeued=subscription.mailbox.dequeued,
        )
        for subscription in state.subscriptions.values()
    ]


def collect(state: State) -> BrokerStatistics:
    """Read the counters."""
    destinations = [read_place(place) for place in state.places.values() if not place.destination.is_system]
    subscriptions = read_subscriptions(state)
    clients = [client for connection, client in state.clients.items() if connection not in {SERVER, BARE}]
    return BrokerStatistics(
        connections=len(clients),
        consumers=sum(len(client.consumers) for client in state.clients.values()),
        messages_in=state.messages_in,
        messages_out=state.messages_out,
        resident_bytes=state.residence.used,
        producers=len(state.producers),
        destinations=destinations,
        subscriptions=subscriptions,
    )
