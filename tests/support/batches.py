"""Batches of records for tests of stores: made by hand, or by chance as the core might write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rmimom.frame import BYTES, NON_PERSISTENT, PERSISTENT, TEXT, Frame, decode_head, encode
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

NOW = 1_700_000_000_000
Choose = Callable[[int], int]
"""A number from 0 to n-1."""


def make_frame(
    body: bytes = b"hello",
    properties: bytes = b'{"magnitude": 5.1}',
    *,
    kind: int = TEXT,
    mode: int = PERSISTENT,
    priority: int = 4,
    expiration: int = 0,
    delivery_time: int = 0,
) -> bytes:
    """The frame of a message."""
    return encode(
        Frame(
            kind=kind,
            mode=mode,
            priority=priority,
            timestamp=NOW,
            expiration=expiration,
            delivery_time=delivery_time,
            destination="queue://orders",
            message_id="ID:1",
            properties_length=len(properties),
            body_length=len(body),
            correlation_id=None,
            reply_to=None,
            type=None,
            properties=properties,
            body=body,
        )
    )


def stored(
    destination: int, mailboxes: Sequence[int], frames: dict[int, bytes], wishes: Sequence[str] = ()
) -> MessagesStored:
    """The record for these messages."""
    heads = [decode_head(frame) for frame in frames.values()]
    return MessagesStored(destination, list(mailboxes), list(frames), heads, list(frames.values()), list(wishes))


def queue(number: int, name: str = "") -> DestinationCreated:
    """A queue."""
    return DestinationCreated(number, "queue", name or f"queue-{number}", NOW)


def topic(number: int) -> DestinationCreated:
    """A topic."""
    return DestinationCreated(number, "topic", f"topic-{number}", NOW)


def subscription(number: int, destination: int) -> SubscriptionCreated:
    """A durable subscription."""
    return SubscriptionCreated(
        number, destination, "client", f"name-{number}", "magnitude > 5", True, "", NOW, bool(number % 2)
    )


class Script:
    """Batches by chance: mostly such as the core writes, some with ids that mean nothing, which must do no harm."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self.next_id = 1
        self.sequence = 0
        self.queues: list[int] = []
        self.topics: dict[int, list[int]] = {}
        self.waiting: dict[int, list[int]] = {}
        self.messages: list[int] = []
        self.producers: list[str] = []

    def batch(self) -> Batch:
        """The next batch: up to eight records."""
        records = [record for _ in range(1 + self._choose(8)) for record in self._records()]
        self.sequence += 1 + self._choose(2)
        return Batch(1 + self._choose(2), self.sequence, self.next_id, records)

    def _records(self) -> list[Record]:
        kinds: Sequence[Callable[[], list[Record]]] = (
            *[self._store] * 5,
            *[self._remove] * 3,
            *[self._drop] * 3,
            self._give_back,
            self._fail,
            self._move,
            self._advance,
            self._advance_producer,
            self._create,
            self._delete,
            self._rare,
        )
        return kinds[self._choose(len(kinds))]()

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _one_of(self, things: Sequence[int]) -> int:
        """One of them, or sometimes an id that is used for something else or for nothing."""
        if things and self._choose(8):
            return things[self._choose(len(things))]
        return 1 + self._choose(self.next_id + 3)

    def _some_of(self, things: Sequence[int]) -> list[int]:
        if not things:
            return [self._one_of(things) for _ in range(self._choose(3))]
        first = self._choose(len(things))
        found = list(things[first : first + self._choose(40) : 1 + self._choose(2)])
        return list(dict.fromkeys(found + [self._one_of(things)] * self._choose(2)))

    def _create(self) -> list[Record]:
        kind = self._choose(3)
        number = self._new_id()
        if kind == 0 or not self.topics:
            self.topics[number] = []
            return [topic(number)]
        if kind == 1:
            self.queues.append(number)
            return [queue(number)]
        place = list(self.topics)[self._choose(len(self.topics))]
        self.topics[place].append(number)
        return [subscription(number, place)]

    def _delete(self) -> list[Record]:
        if self._choose(3):
            return [SubscriptionDeleted(self._one_of([one for every in self.topics.values() for one in every]))]
        number = self._one_of([*self.queues, *self.topics])
        self.queues = [one for one in self.queues if one != number]
        self.topics.pop(number, None)
        return [DestinationDeleted(number)]

    def _store(self) -> list[Record]:
        if not self.queues:
            number = self._new_id()
            self.queues.append(number)
            return [queue(number)]
        destination = self._one_of([*self.queues, *self.topics])
        mailboxes = self.topics.get(destination, [destination])
        frames: dict[int, bytes] = {}
        size = (10, 300, 3000, 30_000, 70_000)[self._choose(5)]
        for _ in range(1 + self._choose(3 if size > 3000 else 30)):
            number = self._new_id()
            body = number.to_bytes(4, "big") * (size // 4 + self._choose(3))
            frames[number] = make_frame(
                body,
                kind=BYTES,
                mode=PERSISTENT if self._choose(8) else NON_PERSISTENT,
                priority=self._choose(10),
                expiration=NOW + self._choose(2) * 1000,
                delivery_time=self._choose(2) * NOW,
            )
        if self._choose(10) == 0:
            # The core writes ids in order; a store need not lean on it.
            frames = dict(reversed(frames.items()))
        self.messages += frames
        for mailbox in mailboxes:
            self.waiting.setdefault(mailbox, []).extend(frames)
        wishes = ['{"max_redeliveries":1}' if self._choose(2) else "" for _ in frames] if self._choose(4) == 0 else []
        return [stored(destination, mailboxes, frames, wishes)]

    def _remove(self) -> list[Record]:
        mailbox = self._one_of(list(self.waiting))
        ids = self._some_of(self.waiting.get(mailbox, []))
        gone = set(ids)
        self.waiting[mailbox] = [number for number in self.waiting.get(mailbox, []) if number not in gone]
        return [MessagesRemoved(mailbox, ids)]

    def _drop(self) -> list[Record]:
        ids = self._some_of(self.messages)
        gone = set(ids)
        self.messages = [number for number in self.messages if number not in gone]
        return [MessagesDropped(ids)]

    def _give_back(self) -> list[Record]:
        mailbox = self._one_of(list(self.waiting))
        return [MessagesReturned(mailbox, self._some_of(self.waiting.get(mailbox, [])))]

    def _fail(self) -> list[Record]:
        mailbox = self._one_of(list(self.waiting))
        ids = self._some_of(self.waiting.get(mailbox, []))
        return [MessagesFailed(mailbox, ids, self._choose(2) * 1_700_000_060_000)]

    def _move(self) -> list[Record]:
        mailbox = self._one_of(list(self.waiting))
        ids = self._some_of(self.waiting.get(mailbox, []))
        gone = set(ids)
        self.waiting[mailbox] = [number for number in self.waiting.get(mailbox, []) if number not in gone]
        to = list({self._one_of(list(self.waiting)) for _ in range(self._choose(3))})
        for target in to:
            there = self.waiting.setdefault(target, [])
            there += [number for number in ids if number not in there]
        notes = [f'{{"dead_at":{self._choose(9)}}}' for _ in ids]
        return [MessagesMoved(mailbox, to, ids, [self._choose(5) for _ in ids], notes)]

    def _advance(self) -> list[Record]:
        return [MailboxAdvanced(self._one_of(list(self.waiting)), self._choose(self.next_id + 1))]

    def _advance_producer(self) -> list[Record]:
        name = f"producer {self._choose(4)}"
        return [ProducerAdvanced(name, 1 + self._choose(50), NOW + self._choose(50))]

    def _rare(self) -> list[Record]:
        subscriptions = [one for every in self.topics.values() for one in every]
        choices: list[Record] = [
            ProducersForgotten([f"producer {self._choose(4)}", "nobody"]),
            CallbackChanged(self._one_of(subscriptions), f"PYRO:object@host:{self._choose(10)}"),
            UserPut(f"user {self._choose(3)}", b"salt", bytes([self._choose(256)]), bool(self._choose(2))),
            DestinationPaused(self._one_of(list(self.waiting)), bool(self._choose(2))),
            UserRemoved(f"user {self._choose(3)}"),
        ]
        return [choices[self._choose(len(choices))]]
