"""What a connection received: messages waiting for the application, and those it works on.

No threads and no sockets here: the caller sees to it that one thread at a time is inside.  A message of one consumer:

    waiting ─► working ─► acknowledged (on its way in the outbox)
       ▲          │
       └ recover ─┘

Rule 1: a message that the server counts as held by the consumer is in exactly one of these places.
Rule 2: waiting and working, put one after the other, are in the order of delivery.
Rule 3: after a reconnection `settled` and `held` tell the server all of it, and only tags that it calls lost disappear.

In a transacted session the messages worked on belong to the transaction until it ends.  Those that went to others stay
among them, so that the server refuses the commit; those of a subscription that ended with the old connection are
nobody else's, and are left out of it.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from typing import Final

from rmimom.client.outbox import Acks
from rmimom.errors import JMSError, from_dict
from rmimom.frame import NONE, OBJECT, UNKNOWN, DeliveryBatch, kind_of
from rmimom.kinds import classes_of
from rmimom.message import LOCKED, UNREAD, Acknowledger, Message

# The kind stands in the second byte of a frame.  Where that is 0, a foreign encoder may have written the array in a
# longer form, so such frames are looked at more closely.
_second_byte: Final = struct.Struct("xB").unpack_from


class Intake:
    """The messages of one consumer on the client's side."""

    __slots__ = (
        "_acknowledger",
        "_lost",
        "_orphans",
        "_transacted",
        "acks",
        "error",
        "flowing",
        "message_type",
        "message_types",
        "number",
        "waiting",
        "working",
    )

    def __init__(
        self,
        number: int,
        acks: Acks,
        acknowledger: Acknowledger,
        *,
        transacted: bool = False,
        message_type: type[Message] = Message,
    ) -> None:
        self._acknowledger = acknowledger
        self._transacted = transacted
        self._lost: set[int] = set()
        self._orphans: set[int] = set()
        self.number = number
        self.message_type = message_type
        """What the messages are made as, each in the class of its kind."""
        self.message_types = classes_of(message_type)
        self.acks = acks
        self.waiting: deque[Message] = deque()
        self.working: dict[int, Message] = {}
        self.error: JMSError | None = None
        """Why the server closed the consumer, if it did."""
        self.flowing = False
        """Whether `receive` may take what waits: the consumer is open and has no observers, the connection started."""

    def first(self) -> Message | None:
        """The next message, which stays where it is."""
        return self.waiting[0] if self.waiting else None

    def take_for_good(self) -> Message | None:
        """The next message, acknowledged already."""
        if not self.waiting:
            return None
        message = self.waiting.popleft()
        self.acks.pending.append(message._tag)
        return message

    def take(self) -> Message | None:
        """The next message, to be acknowledged later."""
        if not self.waiting:
            return None
        message = self.waiting.popleft()
        self.working[message._tag] = message
        return message

    def acknowledge(self, tag: int) -> bool:
        """The application is done with one message; False if it is not among those it works on."""
        if self.working.pop(tag, None) is None:
            return False
        self.acks.pending.append(tag)
        return True

    def acknowledge_all(self) -> bool:
        """The application is done with all it took; False if there is nothing."""
        if not self.working:
            return False
        self.acks.pending.extend(self.working)
        self.working.clear()
        return True

    def recover(self, tags: Iterable[int] | None = None) -> int:
        """Let messages that the application works on (all, or those of `tags`) be delivered again; their number.

        They are flagged as redelivered.  The application gets them as the server sent them, whatever it changed.
        """
        self.hand_back(self._lost)
        self._lost.clear()
        chosen = list(self.working) if tags is None else [tag for tag in tags if tag in self.working]
        again = []
        for tag in chosen:
            message = self.working.pop(tag)
            again.append(
                self.message_type.from_frame(
                    message._original(),
                    tag=tag,
                    delivery_count=message.delivery_count + 1,
                    acknowledger=self._acknowledger,
                    note=message._note,
                )
            )
        self.waiting.extendleft(reversed(again))
        return len(again)

    def hand_back(self, tags: Iterable[int]) -> list[int]:
        """Forget messages that go back to the server; returns the tags of those that were here."""
        return [tag for tag in tags if self.working.pop(tag, None) is not None]

    def kept(self) -> list[int]:
        """Tags that the server must leave with a consumer that closes: worked on, or their acknowledgement on its way.

        The lock of the outbox is held.
        """
        return [*self.acks.under_way, *self.acks.pending, *self.working]

    def held(self) -> list[int]:
        """Tags of all messages here, in the order of delivery."""
        return [*self.working, *(message._tag for message in self.waiting)]

    def drop(self, tags: Iterable[int]) -> None:
        """Forget messages that the server gave to others meanwhile."""
        lost = set(tags)
        if lost:
            self.waiting = deque(message for message in self.waiting if message._tag not in lost)
        if self._transacted:
            self._lost = lost & self.working.keys()
        else:
            self.hand_back(lost)

    def adopt(self) -> None:
        """The server has forgotten everything here, and gives it to nobody else."""
        if self._transacted:
            self._orphans.update(self.held())

    def to_commit(self) -> list[int]:
        """Tags that the commit of a transaction acknowledges."""
        return [tag for tag in self.working if tag not in self._orphans]

    def committed(self, tags: Iterable[int]) -> None:
        """These messages are done with."""
        for tag in tags:
            self.working.pop(tag, None)
            self._lost.discard(tag)
            self._orphans.discard(tag)


class Inbox:
    """The consumers of one connection, and the number of the last batch taken."""

    def __init__(self) -> None:
        self.intakes: dict[int, Intake] = {}
        self.sequence = 0

    def accept(self, batch: DeliveryBatch) -> list[Intake]:
        """Put messages where they belong; returns the consumers that got some or were closed.

        A batch that came before is passed over, and so are messages for consumers closed meanwhile.
        """
        if batch.sequence <= self.sequence:
            return []
        self.sequence = batch.sequence
        touched: dict[int, Intake] = {}
        new = object.__new__
        for delivered in batch.delivered:
            counts = delivered.counts
            frame = delivered.frame
            try:
                (kind,) = _second_byte(frame)
            except struct.error:
                kind = UNKNOWN
            if not NONE < kind <= OBJECT:
                kind = kind_of(frame)
            for index, number in enumerate(delivered.consumers):
                intake = touched.get(number)
                if intake is None:
                    found = self.intakes.get(number)
                    if found is None:
                        continue
                    touched[number] = intake = found
                # Message.from_frame, written out: this is done for every message received.
                message = new(intake.message_types[kind])
                message._source = frame
                message._tag = delivered.tag
                message._acknowledger = intake._acknowledger
                message._body = UNREAD
                message._properties = None
                message._headers = None
                message._locked = LOCKED
                message._note = delivered.note
                message.delivery_count = counts[index]
                intake.waiting.append(message)
        for end in batch.closed:
            closed = self.intakes.get(end.consumer)
            if closed is not None:
                closed.error = from_dict(end.error)
                touched[end.consumer] = closed
        return list(touched.values())

    def restart(self) -> None:
        """The connection to the server is a new one: its batches are counted from 1 again."""
        self.sequence = 0
