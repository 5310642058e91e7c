"""How much of each segment is still needed.

Three parallel arrays, ascending by segment id: 24 bytes a segment, because in a backlog that was sent one by one
there are as many segments as messages.  A segment whose last message was dropped stays in the arrays as an empty
place until half of them are empty.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

SPARSE = 4
"""A segment is sparse when less than one in this many of its bytes is live."""
GARBAGE_SEGMENTS = 16
GARBAGE_BYTES = 256 * 1024
"""How much is deleted together: deleting costs a statement and dirties pages, which single commits would feel."""
GARBAGE_AT_ONCE = 64
"""And how many segments at most: some milliseconds, so that a commit after the end of a long queue is not late."""


class SegmentIndex:
    """Live bytes and size of each segment.

    Rule 1: `garbage` holds the segments that hold no live message and have not been deleted yet.
    Rule 2: `sparse` holds the segments worth merging: not garbage, and mostly dead.
    """

    def __init__(self) -> None:
        self._ids = array("q")
        self._live = array("q")
        self._size = array("q")
        self._empty = 0
        self._garbage_size = 0
        self.garbage: list[int] = []
        self.sparse: set[int] = set()
        self.next_id = 1

    def __len__(self) -> int:
        return len(self._ids) - self._empty

    def garbage_due(self) -> list[int]:
        """The garbage to be deleted next; none as long as there is too little to be worth a statement."""
        if len(self.garbage) >= GARBAGE_SEGMENTS or self._garbage_size >= GARBAGE_BYTES:
            return self.garbage[:GARBAGE_AT_ONCE]
        return []

    def add(self, segment: int, live: int, size: int) -> None:
        """Take up a segment whose id is greater than those before."""
        self.next_id = segment + 1
        if not live:
            self._discard(segment, size)
            return
        self._ids.append(segment)
        self._live.append(live)
        self._size.append(size)
        if live * SPARSE < size:
            self.sparse.add(segment)

    def drop(self, segment: int, size: int) -> None:
        """So many bytes of the segment are not needed any more."""
        place = bisect_left(self._ids, segment)
        live = self._live[place] - size
        self._live[place] = live
        if live <= 0:
            self._discard(segment, self._size[place])
            self._forget(place, segment)
        elif live * SPARSE < self._size[place]:
            self.sparse.add(segment)

    def swept(self, segments: Sequence[int]) -> None:
        """The garbage that was due is deleted."""
        if segments:
            self.garbage = self.garbage[len(segments) :]
            if not self.garbage:
                self._garbage_size = 0

    def replaced(self, segments: Iterable[int]) -> None:
        """These segments were merged into others and are deleted already."""
        for segment in segments:
            self._forget(bisect_left(self._ids, segment), segment)

    def dead_bytes(self, segments: Iterable[int]) -> int:
        """The bytes that merging these segments would win back."""
        places = [bisect_left(self._ids, segment) for segment in segments]
        return sum(self._size[place] - self._live[place] for place in places)

    def _discard(self, segment: int, size: int) -> None:
        self.garbage.append(segment)
        self._garbage_size += size

    def _forget(self, place: int, segment: int) -> None:
        self._live[place] = 0
        self.sparse.discard(segment)
        self._empty += 1
        if self._empty > 64 and self._empty * 2 > len(self._ids):
            kept = [place for place, live in enumerate(self._live) if live]
            self._ids = array("q", [self._ids[place] for place in kept])
            self._size = array("q", [self._size[place] for place in kept])
            self._live = array("q", [self._live[place] for place in kept])
            self._empty = 0
