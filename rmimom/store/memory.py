"""A store in memory: the specification in its shortest form, and a store for tests that need no disk.

It outlives `close()` and may be opened again, so that one object plays the disk in a simulated crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rmimom.errors import IllegalStateError, StoreError, StoreFullError
from rmimom.frame import PERSISTENT
from rmimom.records import (
    Batch,
    CallbackChanged,
    DestinationCreated,
    DestinationDeleted,
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
from rmimom.snapshot import DeliveryRow, MessageRow, Position
from rmimom.store.base import StoreStatistics


class _Past(NamedTuple):
    """What a delivery row says beside mailbox and message."""

    returns: int = 0
    failures: int = 0
    note: str = ""

    def once_more(self, *, failed: bool) -> _Past:
        return _Past(self.returns + 1, self.failures + failed, self.note)


class MemoryStore:
    """Keeps everything in dictionaries.

    `capacity` bounds the bytes of all frames together; it may be changed at any time.  An append that would go over
    it raises StoreFullError and changes nothing, as a full disk does.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self._open = False
        self._position = Position()
        self._destinations: dict[int, DestinationCreated] = {}
        self._subscriptions: dict[int, SubscriptionCreated] = {}
        self._producers: dict[str, ProducerAdvanced] = {}
        self._users: dict[str, UserPut] = {}
        self._delivered_up_to: dict[int, int] = {}
        self._messages: dict[int, MessageRow] = {}
        self._frames: dict[int, bytes] = {}
        self._spilled: set[int] = set()
        self._deliveries: dict[int, dict[int, _Past]] = {}
        self._bytes = self._batches = self._records = self._frames_loaded = 0

    def open(self) -> None:
        """Make the store ready; what was spilled before is gone.  Raises IllegalStateError if it is open."""
        if self._open:
            raise IllegalStateError("the store is open already")
        self._open = True
        self._batches = self._records = self._frames_loaded = 0
        self._drop(list(self._spilled))

    def load(self) -> MemorySnapshot:
        """The state as it stands."""
        self._check_open()
        return MemorySnapshot(
            self._position,
            sorted(self._destinations.values(), key=lambda destination: destination.id),
            sorted(self._subscriptions.values(), key=lambda subscription: subscription.id),
            list(self._producers.values()),
            list(self._users.values()),
            dict(self._delivered_up_to),
            sorted(self._messages.values()),
            [
                DeliveryRow(mailbox, message, *past)
                for mailbox, waiting in sorted(self._deliveries.items())
                for message, past in sorted(waiting.items())
                if message in self._messages
            ],
        )

    def append(self, batch: Batch) -> None:
        """Apply all records or none; see `rmimom.store.base.Store.append`."""
        self._check_open()
        if batch.sequence <= self._position.sequence:
            raise ValueError(f"batch {batch.sequence} does not come after batch {self._position.sequence}")
        stored = [record for record in batch.records if isinstance(record, MessagesStored)]
        ids = [number for record in stored for number in record.ids]
        if len(set(ids)) < len(ids) or not self._messages.keys().isdisjoint(ids):
            raise StoreError("a message id in the batch is used already", sequence=batch.sequence)
        size = sum(len(frame) for record in stored for frame in record.frames)
        if size and self.capacity is not None and self._bytes + size > self.capacity:
            raise StoreFullError(
                f"the store holds {self._bytes} bytes of at most {self.capacity}: a batch of {size} finds no room",
                used=self._bytes,
                capacity=self.capacity,
            )
        for record in batch.records:
            self._apply(record)
        self._position = Position(batch.epoch, batch.sequence, batch.next_id)
        self._batches += 1
        self._records += len(batch.records)

    def frames(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The frames of these messages; an id that is not stored is absent."""
        self._check_open()
        found = {number: self._frames[number] for number in ids if number in self._frames}
        self._frames_loaded += len(found)
        return found

    def maintain(self) -> bool:
        """Nothing to do here."""
        self._check_open()
        return False

    def statistics(self) -> StoreStatistics:
        """The counters."""
        return StoreStatistics(self._batches, self._records, len(self._messages), self._bytes, self._frames_loaded)

    def close(self) -> None:
        """End use until the next `open()`; what is stored stays."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise IllegalStateError("the store is not open")

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
                    waiting[number] = waiting[number].once_more(failed=False)
            case MessagesFailed():
                waiting = self._deliveries.get(record.mailbox, {})
                for number in waiting.keys() & record.ids:
                    waiting[number] = waiting[number].once_more(failed=True)
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
        for number, head, frame in zip(record.ids, record.heads, record.frames, strict=True):
            self._messages[number] = MessageRow(
                number, record.destination, head.priority, head.expiration, head.delivery_time, len(frame)
            )
            self._frames[number] = frame
            self._bytes += len(frame)
            if head.mode != PERSISTENT:
                self._spilled.add(number)
        for mailbox in record.mailboxes:
            self._deliveries.setdefault(mailbox, {}).update(dict.fromkeys(record.ids, _Past()))

    def _move(self, record: MessagesMoved) -> None:
        old = self._deliveries.get(record.mailbox, {})
        for number in record.ids:
            old.pop(number, None)
        for mailbox in record.to:
            waiting = self._deliveries.setdefault(mailbox, {})
            for number, count, note in zip(record.ids, record.counts, record.notes, strict=True):
                if number in self._messages:
                    waiting[number] = _Past(count, 0, note)

    def _drop(self, ids: Sequence[int]) -> None:
        for number in ids:
            if self._messages.pop(number, None) is not None:
                self._bytes -= len(self._frames.pop(number))
                self._spilled.discard(number)

    def _delete_destination(self, destination: int) -> None:
        self._destinations.pop(destination, None)
        for subscription in list(self._subscriptions.values()):
            if subscription.destination == destination:
                self._delete_mailbox(subscription.id)
        self._delete_mailbox(destination)
        waiting = {number for mailbox in self._deliveries.values() for number in mailbox}
        self._drop(
            [row.id for row in self._messages.values() if row.destination == destination and row.id not in waiting]
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


class MemorySnapshot:
    """The state of a MemoryStore at one moment."""

    def __init__(
        self,
        position: Position,
        destinations: Sequence[DestinationCreated],
        subscriptions: Sequence[SubscriptionCreated],
        producers: Sequence[ProducerAdvanced],
        users: Sequence[UserPut],
        delivered_up_to: Mapping[int, int],
        messages: Sequence[MessageRow],
        deliveries: Sequence[DeliveryRow],
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
