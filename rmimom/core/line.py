"""The consumers of one mailbox that have room for another message, in the order in which they are served.

Consumers of a higher priority come first, as long as they have room; those of one priority take turns.  If any consumer
is exclusive, one of these is the sole consumer: nobody else stands in line until it is gone.  That is the one of the
highest priority, among equals the one that came first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from rmimom.core.consumer import Consumer


class Line:
    """See the module's text; `front` are the consumers whose turn it is, the next one first."""

    __slots__ = ("_levels", "front", "sole")

    def __init__(self) -> None:
        self.front: deque[Consumer] = deque()
        self.sole: Consumer | None = None
        self._levels: dict[int, deque[Consumer]] = {0: self.front}

    def __iter__(self) -> Iterator[Consumer]:
        for level in self.levels():
            yield from level

    def levels(self) -> Iterable[deque[Consumer]]:
        """The consumers in line, those of the highest priority first."""
        if len(self._levels) == 1:
            return self._levels.values()
        return [self._levels[priority] for priority in sorted(self._levels, reverse=True)]

    def join(self, consumer: Consumer) -> None:
        """Let a consumer stand in line, if it has room and may have any message at all."""
        if not consumer.waiting and consumer.has_room and (self.sole is None or self.sole is consumer):
            consumer.waiting = True
            level = self._levels.get(consumer.priority)
            if level is None:
                level = self._levels[consumer.priority] = deque()
            level.append(consumer)
            if level is not self.front:
                self._look()

    def leave(self, consumer: Consumer) -> None:
        """The consumer has no room any more, or shall have nothing; harmless if it is not in line."""
        if consumer.waiting:
            consumer.waiting = False
            level = self._levels[consumer.priority]
            if level[0] is consumer:
                level.popleft()
            else:
                level.remove(consumer)
            if not level:
                self._look()

    def _look(self) -> None:
        """Find out whose turn it is."""
        if len(self._levels) > 1:
            occupied = [priority for priority, level in self._levels.items() if level]
            if occupied:
                self.front = self._levels[max(occupied)]

    def choose_sole(self, consumers: Sequence[Consumer]) -> bool:
        """Consumers came or went, and these are all, in the order of their coming; whether another one is sole now."""
        best: Consumer | None = None
        for consumer in consumers:
            if consumer.exclusive and (best is None or consumer.priority > best.priority):
                best = consumer
        if best is self.sole:
            return False
        self.sole = best
        for consumer in consumers:
            if best is None or consumer is best:
                self.join(consumer)
            else:
                self.leave(consumer)
        return True
