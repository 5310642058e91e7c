"""Queues and topics as the core keeps them: a destination and its mailboxes."""

from __future__ import annotations

from collections.abc import Iterable

from rmimom.core.history import History
from rmimom.core.mailbox import Mailbox
from rmimom.core.subscription import Subscription
from rmimom.destination import Destination, Queue, Topic
from rmimom.selector import Selector


class QueuePlace:
    """A queue: one mailbox that all its consumers share (§4.1.2)."""

    __slots__ = ("created", "destination", "id", "mailbox", "owner")

    def __init__(self, place_id: int, destination: Queue, created: int, mailbox: Mailbox) -> None:
        self.id = place_id
        self.destination: Destination = destination
        self.created = created
        self.mailbox = mailbox
        self.owner = ""  # the connection whose temporary queue it is

    @property
    def has_consumers(self) -> bool:
        """Whether somebody consumes from the queue; one with a pattern does not if it holds nothing of it."""
        return any(not consumer.waits_to_be_invited or consumer.held for consumer in self.mailbox.consumers)

    def mailboxes(self) -> list[Mailbox]:
        """All mailboxes of the place."""
        return [self.mailbox]

    def audience(self, connection: str, client_id: str) -> list[tuple[Mailbox, Selector | None]]:
        """The mailboxes that get what this connection sends, each with its selector."""
        del connection, client_id
        return [(self.mailbox, None)]


class TopicPlace:
    """A topic: a mailbox for each subscription, durable or not (§4.2.2).

    `patterns` are the subscriptions that the topic has in common with others, because their pattern matches its name;
    `queues` get copies because it is a virtual topic.  `history` is what is kept for those who come later, if anything.
    """

    __slots__ = (
        "created",
        "dequeued",
        "destination",
        "enqueued",
        "expired",
        "history",
        "id",
        "moved",
        "owner",
        "patterns",
        "queues",
        "subscriptions",
    )

    def __init__(self, place_id: int, destination: Topic, created: int) -> None:
        self.id = place_id
        self.destination: Destination = destination
        self.created = created
        self.owner = ""  # the connection whose temporary topic it is
        self.enqueued = 0
        self.dequeued = 0  # by subscriptions that are gone
        self.expired = 0
        self.moved = 0
        self.subscriptions: dict[int, Subscription] = {}
        self.patterns: dict[int, Subscription] = {}
        self.queues: dict[int, QueuePlace] = {}
        self.history: History | None = None

    @property
    def has_consumers(self) -> bool:
        """Whether any subscription of its own has an active consumer."""
        return any(subscription.mailbox.consumers for subscription in self.subscriptions.values())

    def mailboxes(self) -> list[Mailbox]:
        """All mailboxes of its own."""
        return [subscription.mailbox for subscription in self.subscriptions.values()]

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription, but not what it counted."""
        del self.subscriptions[subscription.id]
        self.dequeued += subscription.mailbox.dequeued
        self.expired += subscription.mailbox.expired
        self.moved += subscription.mailbox.moved

    def audience(self, connection: str, client_id: str) -> list[tuple[Mailbox, Selector | None]]:
        """The mailboxes that get what this connection sends, each with its selector.

        No-local subscriptions leave out their own (§8.3.1), and those that end get nothing more.
        """
        subscriptions: Iterable[Subscription] = self.subscriptions.values()
        if self.patterns:
            subscriptions = (*subscriptions, *self.patterns.values())
        audience: list[tuple[Mailbox, Selector | None]] = [
            (subscription.mailbox, subscription.selector)
            for subscription in subscriptions
            if not (subscription.ending or (subscription.no_local and subscription.is_own(connection, client_id)))
        ]
        if self.queues:
            audience += [(queue.mailbox, None) for queue in self.queues.values()]
        return audience


Place = QueuePlace | TopicPlace
