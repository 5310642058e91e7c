"""A reading of the core's counters; consoles and metrics only collect it."""

from __future__ import annotations

import msgspec

from rmimom.core.place import QueuePlace
from rmimom.core.state import BARE, SERVER, State


class DestinationStatistics(msgspec.Struct, frozen=True):
    """One queue or topic.

    `pending` counts messages that are not gone (for a topic: over all its subscriptions), `held` those of them that
    are with a consumer.  Subscriptions with a pattern count for none of their topics.
    `enqueued`, `dequeued`, `expired` and `moved` count since the server started; `moved` are those that became dead
    letters, or were sent back from a queue of dead letters.
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


def collect(state: State) -> BrokerStatistics:
    """Read the counters."""
    destinations: list[DestinationStatistics] = []
    for place in state.places.values():
        if place.destination.is_system:
            continue
        mailboxes = place.mailboxes()
        is_queue = isinstance(place, QueuePlace)
        destinations.append(
            DestinationStatistics(
                kind=place.destination.kind,
                name=place.destination.name,
                pending=sum(mailbox.pending for mailbox in mailboxes),
                held=sum(mailbox.held for mailbox in mailboxes),
                consumers=sum(len(mailbox.consumers) for mailbox in mailboxes),
                subscriptions=0 if is_queue else len(mailboxes),
                enqueued=place.mailbox.enqueued if isinstance(place, QueuePlace) else place.enqueued,
                dequeued=sum(mailbox.dequeued for mailbox in mailboxes)
                + (0 if isinstance(place, QueuePlace) else place.dequeued),
                expired=sum(mailbox.expired for mailbox in mailboxes)
                + (0 if isinstance(place, QueuePlace) else place.expired),
                moved=sum(mailbox.moved for mailbox in mailboxes)
                + (0 if isinstance(place, QueuePlace) else place.moved),
            )
        )
    subscriptions = [
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
