"""The state that a sequence of batches describes, in memory and without the frames.

It is what a `MemoryStore` keeps beside the frames, and what a standby keeps beside its disk, so that it need not read
the disk before it can serve.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from rmimom.frame import PERSISTENT
from rmimom.records import (
    Batch,
    CallbackChanged,
    DestinationCreated,
    DestinationDeleted,
    DestinationPaused,
    MailboxAdvanced,
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    MessagesStored,
    ProducerAdvanced,
    ProducersForgotten,
    Record,
    SubscriptionCreated,
    SubscriptionDeleted,
    UserPut,
    UserRemoved,
)
from rmimom.snapshot import DeliveryRow, MessageRow, Position, Snapshot


class _Past(NamedTuple):
    """What a delivery row says beside mailbox and message."""

    returns: int = 0
    failures: int = 0
    note: str = ""
    due: int = 0

    def returned(self) -> _Past:
        return self._replace(returns=self.returns + 1)

    def failed(self, due: int) -> _Past:
        return _Past(self.returns + 1, self.failures + 1, self.note, due)


_NEW: Final = _Past()


class Image:
    """See the module's text."""

    def __init__(self) -> None:
        self.position = Position()
        self.messages: dict[int, MessageRow] = {}
        self.spilled: set[int] = set()
        """Non-persistent messages among them."""
        self._destinations: dict[int, DestinationCreated] = {}
        self._subscriptions: dict[int, SubscriptionCreated] = {}
        self._producers: dict[str, ProducerAdvanced] = {}
        self._users: dict[str, UserPut] = {}
        self._delivered_up_to: dict[int, int] = {}
        self._deliveries: dict[int, dict[int, _Past]] = {}
        self._dropped: list[int] = []

    @classmethod
    def of(cls, snapshot: Snapshot) -> Image:
        """The state that a store tells when it is loaded; what it holds of non-persistent messages is gone by then."""
        image = cls()
        image.position = snapshot.position
        image._destinations = {record.id: record for record in snapshot.destinations()}
        image._subscriptions = {record.id: record for record in snapshot.subscriptions()}
        image._producers = {record.producer: record for record in snapshot.producers()}
        image._users = {record.name: record for record in snapshot.users()}
        image._delivered_up_to = dict(snapshot.delivered_up_to())
        image.messages = {row.id: row for row in snapshot.messages()}
        for mailbox, message, returns, failures, note, due in snapshot.deliveries():
            past = _Past(returns, failures, note, due) if returns or note else _NEW
            image._deliveries.setdefault(mailbox, {})[message] = past
        return image

    def snapshot(self) -> ImageSnapshot:
        """The state as it stands, to recover from; messages and deliveries are looked up as they are read."""
        return ImageSnapshot(
            self.position,
            sorted(self._destinations.values(), key=lambda destination: destination.id),
            sorted(self._subscriptions.values(), key=lambda subscription: subscription.id),
            list(self._producers.values()),
            list(self._users.values()),
            dict(self._delivered_up_to),
            # Ids come nearly in order, so sorting them takes next to nothing; rows would be compared field by field.
            map(self.messages.__getitem__, sorted(self.messages)),
            (
                DeliveryRow(mailbox, message, *waiting[message])
                for mailbox, waiting in sorted(self._deliveries.items())
                for message in sorted(waiting)
                if message in self.messages
            ),
        )

    def apply(self, batch: Batch) -> list[int]:
        """Change as the batch says; returns the ids of the messages that are dropped."""
        self._dropped = []
        for record in batch.records:
            self._apply(record)
        self.position = Position(batch.epoch, batch.sequence, batch.next_id)
        return self._dropped

    def drop_spilled(self) -> list[int]:
        """Forget the non-persistent messages, which must not outlive the server that took them; returns their ids."""
        self._dropped = []
        self._drop(list(self.spilled))
        return self._dropped

    def _apply(self, record: Record) -> None:
        match record:
            case MessagesStored():
                self._store(record)
            case MessagesRemoved():
                waiting = self._deliveries.get(record.mailbox, {})
                for number in record.ids:
                    waiting.pop(number, None)
            case MessagesDropped():
                self._drop(record.ids)
            case MessagesReturned():
                waiting = self._deliveries.get(record.mailbox, {})
                for number in waiting.keys() & record.ids:
                    waiting[number] = waiting[number].returned()
            case MessagesFailed():
                waiting = self._deliveries.get(record.mailbox, {})
                for number in waiting.keys() & record.ids:
                    waiting[number] = waiting[number].failed(record.due)
            case MessagesMoved():
                self._move(record)
            case MailboxAdvanced():
                last = self._delivered_up_to.get(record.mailbox, 0)
                self._delivered_up_to[record.mailbox] = max(last, record.delivered_up_to)
            case ProducerAdvanced():
                known = self._producers.get(record.producer, record)
                sequence = max(known.sequence, record.sequence)
                self._producers[record.producer] = ProducerAdvanced(record.producer, sequence, record.at)
            case ProducersForgotten():
                for producer in record.producers:
                    self._producers.pop(producer, None)
            case DestinationCreated():
                self._destinations[record.id] = record
            case DestinationDeleted():
                self._delete_destination(record.id)
            case DestinationPaused():
                known_place = self._destinations.get(record.id)
                if known_place is not None:
                    self._destinations[record.id] = msgspec.structs.replace(known_place, paused=record.paused)
            case SubscriptionCreated():
                self._subscriptions[record.id] = record
            case SubscriptionDeleted():
                self._delete_mailbox(record.id)
            case CallbackChanged():
                self._change_callback(record)
            case UserPut():
                self._users[record.name] = record
            case UserRemoved():
                self._users.pop(record.name, None)

    def _store(self, record: MessagesStored) -> None:
        wishes = record.wishes or [""] * len(record.ids)
        for number, head, frame, wish in zip(record.ids, record.heads, record.frames, wishes, strict=True):
            self.messages[number] = MessageRow(
                number, record.destination, head.priority, head.expiration, head.delivery_time, len(frame), wish
            )
            if head.mode != PERSISTENT:
                self.spilled.add(number)
        for mailbox in record.mailboxes:
            self._deliveries.setdefault(mailbox, {}).update(dict.fromkeys(record.ids, _NEW))

    def _move(self, record: MessagesMoved) -> None:
        old = self._deliveries.get(record.mailbox, {})
        for number in record.ids:
            old.pop(number, None)
        for mailbox in record.to:
            waiting = self._deliveries.setdefault(mailbox, {})
            for number, count, note in zip(record.ids, record.counts, record.notes, strict=True):
                if number in self.messages:
                    waiting[number] = _Past(count, 0, note)

    def _drop(self, ids: Sequence[int]) -> None:
        for number in ids:
            if self.messages.pop(number, None) is not None:
                self._dropped.append(number)
                self.spilled.discard(number)

    def _delete_destination(self, destination: int) -> None:
        self._destinations.pop(destination, None)
        for subscription in list(self._subscriptions.values()):
            if subscription.destination == destination:
                self._delete_mailbox(subscription.id)
        self._delete_mailbox(destination)
        waiting = {number for mailbox in self._deliveries.values() for number in mailbox}
        self._drop(
            [row.id for row in self.messages.values() if row.destination == destination and row.id not in waiting]
        )

    def _delete_mailbox(self, mailbox: int) -> None:
        self._subscriptions.pop(mailbox, None)
        self._deliveries.pop(mailbox, None)
        self._delivered_up_to.pop(mailbox, None)

    def _change_callback(self, record: CallbackChanged) -> None:
        old = self._subscriptions.get(record.subscription)
        if old is not None:
            self._subscriptions[old.id] = SubscriptionCreated(
                old.id,
                old.destination,
                old.client_id,
                old.name,
                old.selector,
                old.no_local,
                record.callback,
                old.created,
                old.shared,
                old.pattern,
            )


class ImageSnapshot:
    """The state of an image at one moment."""

    def __init__(
        self,
        position: Position,
        destinations: Sequence[DestinationCreated],
        subscriptions: Sequence[SubscriptionCreated],
        producers: Sequence[ProducerAdvanced],
        users: Sequence[UserPut],
        delivered_up_to: Mapping[int, int],
        messages: Iterable[MessageRow],
        deliveries: Iterable[DeliveryRow],
    ) -> None:
        self.position = position
        self._destinations = destinations
        self._subscriptions = subscriptions
        self._producers = producers
        self._users = users
        self._delivered_up_to = delivered_up_to
        self._messages = messages
        self._deliveries = deliveries

    def destinations(self) -> Iterator[DestinationCreated]:
        """By id."""
        return iter(self._destinations)

    def subscriptions(self) -> Iterator[SubscriptionCreated]:
        """By id."""
        return iter(self._subscriptions)

    def producers(self) -> Iterator[ProducerAdvanced]:
        """In no order that means anything."""
        return iter(self._producers)

    def users(self) -> Iterator[UserPut]:
        """In no order that means anything."""
        return iter(self._users)

    def delivered_up_to(self) -> Mapping[int, int]:
        """By mailbox; absent means 0."""
        return self._delivered_up_to

    def messages(self) -> Iterator[MessageRow]:
        """By id."""
        return iter(self._messages)

    def deliveries(self) -> Iterator[DeliveryRow]:
        """By mailbox, then by message."""
        return iter(self._deliveries)
