"""What may expire among the entries that wait ready in one mailbox.

An entry that is ready and may expire is watched.  When its time is over it is gone at once, but to take it out of the
middle of the ready list would cost a pass over it.  So it goes on standing there as a ghost: ready, able to expire and
not watched.  A ghost is passed over when its turn comes; the mailbox buries them all when they get too many.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from rmimom.core.entry import Entry

_GHOSTS_TOLERATED = 1000
_STALE_TOLERATED = 1000


class Expirations:
    """The watched entries of one mailbox, the next to expire first, and the number of its ghosts."""

    __slots__ = ("_heap", "ghosts", "watched")

    def __init__(self) -> None:
        self.watched: dict[int, Entry] = {}
        self.ghosts = 0
        self._heap: list[tuple[int, int]] = []  # entries that are not watched any more linger for a while

    def watch(self, entry: Entry) -> None:
        """An entry that may expire is ready now."""
        watched, heap = self.watched, self._heap
        watched[entry.id] = entry
        heappush(heap, (entry.expiration, entry.id))
        if len(heap) > 2 * len(watched) + _STALE_TOLERATED:
            # Most messages are consumed long before they expire: memory must not grow with the flow.
            heap[:] = [(waiting.expiration, waiting.id) for waiting in watched.values()]
            heapify(heap)

    def take(self, entry: Entry) -> bool:
        """An entry that may expire was taken out of the ready list; False if it was a ghost, which is gone for good."""
        if self.watched.pop(entry.id, None) is not None:
            return True
        self.ghosts -= 1
        return False

    def pop(self, now: int) -> Entry | None:
        """The next entry whose time is over, which is a ghost from now on, or None."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            expired = self.watched.pop(heappop(heap)[1], None)
            if expired is not None:
                self.ghosts += 1
                return expired
        return None

    def next(self) -> int:
        """When the next entry expires, 0 for never."""
        heap = self._heap
        while heap and heap[0][1] not in self.watched:
            heappop(heap)
        return heap[0][0] if heap else 0

    def too_many_ghosts(self, ready: int) -> bool:
        """Whether ghosts are most of what stands in a ready list of this length."""
        return self.ghosts > _GHOSTS_TOLERATED and self.ghosts * 2 > ready

    def clear(self) -> None:
        """Nothing is ready any more."""
        self.watched.clear()
        self._heap.clear()
        self.ghosts = 0
