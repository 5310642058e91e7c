"""Where the entries of one mailbox stand while no consumer has them.

    delayed, until a time ─► ready ─► expired
    in doubt, until a time ─────┘

It knows nothing of consumers: who has what, and who gets what is ready, is the matter of `mailbox.py`, which tells the
whole life of an entry.  Methods that make anything ready leave it to the caller to dispatch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush

from rmimom.core.agenda import Agenda
from rmimom.core.entry import Entry
from rmimom.core.expiring import Expirations
from rmimom.core.grouping import Groups
from rmimom.core.past import Past
from rmimom.core.residence import Residence
from rmimom.core.turn import Turn
from rmimom.core.waiting import WaitingRoom
from rmimom.destination import Destination
from rmimom.note import decode_note

HIGHEST_PRIORITY = 9


class Shelf(ABC):
    """The places of entries; see the module's text."""

    __slots__ = (
        "_agenda",
        "_alarm",
        "_delayed",
        "_doubt_ends",
        "_doubtful",
        "_expirations",
        "_groups",
        "_pasts",
        "_ready",
        "_residence",
        "delivered_up_to",
        "dequeued",
        "durable",
        "enqueued",
        "expired",
        "expiry_queue",
        "id",
        "moved",
        "origin",
    )

    def __init__(
        self,
        mailbox_id: int,
        durable: bool,
        residence: Residence,
        agenda: Agenda[Shelf],
        origin: Destination,
        expiry_queue: str = "",
    ) -> None:
        self.id = mailbox_id
        self.durable = durable
        self.origin = origin  # the queue, or the topic of the subscription
        self.expiry_queue = expiry_queue  # where expired messages go; empty: nowhere
        self.delivered_up_to = 0
        self.enqueued = 0
        self.dequeued = 0
        self.expired = 0
        self.moved = 0
        self._residence = residence
        self._agenda = agenda
        self._alarm = 0  # the earliest time noted in the agenda and not come yet, 0 for none
        self._pasts: dict[int, Past] = {}  # of entries that came back or came from elsewhere
        self._ready = WaitingRoom(self._pasts)
        self._groups = Groups()
        self._delayed: list[tuple[int, int, Entry]] = []
        self._doubtful: dict[int, Entry] = {}
        self._doubt_ends = 0
        self._expirations = Expirations()

    @abstractmethod
    def wake(self, turn: Turn) -> None:
        """A time noted in the agenda has come."""

    # What can be asked.

    @property
    def waiting(self) -> int:
        """Messages that a consumer could have now or once the doubt is over."""
        return len(self._ready) + self._ready.parked - self._expirations.ghosts + len(self._doubtful)

    @property
    def early(self) -> int:
        """Messages whose time has not come."""
        return len(self._delayed)

    def not_due(self) -> Iterator[tuple[int, Entry]]:
        """Every entry whose time has not come, and that time; in no promised order."""
        return ((due, entry) for due, _, entry in self._delayed)

    def select(self, ids: Iterable[int], *, delayed: bool = True) -> list[Entry]:
        """The entries of these ids that nobody holds, not even in doubt, in order; also those that are `delayed`."""
        wanted = set(ids)
        found = self._waiting(wanted)
        if delayed and self._delayed and len(found) < len(wanted):
            found += [entry for _, number, entry in self._delayed if number in wanted]
        return sorted(found, key=lambda entry: (-entry.priority, entry.id))

    def _waiting(self, ids: set[int]) -> list[Entry]:
        watched = self._expirations.watched
        return [entry for entry in self._ready.find(ids) if not self._may_expire(entry) or entry.id in watched]

    def at_rest(self) -> Iterator[Entry]:
        """Every entry that nobody holds, not even in doubt; in no promised order."""
        for entry in self._ready:
            if not self._may_expire(entry) or entry.id in self._expirations.watched:
                yield entry
        for _, _, entry in self._delayed:
            yield entry

    def _may_expire(self, entry: Entry) -> bool:
        """Whether time can end it here: what has died or expired before stays until somebody has seen to it."""
        if not entry.expiration:
            return False
        past = self._pasts.get(entry.id)
        return past is None or not past.note or not decode_note(past.note).keeps

    def browse(self, after: tuple[int, int] | None, now: int) -> Iterator[tuple[Entry, Past]]:
        """What waits behind the place `after` (priority, id), in order, each with what it has behind it."""
        priority, last = (HIGHEST_PRIORITY, 0) if after is None else after
        watched = self._expirations.watched
        for entry in self._ready.after(priority, last):
            if not self._may_expire(entry) or (entry.id in watched and entry.expiration > now):
                yield entry, self._pasts.get(entry.id) or Past()

    def failures(self, entry: Entry) -> int:
        """How often it was postponed, or a consumer failed on it."""
        past = self._pasts.get(entry.id)
        return past.failures if past is not None else 0

    def find_past(self, entry: Entry) -> Past | None:
        """The past of an entry that came here from elsewhere and is here still, else None."""
        past = self._pasts.get(entry.id)
        return past if past is not None and past.note else None

    # Entries come in.

    def put_delayed(self, entry: Entry, delivery_time: int) -> None:
        """Add a new entry that may not be delivered before `delivery_time` (§7.9)."""
        self.enqueued += 1
        heappush(self._delayed, (delivery_time, entry.id, entry))
        self._wake_at(delivery_time)

    def restore(self, entry: Entry, past: Past | None, delivery_time: int, now: int) -> None:
        """Add an entry found in the store after a restart."""
        if past is not None:
            self._pasts[entry.id] = past
        if delivery_time > now:
            heappush(self._delayed, (delivery_time, entry.id, entry))
            self._wake_at(delivery_time)
            if past is not None and past.due > now:
                self._groups.block(entry)
        elif entry.id <= self.delivered_up_to:
            self._doubtful[entry.id] = entry
        else:
            if entry.expiration and self._may_expire(entry):
                self._watch_expiration(entry)
            self._ready.append(entry)

    def take_in(self, entry: Entry, past: Past) -> None:
        """Take in an entry from elsewhere, at the place that its age gives it; the caller dispatches."""
        if self._expirations.ghosts:
            # It may have expired here, and its ghost would rise.
            self._bury()
        self.enqueued += 1
        self._pasts[entry.id] = past
        self._make_ready(entry)

    def make_ready(self, entries: Iterable[Entry]) -> None:
        """Let entries that were taken, or hastened, be ready; the caller dispatches."""
        for entry in entries:
            self._make_ready(entry)

    def _make_ready(self, entry: Entry) -> None:
        if self._may_expire(entry):
            self._watch_expiration(entry)
        self._ready.put_back(entry)

    def _watch_expiration(self, entry: Entry) -> None:
        self._expirations.watch(entry)
        self._wake_at(entry.expiration)

    def _give_back(self, entries: list[Entry], turn: Turn) -> None:
        if not entries:
            return
        pasts = self._pasts
        stored: list[int] = []
        for entry in entries:
            pasts.setdefault(entry.id, Past()).returns += 1
            if entry.stored:
                stored.append(entry.id)
            if self._may_expire(entry):
                self._watch_expiration(entry)
            self._ready.put_back(entry)
        if self.durable and stored:
            turn.returned(self.id, stored)

    # What waits for a time.

    def delayed(self) -> Iterator[tuple[int, Entry]]:
        """What waits for a time, and that time; in no promised order.  0 is for what is due already."""
        for due, _, entry in self._delayed:
            yield due, entry
        for entry in self._ready:
            yield 0, entry

    def take_due(self) -> list[Entry]:
        """Take everything that is ready, in order; the caller sees to each."""
        return self._ready.clear()

    def postpone(self, entry: Entry, due: int, turn: Turn) -> None:
        """Let an entry that was taken wait until then."""
        past = self._pasts.setdefault(entry.id, Past())
        past.returns += 1
        past.failures += 1
        past.due = due
        heappush(self._delayed, (due, entry.id, entry))
        self._wake_at(due)
        turn.failed(self.id, entry.id, due)

    def make_due(self, ids: Iterable[int]) -> int:
        """Let these of the delayed entries be ready at once; how many there were."""
        found = self._leave_delayed(set(ids))
        for entry in found:
            self._ready.put_back(entry)
        return len(found)

    def hasten(self, ids: Iterable[int]) -> list[tuple[Entry, Past]]:
        """Delayed entries of these ids are ready now; the caller writes that down, and dispatches."""
        found = self._leave_delayed(set(ids)) if self._delayed else []
        hastened: list[tuple[Entry, Past]] = []
        for entry in sorted(found, key=lambda entry: (-entry.priority, entry.id)):
            past = self._pasts.setdefault(entry.id, Past())
            past.failures = past.due = 0
            hastened.append((entry, past))
        return hastened

    def _leave_delayed(self, ids: set[int]) -> list[Entry]:
        found = [entry for _, _, entry in self._delayed if entry.id in ids]
        if found:
            self._delayed = [waiting for waiting in self._delayed if waiting[2].id not in ids]
            heapify(self._delayed)
            for entry in found:
                self._unblock(entry)
        return found

    def _unblock(self, entry: Entry) -> None:
        group = self._groups.unblock(entry)
        if group:
            self._ready.unpark(group)

    # Entries go out.

    def _reclaim(self, tags: set[int]) -> dict[int, Entry]:
        """Take the entries among these that were delivered before and are with nobody now."""
        taken: dict[int, Entry] = {}
        for tag in tags & self._doubtful.keys():
            taken[tag] = self._doubtful.pop(tag)
        for entry in self._ready.take_returned(tags):
            if not self._may_expire(entry) or self._expirations.take(entry):
                taken[entry.id] = entry
        if self._delayed:
            # Failed, and perhaps done all the same by a client that never heard that its failure had arrived.
            for entry in self._leave_delayed(tags & self._pasts.keys()):
                taken[entry.id] = entry
        return taken

    def take_out(self, entries: Sequence[Entry]) -> None:
        """Take entries out that are at rest here; the caller moves them, and dispatches."""
        self._withdraw(entries)
        self.moved += len(entries)

    def _withdraw(self, entries: Sequence[Entry]) -> None:
        ids = {entry.id for entry in entries}
        self._ready.remove(ids)
        self._leave_delayed(ids)
        for number in ids:
            self._expirations.watched.pop(number, None)

    def forget(self, entry: Entry) -> Past:
        """The entry is somewhere else now; returns what it had behind it here."""
        return self._pasts.pop(entry.id, None) or Past()

    def keep(self, entry: Entry) -> None:
        """The entry does not expire here any more: its note is about to say so."""
        self._expirations.watched.pop(entry.id, None)

    def discard(self, entries: list[Entry], turn: Turn) -> None:
        """Remove entries that were taken out or have expired and go nowhere."""
        self._leave(entries, turn)

    def purge(self, turn: Turn) -> int:
        """Remove everything that nobody holds; returns how many."""
        entries = [*self.at_rest(), *self._doubtful.values()]
        self._ready.clear()
        self._expirations.clear()
        self._groups.clear_blocks()
        self._delayed.clear()
        self._doubtful.clear()
        self._leave(entries, turn)
        return len(entries)

    def _leave(self, entries: list[Entry], turn: Turn) -> None:
        stored: list[int] = []
        dropped = turn.dropped
        pasts = self._pasts
        for entry in entries:
            entry.references -= 1
            if entry.stored:
                stored.append(entry.id)
                if not entry.references:
                    dropped.append(entry.id)
            if not entry.references and entry.frame is not None:
                self._residence.forget(entry)
            if pasts:
                pasts.pop(entry.id, None)
        if self.durable and stored:
            turn.removed(self.id, stored)

    def _expire(self, entry: Entry, turn: Turn) -> None:
        self.expired += 1
        if self.expiry_queue:
            turn.expired.append((self, entry))
        else:
            self._leave([entry], turn)

    # Time passes.

    def doubt_until(self, when: int) -> None:
        """If anything is in doubt, let the doubt end at `when`."""
        if self._doubtful:
            self._doubt_ends = when
            self._wake_at(when)

    def _let_time_pass(self, turn: Turn) -> None:
        """What is due is ready, what is over has expired, and the doubt ends if its time has come."""
        now = turn.now
        if self._alarm <= now:
            self._alarm = 0
        while self._delayed and self._delayed[0][0] <= now:
            entry = heappop(self._delayed)[2]
            self._make_ready(entry)
            self._unblock(entry)
        if self._doubtful and now >= self._doubt_ends:
            entries = list(self._doubtful.values())
            self._doubtful.clear()
            self._give_back(entries, turn)
        while (expired := self._expirations.pop(now)) is not None:
            self._expire(expired, turn)
        # So that they cannot pile up in an idle queue.
        if self._expirations.too_many_ghosts(len(self._ready) + self._ready.parked):
            self._bury()

    def _bury(self) -> None:
        """Take all ghosts out of the ready list."""
        watched = self._expirations.watched
        self._ready.remove({entry.id for entry in self._ready if self._may_expire(entry) and entry.id not in watched})
        self._expirations.ghosts = 0

    def _wake_at(self, when: int) -> None:
        if not self._alarm or when < self._alarm:
            self._alarm = when
            self._agenda.note(when, self)

    def _set_alarm(self) -> None:
        next_expiration = self._expirations.next()
        if next_expiration:
            self._wake_at(next_expiration)
        if self._delayed:
            self._wake_at(self._delayed[0][0])
        if self._doubtful:
            self._wake_at(self._doubt_ends)
