"""Messages that wait for a consumer, in the order in which they are to be delivered.

The order is priority first (JMSPriority 9 before 0, §3.4.10), then age, which is the order of ids.

New messages have the greatest id so far and go to the end of their level: a deque.  Messages that come back from a
consumer, or whose delivery time has come, are older than the newest and go to their place: a heap beside the deque.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import islice
from operator import attrgetter

from rmimom.core.entry import Entry

_id = attrgetter("id")


class _Level:
    __slots__ = ("arrived", "returned")

    def __init__(self) -> None:
        self.arrived: deque[Entry] = deque()
        self.returned: list[tuple[int, Entry]] = []


class ReadyList:
    """Waiting entries of one mailbox; see the module's text for the order."""

    __slots__ = ("_length", "_levels", "_occupied")

    def __init__(self) -> None:
        self._levels: list[_Level | None] = [None] * 10
        self._occupied = 0  # bit n is set while level n holds an entry
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Entry]:
        """Every entry in delivery order, without taking any."""
        for level in reversed(self._levels):
            if level is not None:
                returned = sorted(level.returned, key=lambda pair: pair[0])
                position = 0
                for entry in level.arrived:
                    while position < len(returned) and returned[position][0] < entry.id:
                        yield returned[position][1]
                        position += 1
                    yield entry
                for _, entry in returned[position:]:
                    yield entry

    def after(self, priority: int, last: int) -> Iterator[Entry]:
        """Entries that come after the place of entry `last` of this priority, in delivery order, without taking any."""
        for number in range(priority, -1, -1):
            level = self._levels[number]
            if level is not None:
                arrived = level.arrived
                start = bisect_right(arrived, last, key=_id) if number == priority else 0
                returned = [pair for pair in level.returned if number < priority or pair[0] > last]
                heapify(returned)
                for entry in islice(arrived, start, None):
                    while returned and returned[0][0] < entry.id:
                        yield heappop(returned)[1]
                    yield entry
                while returned:
                    yield heappop(returned)[1]

    def _level(self, priority: int) -> _Level:
        level = self._levels[priority]
        if level is None:
            level = self._levels[priority] = _Level()
        return level

    def append(self, entry: Entry) -> None:
        """Add a new entry: its id is greater than that of any entry appended before."""
        priority = entry.priority
        self._level(priority).arrived.append(entry)
        self._occupied |= 1 << priority
        self._length += 1

    def put_back(self, entry: Entry) -> None:
        """Add an entry at the place its id gives it."""
        priority = entry.priority
        heappush(self._level(priority).returned, (entry.id, entry))
        self._occupied |= 1 << priority
        self._length += 1

    def pop(self) -> Entry:
        """Take the next entry; IndexError if there is none."""
        priority = self._occupied.bit_length() - 1
        level = self._levels[priority] if priority >= 0 else None
        if level is None:
            raise IndexError("nothing waits")
        arrived, returned = level.arrived, level.returned
        if returned and (not arrived or returned[0][0] < arrived[0].id):
            entry = heappop(returned)[1]
        else:
            entry = arrived.popleft()
        if not arrived and not returned:
            self._occupied ^= 1 << priority
        self._length -= 1
        return entry

    def first(self) -> Entry:
        """The next entry, which stays; IndexError if there is none."""
        level = self._levels[self._occupied.bit_length() - 1] if self._occupied else None
        if level is None:
            raise IndexError("nothing waits")
        arrived, returned = level.arrived, level.returned
        if returned and (not arrived or returned[0][0] < arrived[0].id):
            return returned[0][1]
        return arrived[0]

    def take_returned(self, ids: set[int]) -> list[Entry]:
        """Take the entries with these ids that were put back; those that were not are passed over."""
        taken: list[Entry] = []
        for priority, level in enumerate(self._levels):
            if level is None or not level.returned:
                continue
            found = [entry for number, entry in level.returned if number in ids]
            if found:
                taken += found
                level.returned = [pair for pair in level.returned if pair[0] not in ids]
                heapify(level.returned)
                if not level.arrived and not level.returned:
                    self._occupied ^= 1 << priority
        self._length -= len(taken)
        return taken

    def find(self, ids: set[int]) -> list[Entry]:
        """The entries with these ids, without taking any; costs a pass over what waits between the first and last."""
        found: list[Entry] = []
        if not ids:
            return found
        for level in self._levels:
            if level is not None:
                start, end = _range(level.arrived, ids)
                found += [entry for entry in islice(level.arrived, start, end) if entry.id in ids]
                found += [entry for number, entry in level.returned if number in ids]
        return found

    def remove(self, ids: set[int]) -> list[Entry]:
        """Take all entries with these ids; costs a pass over everything that waits between the first and the last."""
        removed: list[Entry] = []
        if not ids:
            return removed
        for priority, level in enumerate(self._levels):
            if level is None:
                continue
            arrived = level.arrived
            start, end = _range(arrived, ids)
            if start < end:
                # The deque is turned until what may go stands at its end: that copies pointers and looks at nothing.
                behind = len(arrived) - end
                arrived.rotate(behind)
                among = [arrived.pop() for _ in range(end - start)]
                arrived.extend(entry for entry in reversed(among) if entry.id not in ids)
                arrived.rotate(-behind)
                removed.extend(entry for entry in reversed(among) if entry.id in ids)
            if any(number in ids for number, _ in level.returned):
                removed.extend(entry for number, entry in level.returned if number in ids)
                level.returned = [pair for pair in level.returned if pair[0] not in ids]
                heapify(level.returned)
            if not level.arrived and not level.returned:
                self._occupied &= ~(1 << priority)
        self._length -= len(removed)
        return removed

    def clear(self) -> list[Entry]:
        """Take everything, in delivery order."""
        everything = list(self)
        self._levels = [None] * 10
        self._occupied = 0
        self._length = 0
        return everything


def _range(arrived: deque[Entry], ids: set[int]) -> tuple[int, int]:
    """Between which places these ids may be."""
    return bisect_left(arrived, min(ids), key=_id), bisect_right(arrived, max(ids), key=_id)
