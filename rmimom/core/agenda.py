"""What has to happen later: mailboxes that want to be woken at a time."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")


class Agenda(Generic[T]):
    """A heap of (time, who); being woken too often is harmless, so nothing is ever struck off."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._count = 0

    def note(self, when: int, who: T) -> None:
        """Wake `who` at `when`, in milliseconds since 1970 UTC."""
        self._count += 1
        heappush(self._heap, (when, self._count, who))

    def due(self, now: int) -> list[T]:
        """Take everybody whose time has come, each once."""
        found: dict[int, T] = {}
        while self._heap and self._heap[0][0] <= now:
            who = heappop(self._heap)[2]
            found[id(who)] = who
        return list(found.values())

    def next(self) -> int | None:
        """The next time somebody wants to be woken, or None."""
        return self._heap[0][0] if self._heap else None
