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
        waiting = self._waiting
        room = MAX_BATCH_BYTES
        taken: list[Delivered] = []
        while waiting and room > 0 and len(taken) < MAX_BATCH_MESSAGES:
            delivered = waiting.popleft()
            room -= len(delivered.frame)
            taken.append(delivered)
        ends: list[ConsumerEnd] = []
        if not waiting:
            # A consumer's end is told after everything that was delivered before it.
            ends, self._ends = self._ends, []
        self._sequence += 1
        self._last = encode(DeliveryBatch(self._sequence, taken, ends))
        return self._sequence, self._last
