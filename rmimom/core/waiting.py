"""Who waits in a mailbox, and for which of its consumers.

Without selectors this is one `ReadyList`.  While a queue has consumers with selectors (Jakarta Messaging §3.8) there is
also a lane for each distinct selector: a second `ReadyList` of the entries that the selector takes.  So a consumer
finds its next message at once, however many others wait before it, and each message is held against each selector once.

Rule 1: `_present` says who waits.  An entry stands in the list of all and in every lane that takes it; when it leaves
        by one of them the others keep a stale copy, which is passed over when its turn comes and swept out at times.
Rule 2: an entry that may not be handed out for a while (`grouping.py`) is parked: it waits in its order, but `pop` does
        not find it until it is unparked.
Rule 3: an entry whose frame rests in the store cannot be held against a selector here.  Its id goes to `unexamined`;
        until somebody has read the frame and says `examined`, only consumers without a selector can have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge

from rmimom.core.entry import Entry
from rmimom.core.past import Past
from rmimom.core.ready import ReadyList
from rmimom.selector import MessageValues, Selector

_STALE_TOLERATED = 1000


class _Lane:
    __slots__ = ("consumers", "ready")

    def __init__(self) -> None:
        self.ready = ReadyList()
        self.consumers = 0


class WaitingRoom:
    """The entries of a mailbox that wait for a consumer; see the module's text."""

    __slots__ = ("_all", "_lanes", "_parked", "_pasts", "_present", "parked", "unexamined")

    def __init__(self, pasts: Mapping[int, Past] | None = None) -> None:
        """`pasts` says what entries have behind them, which selectors see, too; the mailbox keeps it up to date."""
        self._pasts = {} if pasts is None else pasts
        self._all = ReadyList()
        self._lanes: dict[Selector, _Lane] = {}
        self._present: dict[int, Entry] = {}  # kept only while there are lanes
        self._parked: dict[object, ReadyList] = {}
        self.parked = 0  # how many entries are
        self.unexamined: list[int] = []

    def __len__(self) -> int:
        """How many entries wait and are not parked."""
        return len(self._present) if self._lanes else len(self._all)

    def __iter__(self) -> Iterator[Entry]:
        """Every entry in delivery order, parked or not, without taking any."""
        yield from self._with_parked(self._true(self._all), self._parked.values())

    def after(self, priority: int, last: int) -> Iterator[Entry]:
        """Entries that come after the place of entry `last` of this priority, in delivery order, without taking any."""
        parked = [ready.after(priority, last) for ready in self._parked.values()]
        return self._with_parked(self._true(self._all.after(priority, last)), parked)

    def _with_parked(self, entries: Iterator[Entry], parked: Iterable[Iterable[Entry]]) -> Iterator[Entry]:
        return merge(entries, *parked, key=_place) if self._parked else entries

    def _true(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """These without stale copies."""
        if not self._lanes:
            yield from entries
            return
        seen: set[int] = set()
        for entry in entries:
            if entry.id in self._present and entry.id not in seen:
                seen.add(entry.id)
                yield entry

    @property
    def selective(self) -> bool:
        """Whether any consumer has a selector."""
        return bool(self._lanes)

    @property
    def selectors(self) -> list[Selector]:
        """The distinct selectors of the consumers."""
        return list(self._lanes)

    # Entries come and go.

    def append(self, entry: Entry) -> None:
        """Add a new entry: its id is greater than that of any entry appended before."""
        self._all.append(entry)
        if self._lanes:
            self._present[entry.id] = entry
            for lane in self._lanes_for(entry):
                lane.append(entry)
            self._sweep()

    def put_back(self, entry: Entry) -> None:
        """Add an entry at the place its id gives it."""
        self._all.put_back(entry)
        if self._lanes:
            self._present[entry.id] = entry
            for lane in self._lanes_for(entry):
                lane.put_back(entry)
            self._sweep()

    def pop(self, selector: Selector | None = None) -> Entry:
        """Take the next entry that the selector takes; IndexError if there is none."""
        if not self._lanes:
            return self._all.pop()
        ready = self._all if selector is None else self._lanes[selector].ready
        while True:
            entry = ready.pop()
            if self._present.pop(entry.id, None) is not None:
                return entry

    def park(self, entry: Entry, where: object) -> None:
        """Put an entry that was popped aside; it waits there until `unpark` is called for this place."""
        ready = self._parked.get(where)
        if ready is None:
            ready = self._parked[where] = ReadyList()
        ready.put_back(entry)
        self.parked += 1

    def is_behind(self, entry: Entry, where: object) -> bool:
        """Whether an entry parked there comes before this one."""
        ready = self._parked.get(where)
        return ready is not None and _place(ready.first()) < _place(entry)

    def unpark(self, where: object, most: int | None = None) -> int:
        """Let entries parked there wait with the others again, in their order: all, or so many at most; how many."""
        ready = self._parked.get(where)
        if ready is None:
            return 0
        count = len(ready) if most is None else min(most, len(ready))
        self.parked -= count
        for _ in range(count):
            self.put_back(ready.pop())
        if not ready:
            del self._parked[where]
        return count

    def take_returned(self, ids: set[int]) -> list[Entry]:
        """Take the entries with these ids that were put back; those that were not are passed over."""
        taken = self._all.take_returned(ids)
        if self._lanes:
            taken = [entry for entry in taken if self._present.pop(entry.id, None) is not None]
        return taken + self._remove_parked(ids & self._pasts.keys())

    def _remove_parked(self, ids: set[int]) -> list[Entry]:
        removed: list[Entry] = []
        if self._parked and ids:
            for where, ready in list(self._parked.items()):
                removed += ready.remove(ids)
                if not ready:
                    del self._parked[where]
            self.parked -= len(removed)
        return removed

    def find(self, ids: set[int]) -> list[Entry]:
        """The entries with these ids, without taking any; costs a pass over what waits between the first and last."""
        if self._lanes:
            found = [self._present[number] for number in ids if number in self._present]
        else:
            found = self._all.find(ids)
        for ready in self._parked.values():
            found += ready.find(ids)
        return found

    def remove(self, ids: set[int]) -> None:
        """Take all entries with these ids; costs a pass over everything that waits between the first and the last."""
        self._all.remove(ids)
        self._remove_parked(ids)
        for number in ids:
            self._present.pop(number, None)

    def clear(self) -> list[Entry]:
        """Take everything, in delivery order."""
        everything = list(self)
        self._all.clear()
        for lane in self._lanes.values():
            lane.ready.clear()
        self._present.clear()
        self._parked.clear()
        self.parked = 0
        self.unexamined.clear()
        return everything

    def _lanes_for(self, entry: Entry) -> list[ReadyList]:
        if entry.frame is None:
            self.unexamined.append(entry.id)
            return []
        values = self._values(entry.frame, entry.id)
        return [lane.ready for selector, lane in self._lanes.items() if values.match(selector)]

    def _values(self, frame: bytes, number: int) -> MessageValues:
        past = self._pasts.get(number)
        return MessageValues(frame) if past is None else MessageValues(frame, past.note)

    def _sweep(self) -> None:
        """Take out stale copies once they are most of what stands here."""
        bound = 2 * len(self._present) + _STALE_TOLERATED
        for ready in (self._all, *(lane.ready for lane in self._lanes.values())):
            if len(ready) > bound:
                _keep(ready, self._present)

    # Lanes come and go with the consumers.

    def open_lane(self, selector: Selector) -> None:
        """A consumer with this selector came."""
        lane = self._lanes.get(selector)
        if lane is None:
            if not self._lanes:
                self._present = {entry.id: entry for entry in self._all}
            lane = self._lanes[selector] = _Lane()
            for entry in self._true(self._all):
                if entry.frame is None:
                    self.unexamined.append(entry.id)
                elif self._values(entry.frame, entry.id).match(selector):
                    lane.ready.append(entry)
        lane.consumers += 1

    def close_lane(self, selector: Selector) -> None:
        """A consumer with this selector went."""
        lane = self._lanes[selector]
        lane.consumers -= 1
        if not lane.consumers:
            if len(self._lanes) == 1:
                _keep(self._all, self._present)
                self._present = {}
                self.unexamined.clear()
            del self._lanes[selector]

    def examined(self, selector: Selector, ids: list[int]) -> None:
        """Somebody read frames from the store: the selector takes these, as far as they still wait."""
        lane = self._lanes.get(selector)
        if lane is not None:
            for number in ids:
                entry = self._present.get(number)
                if entry is not None:
                    lane.ready.put_back(entry)


def _place(entry: Entry) -> tuple[int, int]:
    """Where an entry stands in the order of delivery."""
    return -entry.priority, entry.id


def _keep(ready: ReadyList, present: dict[int, Entry]) -> None:
    """Keep one copy of each entry that is present, in order."""
    seen: set[int] = set()
    for entry in ready.clear():
        if entry.id in present and entry.id not in seen:
            seen.add(entry.id)
            ready.append(entry)
