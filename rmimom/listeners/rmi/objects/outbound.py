"""What waits to be told to one client connection, whichever way it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rmimom.errors import JMSError
from rmimom.frame import ConsumerEnd, Delivered, DeliveryBatch, encode

MAX_BATCH_MESSAGES = 500
MAX_BATCH_BYTES = 1024 * 1024
"""A batch ends with the message that reaches either; a message larger than that travels alone."""


class Outbound:
    """The sink of a connection: deliveries in order, cut into numbered batches.

    The batch cut last is kept until the next one is asked for, so that it can be told again after a lost answer.
    Its length is bounded by the credit of the connection's consumers.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: deque[Delivered] = deque()
        self._ends: list[ConsumerEnd] = []
        self._sequence = 0
        self._last = b""

    def deliver(self, deliveries: list[Delivered]) -> None:
        """Take messages from the engine."""
        self._waiting.extend(deliveries)
        self._wake()

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        """Take the news that the server closed a consumer."""
        self._ends.append(ConsumerEnd(consumer, error.to_dict()))
        self._wake()

    def has_more(self, after: int) -> bool:
        """Whether there is a batch with a number greater than `after`."""
        return after < self._sequence or bool(self._waiting) or bool(self._ends)

    def batch_after(self, after: int) -> tuple[int, bytes]:
        """The next batch after number `after`, as (number, bytes); IndexError if there is none.

        An older number than the last one gives the last batch again.
        """
        if after < self._sequence:
            return self._sequence, self._last
        if not self._waiting and not self._ends:
            raise IndexError("nothing waits for this connection")
        taken = self._take()
        ends: list[ConsumerEnd] = []
        if not self._waiting:
            # A consumer's end is told after everything that was delivered before it.
            ends, self._ends = self._ends, []
        self._sequence += 1
        self._last = encode(DeliveryBatch(self._sequence, taken, ends))
        return self._sequence, self._last

    def _take(self) -> list[Delivered]:
        """What goes into the next batch; each consumer's messages in their order.

        What the core handed out to several consumers one after the other, when each had room again, is told once for
        all of them, so that it is encoded, sent and decoded once.
        """
        waiting = self._waiting
        room = MAX_BATCH_BYTES
        taken: list[Delivered] = []
        highest = 0
        shared: _Shared | None = None
        while waiting and room > 0 and len(taken) < MAX_BATCH_MESSAGES:
            delivered = waiting.popleft()
            if shared is None and delivered.tag > highest:
                # As it is while one consumer gets its messages: nothing of this was there before.
                highest = delivered.tag
            else:
                shared = shared or _Shared(taken)
                if shared.merged(delivered):
                    continue
            room -= len(delivered.frame)
            taken.append(delivered)
        return taken


class _Shared:
    """Where messages and consumers are in a batch that is being made."""

    def __init__(self, taken: list[Delivered]) -> None:
        self._taken = taken
        self._places: dict[int, int] = {}  # by tag, the last
        self._last: dict[int, int] = {}  # by consumer
        for place, delivered in enumerate(taken):
            self._put(delivered, place)

    def merged(self, delivered: Delivered) -> bool:
        """Whether its message is there already, behind all that its consumers have so far, so that it is told there."""
        place, last = self._places.get(delivered.tag, -1), self._last
        for consumer in delivered.consumers:
            if last.get(consumer, -1) >= place:
                place = -1
                break
        if place >= 0 and self._taken[place].note == delivered.note:
            there = self._taken[place]
            # Not in place: the core gives many messages the same lists.
            there.consumers = there.consumers + delivered.consumers
            there.counts = there.counts + delivered.counts
            self._put(delivered, place)
            return True
        self._put(delivered, len(self._taken))
        return False

    def _put(self, delivered: Delivered, place: int) -> None:
        self._places[delivered.tag] = place
        for consumer in delivered.consumers:
            self._last[consumer] = place
