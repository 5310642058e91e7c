"""What a connection has to tell the server: sends and acknowledgements, and what became of them.

No threads and no sockets here: the caller sees to it that one thread at a time is inside.  The life of a message:

    chunk filling ─► chunk waiting ─► chunk under way ─► settled (accepted, or refused with an error)
                          ▲                 │
                          └─── lost() ──────┘

Rule 1: everything sent to one destination is one stream; a stream is a producer to the server, with a random name and
        numbers from 1 without gaps.  Two destinations never share numbers, for the server may refuse one and accept the
        other, and the highest number alone could not tell that apart from a repetition.
Rule 2: a stream has at most one chunk under way, and a chunk is accepted or refused as a whole.  So after a lost answer
        the same chunk goes again with the same numbers, and the server passes over it if it has it.
Rule 3: numbers are given when a chunk goes under way; a refused chunk gives its numbers back.
Rule 4: messages that travel in one chunk share their fate and therefore one `Ticket`.

Acknowledgements need no numbers, for the tag of a message says what is meant however often it is said.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

from rmimom.errors import ConnectionFailedError, JMSError, from_dict
from rmimom.frame import AckBatch, Frame, Request, Response, SendBatch

CHUNK_MESSAGES = 500
"""Messages that travel together at most: enough that the cost of a call does not count, few enough that the first is
not kept waiting for long."""
CHUNK_BYTES = 1024 * 1024
"""Bytes of properties and bodies after which a chunk is full; a single larger message travels alone."""


class Ticket:
    """The fate of messages or acknowledgements that travel together: open, or settled with or without an error."""

    __slots__ = ("error", "settled")

    def __init__(self) -> None:
        self.settled = False
        self.error: JMSError | None = None

    def settle(self, error: JMSError | None) -> None:
        """Say what became of it.  The error is there before anybody sees that it is settled."""
        self.error = error
        self.settled = True

    def check(self) -> None:
        """Raise the error with which it was settled, if it was."""
        if self.error is not None:
            raise again(self.error)


def again(error: JMSError) -> JMSError:
    """The same error to raise once more.

    Several callers may be told of one error: each gets its own, or they would write into each other's traceback.
    """
    copy = from_dict(error.to_dict())
    copy.__cause__ = error
    return copy


class _Chunk:
    """Messages of one stream that travel together; `room` is how many bytes still fit."""

    __slots__ = ("frames", "room", "ticket")

    def __init__(self, ticket: Ticket, room: int) -> None:
        self.frames: list[Frame] = []
        self.room = room
        self.ticket = ticket


class Stream:
    """Everything that the connection sends to one destination, in order."""

    __slots__ = ("_filling", "_outbox", "_waiting", "destination", "next_sequence", "producer", "under_way", "users")

    def __init__(self, outbox: Outbox, destination: str) -> None:
        self._outbox = outbox
        self._waiting: deque[_Chunk] = deque()
        self._filling: _Chunk | None = None  # the last one of those waiting
        self.destination = destination
        self.producer = secrets.token_hex(8)
        self.next_sequence = 1
        self.under_way: _Chunk | None = None
        self.users = 0
        """Producers that keep this stream; without any it may be forgotten when it is idle."""

    def add(self, frame: Frame, size: int) -> Ticket:
        """Take a message to send, of `size` bytes without its headers; the ticket tells when it is on disk."""
        outbox = self._outbox
        if size < outbox.least_size:  # noqa: PLR1730  # max() takes three times as long
            size = outbox.least_size
        chunk = self._filling
        if chunk is None or chunk.room < size:
            chunk = self._begin_chunk()
        chunk.room -= size
        chunk.frames.append(frame)
        outbox.unconfirmed += 1
        return chunk.ticket

    def _begin_chunk(self) -> _Chunk:
        outbox = self._outbox
        if not self._waiting and self.under_way is None:
            outbox.ready.append(self)
        self._filling = chunk = _Chunk(outbox.make_ticket(), outbox.chunk_bytes)
        self._waiting.append(chunk)
        return chunk

    def start(self) -> SendBatch | None:
        """Put the first chunk under way."""
        if self.under_way is None:
            if not self._waiting:
                return None
            self.under_way = self._waiting.popleft()
            if not self._waiting:
                self._filling = None
        # The frames are encoded with the batch, in one go: the same bytes as if each had been encoded by itself.
        return SendBatch(self.producer, self.next_sequence, self.destination, self.under_way.frames)  # type: ignore[arg-type]

    @property
    def first_size(self) -> int:
        """Bytes of the chunk that would go next, about; 0 if there is none."""
        chunk = self.under_way or (self._waiting[0] if self._waiting else None)
        return self._outbox.chunk_bytes - chunk.room if chunk else 0

    @property
    def has_full_chunk(self) -> bool:
        """Whether a chunk waits that nothing more will be put into."""
        return len(self._waiting) > 1

    def finish(self, error: JMSError | None) -> None:
        """Settle the chunk that is under way."""
        chunk = self.under_way
        assert chunk is not None
        self.under_way = None
        count = len(chunk.frames)
        if error is None:
            self.next_sequence += count
        outbox = self._outbox
        outbox.unconfirmed -= count
        if self._waiting:
            outbox.ready.append(self)
        chunk.ticket.settle(error)

    def take_back(self) -> None:
        """The answer was lost: the chunk goes again, before anything else of the stream."""
        assert self.under_way is not None
        self._outbox.ready.append(self)

    def give_up(self, error: JMSError) -> None:
        """Settle everything with an error.  What comes later is numbered anew, for nobody knows what was accepted."""
        chunks = [self.under_way, *self._waiting] if self.under_way else list(self._waiting)
        self.under_way = self._filling = None
        self._waiting.clear()
        self.producer = secrets.token_hex(8)
        self.next_sequence = 1
        for chunk in chunks:
            chunk.ticket.settle(error)

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting or under way."""
        return self.under_way is None and not self._waiting


class Acks:
    """Acknowledgements of one consumer on their way to the server.

    Any thread may append to `pending`; a deque bears that without a lock.
    """

    __slots__ = ("_next_ticket", "_outbox", "_ticket", "consumer", "pending", "under_way")

    def __init__(self, outbox: Outbox, consumer: int) -> None:
        self._outbox = outbox
        self._next_ticket: Ticket | None = None
        self._ticket: Ticket | None = None
        self.consumer = consumer
        self.pending: deque[int] = deque()
        self.under_way: list[int] = []

    def ticket(self) -> Ticket:
        """The fate of all that is pending now."""
        if self._next_ticket is None:
            self._next_ticket = self._outbox.make_ticket()
        return self._next_ticket

    def start(self) -> AckBatch | None:
        """Put everything pending under way, after what was under way when an answer was lost."""
        if not self.pending and not self.under_way:
            return None
        return AckBatch(self.consumer, 0, self.unsettled())

    def finish(self, error: JMSError | None) -> bool:
        """Settle what is under way; returns whether somebody may wait for it."""
        self.under_way = []
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            ticket.settle(error)
        return ticket is not None

    def unsettled(self) -> list[int]:
        """Tags acknowledged by the application whose acknowledgement is not known to be on disk.

        They become what is under way: the caller tells the server of them and calls `finish`.
        """
        self.under_way += [self.pending.popleft() for _ in range(len(self.pending))]
        if self._ticket is None:
            self._ticket, self._next_ticket = self._next_ticket, None
        elif self._next_ticket is not None:
            first, second, self._next_ticket = self._ticket, self._next_ticket, None
            self._ticket = _Both(first, second)
        return self.under_way


class _Both(Ticket):
    """Two tickets with one fate, when acknowledgements of two exchanges are told in one."""

    __slots__ = ("_tickets",)

    def __init__(self, *tickets: Ticket) -> None:
        super().__init__()
        self._tickets = tickets

    def settle(self, error: JMSError | None) -> None:
        for ticket in self._tickets:
            ticket.settle(error)
        super().settle(error)


class Outbox:
    """The sends and acknowledgements of one connection.

    `unconfirmed` counts messages not settled; `ready` holds the streams that have a chunk to send and none under way.
    """

    def __init__(
        self,
        make_ticket: Callable[[], Ticket] = Ticket,
        *,
        chunk_messages: int = CHUNK_MESSAGES,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self.make_ticket = make_ticket
        self.chunk_bytes = chunk_bytes
        # Counting every message as so many bytes at least makes one limit of the two.
        self.least_size = max(1, chunk_bytes // chunk_messages)
        self.unconfirmed = 0
        self.ready: deque[Stream] = deque()
        self._streams: dict[str, Stream] = {}
        self._acks: dict[int, Acks] = {}
        self._sends_under_way: list[Stream] = []
        self._acks_under_way: list[Acks] = []

    def stream(self, destination: str) -> Stream:
        """The stream to a destination, made if need be."""
        found = self._streams.get(destination)
        if found is None:
            if len(self._streams) >= MAX_IDLE_STREAMS:
                self._streams = {
                    name: stream for name, stream in self._streams.items() if stream.users or not stream.idle
                }
            found = self._streams[destination] = Stream(self, destination)
        return found

    def acks(self, consumer: int) -> Acks:
        """The acknowledgements of a consumer, made if need be."""
        found = self._acks.get(consumer)
        if found is None:
            found = self._acks[consumer] = Acks(self, consumer)
        return found

    def forget(self, consumer: int) -> None:
        """The consumer is closed; acknowledgements not under way now are dropped."""
        acks = self._acks.pop(consumer, None)
        if acks is not None and acks not in self._acks_under_way:
            acks.unsettled()
            acks.finish(_too_late(consumer))

    @property
    def has_acks(self) -> bool:
        """Whether there are acknowledgements to send."""
        return any(acks.pending for acks in self._acks.values())

    @property
    def has_work(self) -> bool:
        """Whether there is anything for `start` to put under way."""
        return bool(self.ready) or self.has_acks

    @property
    def is_empty(self) -> bool:
        """Whether everything is settled."""
        return not (self.unconfirmed or self._acks_under_way or self.has_acks)

    @property
    def parts_under_way(self) -> int:
        """The number of outcomes that the answer to the exchange under way must have."""
        return len(self._sends_under_way) + len(self._acks_under_way)

    def start(self) -> Request | None:
        """Put the next exchange under way: a chunk of each stream that has one, and all acknowledgements.

        None if there is nothing to say.  `finish` or `lost` must follow before the next start.
        """
        assert not self._sends_under_way
        assert not self._acks_under_way
        sends: list[SendBatch] = []
        size = 0
        ready = self.ready
        while ready:
            stream = ready[0]
            size += stream.first_size
            if sends and size > self.chunk_bytes:
                break
            ready.popleft()
            batch = stream.start()
            if batch is not None:
                sends.append(batch)
                self._sends_under_way.append(stream)
        acks: list[AckBatch] = []
        for queue in self._acks.values():
            told = queue.start()
            if told is not None:
                acks.append(told)
                self._acks_under_way.append(queue)
        return Request(sends, acks) if sends or acks else None

    def finish(self, response: Response) -> list[JMSError]:
        """Settle the exchange under way; returns the errors of acknowledgements that nobody waits for.

        Raises ValueError, and changes nothing, if the number of outcomes is wrong.
        """
        outcomes = response.outcomes
        if len(outcomes) != self.parts_under_way:
            raise ValueError(f"{len(outcomes)} outcomes came for {self.parts_under_way} sends and acknowledgements")
        errors = iter(None if outcome is None else from_dict(outcome) for outcome in outcomes)
        sends, self._sends_under_way = self._sends_under_way, []
        acks, self._acks_under_way = self._acks_under_way, []
        for stream, error in zip(sends, errors, strict=False):
            stream.finish(error)
        unheard: list[JMSError] = []
        for queue, error in zip(acks, errors, strict=True):
            heard = queue.finish(error)
            if error is not None and not heard:
                unheard.append(error)
        return unheard

    def lost(self) -> None:
        """The answer of the exchange under way will never come.

        The sends go again.  The acknowledgements stay under way until the consumer says them anew (`Acks.unsettled`).
        """
        streams, self._sends_under_way = self._sends_under_way, []
        for stream in streams:
            stream.take_back()
        acks, self._acks_under_way = self._acks_under_way, []
        for queue in acks:
            if queue.consumer not in self._acks:
                queue.finish(_too_late(queue.consumer))

    def give_up(self, error: JMSError) -> None:
        """Settle every send with this error: nothing of it will be sent again, and what was under way is unknown."""
        self.lost()
        for stream in self._streams.values():
            stream.give_up(error)
        self.ready.clear()
        self.unconfirmed = 0


def _too_late(consumer: int) -> JMSError:
    return ConnectionFailedError(
        "the consumer was closed before the server confirmed the acknowledgement; the message may be delivered again",
        consumer=consumer,
    )


MAX_IDLE_STREAMS = 1000
"""Destinations remembered beyond those in use; an application that answers to many reply queues has many."""
