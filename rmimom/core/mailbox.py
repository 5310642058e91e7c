"""The life of a message in one mailbox: a queue, or one subscription of a topic.

    delayed ─► ready ─► held by one consumer ─► gone
                 ▲              │
                 └── returned ──┘   with its count raised; after a failure perhaps by way of delayed
    doubtful ─► held again by who had it, gone, or ready with its count raised

Rule 1: an entry is in exactly one of these places.  Expired entries that still stand in the ready list are ghosts
        (`expiring.py`): they are gone already and are passed over when their turn comes.
Rule 2: only this module moves entries between the places.
Rule 3: whatever leaves for good is written into the turn, if the store knows of it.  What moves to another mailbox
        leaves by `take_out` and arrives by `take_in`; whoever moves it (`burying.py`) writes that down.
Rule 4: order is kept (priority, then age), also for what comes back, so while some of what was handed out before
        a restart is in doubt nothing younger may overtake it: a mailbox in doubt delivers nothing.

`durable` mailboxes are in the store: queues and durable subscriptions.  A mailbox that is not durable lives and dies
with its consumers, and records nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from msgspec import Raw

from rmimom.core.agenda import Agenda
from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.expiring import Expirations
from rmimom.core.grouping import Groups
from rmimom.core.line import Line
from rmimom.core.past import Past
from rmimom.core.residence import Residence
from rmimom.core.turn import Key, Turn
from rmimom.core.waiting import WaitingRoom
from rmimom.destination import Destination
from rmimom.effects import NOT_LOADED, Examine
from rmimom.frame import Delivered
from rmimom.note import decode_note, mark_first_in_group
from rmimom.selector import Selector

HIGHEST_PRIORITY = 9


class Found(NamedTuple):
    """An entry, what it has behind it, and where it is: "ready", "delayed", "held" or "in doubt"."""

    entry: Entry
    past: Past
    state: str


class Mailbox:
    """Where entries wait for the consumers of one queue or subscription; the module's text tells the rules."""

    __slots__ = (
        "_agenda",
        "_alarm",
        "_delayed",
        "_doubt_ends",
        "_doubtful",
        "_expirations",
        "_groups",
        "_line",
        "_members",
        "_pasts",
        "_ready",
        "_residence",
        "consumers",
        "delivered_up_to",
        "dequeued",
        "durable",
        "enqueued",
        "expired",
        "expiry_queue",
        "id",
        "moved",
        "origin",
        "paused",
    )

    def __init__(
        self,
        mailbox_id: int,
        durable: bool,
        residence: Residence,
        agenda: Agenda[Mailbox],
        origin: Destination,
        expiry_queue: str = "",
    ) -> None:
        self.id = mailbox_id
        self.durable = durable
        self.origin = origin  # the queue, or the topic of the subscription
        self.expiry_queue = expiry_queue  # where expired messages go; empty: nowhere
        self.consumers: list[Consumer] = []
        self.delivered_up_to = 0
        self.enqueued = 0
        self.dequeued = 0
        self.expired = 0
        self.moved = 0
        self.paused = False  # then it takes messages and hands none out
        self._residence = residence
        self._agenda = agenda
        self._alarm = 0  # the earliest time noted in the agenda and not come yet, 0 for none
        self._pasts: dict[int, Past] = {}  # of entries that came back or came from elsewhere
        self._ready = WaitingRoom(self._pasts)
        self._line = Line()
        self._members: list[Consumer] = []  # those of the consumers that have a pattern (`pattern_consumer.py`)
        self._groups = Groups()
        self._delayed: list[tuple[int, int, Entry]] = []
        self._doubtful: dict[int, Entry] = {}
        self._doubt_ends = 0
        self._expirations = Expirations()

    # What can be asked.

    @property
    def pending(self) -> int:
        """Messages that are not gone: waiting, delayed, in doubt or held."""
        return self.waiting + len(self._delayed) + self.held

    @property
    def waiting(self) -> int:
        """Messages that a consumer could have now or once the doubt is over."""
        return len(self._ready) + self._ready.parked - self._expirations.ghosts + len(self._doubtful)

    @property
    def held(self) -> int:
        """Messages with consumers, not yet acknowledged."""
        return sum(len(consumer.held) for consumer in self.consumers)

    @property
    def early(self) -> int:
        """Messages whose time has not come."""
        return len(self._delayed)

    def not_due(self) -> Iterator[tuple[int, Entry]]:
        """Every entry whose time has not come, and that time; in no promised order."""
        return ((due, entry) for due, _, entry in self._delayed)

    def find(self, number: int) -> Found | None:
        """The entry of this id, wherever it is in the mailbox."""
        past = self._pasts.get(number) or Past()
        for consumer in self.consumers:
            if number in consumer.held:
                return Found(consumer.held[number], past, "held")
        if number in self._doubtful:
            return Found(self._doubtful[number], past, "in doubt")
        for entry in self._waiting({number}):
            return Found(entry, past, "ready")
        for _, waiting, entry in self._delayed:
            if waiting == number:
                return Found(entry, past, "delayed")
        return None

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

    def entries(self) -> Iterator[Entry]:
        """Every entry that is not gone, for checks and statistics; in no promised order."""
        yield from self.at_rest()
        yield from self._doubtful.values()
        for consumer in self.consumers:
            yield from consumer.held.values()

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

    # Entries come in.

    def put(
        self, entries: Sequence[Entry], turn: Turn, shared_by: Selector | None = None, *, sharing: bool = True
    ) -> None:
        """Add new entries and deliver what can be delivered; mailboxes with one `shared_by` are given the same ones."""
        self.enqueued += len(entries)
        append = self._ready.append
        for entry in entries:
            if entry.expiration:
                self._watch_expiration(entry)
            append(entry)
        self.dispatch(turn, new=sharing, shared_by=shared_by)

    def eager_consumer(self, count: int, size: int) -> Consumer | None:
        """The only consumer, if nothing waits before it and it has room for so many more messages and bytes."""
        consumers = self.consumers
        if len(consumers) != 1 or self.paused or self._ready or self._doubtful or self._ready.selective:
            return None
        if self._members:
            return None  # it shares its window with other queues
        consumer = consumers[0]
        if len(consumer.held) + count > consumer.prefetch or consumer.held_bytes + size > consumer.prefetch_bytes:
            return None
        return consumer

    def hand_over(self, consumer: Consumer, entries: dict[int, Entry], size: int, turn: Turn) -> None:
        """Let the eager consumer hold new entries, all at once; the caller tells it."""
        self.enqueued += len(entries)
        consumer.held.update(entries)
        consumer.held_bytes += size
        if not consumer.has_room:
            self._line.leave(consumer)
        if self.durable:
            stored_up_to = max((number for number, entry in entries.items() if entry.stored), default=0)
            if stored_up_to > self.delivered_up_to:
                self.delivered_up_to = stored_up_to
                turn.advanced(self.id, stored_up_to)

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

    def doubt_until(self, when: int) -> None:
        """If anything is in doubt, let the doubt end at `when`."""
        if self._doubtful:
            self._doubt_ends = when
            self._wake_at(when)

    def _watch_expiration(self, entry: Entry) -> None:
        self._expirations.watch(entry)
        self._wake_at(entry.expiration)

    def _wake_at(self, when: int) -> None:
        if not self._alarm or when < self._alarm:
            self._alarm = when
            self._agenda.note(when, self)

    # Entries go out to consumers.

    def dispatch(self, turn: Turn, *, new: bool = False, shared_by: Selector | None = None) -> None:
        """Hand entries to consumers with room, in turn, until one or the other runs out.

        Afterwards nothing waits or no consumer has room, except in doubt.  So if the entries are `new` to all
        mailboxes that share in this turn, each hands out the first few of the same entries in the same order, and
        consumers of one connection share a delivery.  Otherwise sharing could change the order for one of them.
        """
        line, ready, members = self._line, self._ready, self._members
        for member in members:
            if member.waiting and not member.has_room:
                line.leave(member)
        front = line.front
        if ready.unexamined:
            notes = {
                number: past.note for number in ready.unexamined if (past := self._pasts.get(number)) and past.note
            }
            selectors = [str(selector) for selector in ready.selectors]
            turn.effects.append(Examine(self.id, selectors, ready.unexamined, notes))
            ready.unexamined = []
        if not front or self._doubtful or self.paused:
            return
        if ready.parked:
            self._unpark()
        if not ready:
            return
        selective = ready.selective
        now = turn.now
        stored_up_to = 0
        pasts = self._pasts
        residence = self._residence
        while front and (ready or (ready.parked and self._unpark())):
            if selective:
                chosen = self._choose()
                if chosen is None:
                    break
                entry, front = chosen
            else:
                entry = ready.pop()
            entry_id = entry.id
            consumer = front[0]
            wishes = entry.wishes
            group = ""
            if wishes is not None and wishes.group:
                group = wishes.group
                if self._groups.is_blocked(group):
                    ready.park(entry, group)
                    continue
                consumer = self._groups.consumer_for(group, consumer)
                if not consumer.waiting:
                    ready.park(entry, consumer)
                    continue
                if ready.parked and ready.is_behind(entry, consumer):
                    ready.park(entry, consumer)
                    ready.unpark(consumer, 1)
                    continue
            if members and not consumer.admits(entry):
                ready.put_back(entry)
                line.leave(consumer)
                front = line.front
                continue
            if entry.expiration and self._may_expire(entry):
                if not self._expirations.take(entry):
                    continue
                if entry.expiration <= now:
                    self._expire(entry, turn)
                    continue
            if members:
                consumer.hold(entry)
            else:
                consumer.held[entry_id] = entry
                consumer.held_bytes += entry.size
            past = pasts.get(entry_id) if pasts else None
            deliveries = turn.deliveries_to(consumer.connection)
            key: Key
            if new and not group and not members:
                key = entry_id if shared_by is None else (entry_id, shared_by)
            else:
                key = (entry_id, consumer.number)
            delivery = deliveries.get(key)
            if delivery is None:
                frame = Raw(entry.frame) if entry.frame is not None else NOT_LOADED
                if past is None:
                    deliveries[key] = Delivered(entry_id, [consumer.number], [1], frame)
                else:
                    deliveries[key] = Delivered(entry_id, [consumer.number], [past.returns + 1], frame, past.note)
            else:
                delivery.consumers.append(consumer.number)
                delivery.counts.append(1 if past is None else past.returns + 1)
            if members:
                deliveries[key].note = consumer.mark(deliveries[key].note)
            if group:
                assert wishes is not None
                if self._groups.delivered(group, consumer, closes=wishes.closes):
                    deliveries[key].note = mark_first_in_group(deliveries[key].note)
                    self._groups.trim(self.consumers)
                if wishes.closes:
                    ready.unpark(consumer)  # those of the group go to others now
            if entry.stored:
                if entry_id > stored_up_to:  # noqa: PLR1730 - max() costs more, and this is done for every message
                    stored_up_to = entry_id
                if entry.references == 1:
                    # The frame is on its way to its only reader; should it come back, the store has it.
                    residence.forget(entry)
            if not consumer.has_room:
                line.leave(consumer)
                front = line.front
            elif len(front) > 1 and front[0] is consumer:
                front.rotate(-1)
        if self.durable and stored_up_to > self.delivered_up_to:
            self.delivered_up_to = stored_up_to
            turn.advanced(self.id, stored_up_to)

    def _choose(self) -> tuple[Entry, deque[Consumer]] | None:
        """The next entry for the first consumer in line whose selector takes one; that consumer comes to the front.

        The other value is the part of the line in which it stands.
        """
        ready = self._ready
        for level in self._line.levels():
            for _ in range(len(level)):
                try:
                    return ready.pop(level[0].selector), level
                except IndexError:
                    level.rotate(-1)
        return None

    def examined(self, selector: Selector, ids: list[int], turn: Turn) -> None:
        """The selector takes these entries, as was found by reading their frames."""
        self._ready.examined(selector, ids)
        self.dispatch(turn)

    def _line_up(self, consumer: Consumer) -> None:
        """A consumer may have room again; one with a pattern is invited when it is the turn of this queue."""
        if not consumer.waits_to_be_invited:
            self._line.join(consumer)

    def invite(self, member: Consumer, turn: Turn) -> None:
        """The member of a pattern's consumer has room, and it is this queue's turn."""
        self._line.join(member)
        if member.waiting:
            self.dispatch(turn)

    def _unpark(self) -> bool:
        """Let what was set aside for consumers wait with the rest again, as far as they have room; whether any was."""
        moved = 0
        for consumer in self._line:
            moved += self._ready.unpark(consumer, consumer.room)
        return moved > 0

    # Consumers come and go.

    def open(self, consumer: Consumer, settled: tuple[int, ...], held: tuple[int, ...], turn: Turn) -> list[int]:
        """Let a consumer in, with what it claims; returns those of `held` that could not be given back to it."""
        lost = self.claim(consumer, settled, held, turn)
        self.admit(consumer)
        self.dispatch(turn)
        return lost

    def claim(self, consumer: Consumer, settled: tuple[int, ...], held: tuple[int, ...], turn: Turn) -> list[int]:
        """What a consumer settled is gone, what it still holds is its own again.

        What it settled is gone even if another consumer has it by now: that may be the same client, whose old
        connection has not been noticed to be dead.  Returns those of `held` that could not be given back to it because
        others have or had them.  A mailbox that is not durable knows nothing of what is older than itself: the consumer
        keeps what it has from an earlier one.
        """
        lost: list[int] = []
        if settled or held:
            back = self._reclaim({*settled, *held})
            self._settle([back.pop(tag) for tag in settled if tag in back], settled, turn)
            for tag in held:
                entry = back.pop(tag, None)
                if entry is not None:
                    consumer.hold(entry)
                    self._groups.hold(entry, consumer)
                elif self.is_lost(consumer, tag):
                    lost.append(tag)
        return lost

    def admit(self, consumer: Consumer) -> None:
        """Let a consumer stand in line; it is given nothing yet."""
        self.consumers.append(consumer)
        if consumer.waits_to_be_invited:
            self._members.append(consumer)
        if consumer.selector is not None:
            self._ready.open_lane(consumer.selector)
        self._regard_consumers()
        self._line.join(consumer)

    def delivered_among(self, tags: Iterable[int]) -> list[int]:
        """Those of these tags that are here and were delivered before, whoever has them now."""
        return [
            tag
            for tag in tags
            if tag in self._doubtful or tag in self._pasts or any(tag in one.held for one in self.consumers)
        ]

    def _settle(self, gone: list[Entry], tags: tuple[int, ...], turn: Turn) -> None:
        """These are done, and so is what consumers hold under these tags."""
        for other in self.consumers:
            taken = other.take_away(tags)
            if taken:
                gone += taken
                self._line_up(other)
        self.dequeued += len(gone)
        self._leave(gone, turn)

    def settle_buried(self, source: int, tags: Iterable[int], turn: Turn) -> None:
        """A consumer of the mailbox `source` settled these before they came here: if they are its alone, they are done.

        They came here because its acknowledgement was lost and somebody else failed on them, or their time was over.
        """
        pasts = self._pasts
        buried = {tag for tag in tags if tag in pasts and decode_note(pasts[tag].note).sources == [source]}
        if buried:
            gone = [entry for entry in (*self.at_rest(), *self._doubtful.values()) if entry.id in buried]
            self._ready.remove(buried)
            self._leave_delayed(buried)
            for entry in gone:
                self._doubtful.pop(entry.id, None)
            self._settle(gone, tuple(buried), turn)
            self.dispatch(turn)

    def _regard_consumers(self) -> None:
        """Consumers came or went: find out whether one of them is to have everything."""
        if self._line.choose_sole(self.consumers):
            sole = self._line.sole
            for consumer in self.consumers:
                if sole is not None and consumer is not sole:
                    self._let_go_of_groups(consumer)

    def _let_go_of_groups(self, consumer: Consumer, kept: Iterable[Entry] = ()) -> None:
        if len(self._groups):
            self._groups.let_go(consumer, kept)
            self._ready.unpark(consumer)

    def is_lost(self, consumer: Consumer, tag: int) -> bool:
        """Whether a message that a consumer works on is not its own any more, because others have or had it."""
        return tag not in consumer.held and (self.durable or tag > self.id)

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

    def close(self, consumers: Iterable[Consumer], turn: Turn) -> None:
        """Let consumers out; what they held goes back to its place, or is gone with a mailbox that is not durable.

        All are out before anything is handed out again, so that it goes to others, and in order.
        """
        entries: list[Entry] = []
        for consumer in consumers:
            self.consumers.remove(consumer)
            if consumer.waits_to_be_invited:
                self._members.remove(consumer)
            self._line.leave(consumer)
            self._let_go_of_groups(consumer)
            if consumer.selector is not None:
                self._ready.close_lane(consumer.selector)
            entries += consumer.let_go_of_all()
        self._regard_consumers()
        self._give_back(entries, turn)
        self.dispatch(turn)

    def shut(self, consumer: Consumer) -> None:
        """Give a consumer nothing more, because it is about to close."""
        consumer.prefetch = 0
        self._line.leave(consumer)

    def retain(self, consumer: Consumer, tags: Iterable[int], turn: Turn) -> None:
        """Let a consumer hold only these of what it holds, and give it nothing more; the rest goes back.

        Groups of what it holds wait for it, or else they would be worked on out of order.
        """
        self.shut(consumer)
        consumer.exclusive = False
        kept = set(tags)
        back = consumer.let_go([tag for tag in consumer.held if tag not in kept])
        self._let_go_of_groups(consumer, consumer.held.values())
        self._regard_consumers()
        self._give_back(back, turn)
        self.dispatch(turn)

    def note_failures(self, consumer: Consumer, tags: Iterable[int]) -> list[tuple[Entry, Past]]:
        """A consumer failed on these of what it holds; returns them with their past.  They stay where they are.

        The caller says in their past when they are due, and then has them recorded by `record_failures`.
        """
        failed: list[tuple[Entry, Past]] = []
        for tag in dict.fromkeys(tags):
            entry = consumer.held.get(tag)
            if entry is not None:
                past = self._pasts.setdefault(tag, Past())
                past.returns += 1
                past.failures += 1
                past.due = 0
                failed.append((entry, past))
        return failed

    def record_failures(self, failed: Iterable[tuple[Entry, Past]], turn: Turn) -> None:
        """Write down what `note_failures` returned, as far as the store knows it."""
        if self.durable:
            for entry, past in failed:
                if entry.stored:
                    turn.failed(self.id, entry.id, past.due)

    def release(self, consumer: Consumer, entries: Sequence[Entry], turn: Turn) -> None:
        """Take entries back from a consumer that failed on them, each at its place, but none before it is due."""
        consumer.let_go([entry.id for entry in entries])
        for entry in entries:
            due = self._pasts[entry.id].due
            if due > turn.now:
                heappush(self._delayed, (due, entry.id, entry))
                self._wake_at(due)
                self._groups.block(entry)
            else:
                if self._may_expire(entry):
                    self._watch_expiration(entry)
                self._ready.put_back(entry)
        self._line_up(consumer)
        self.dispatch(turn)

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

    # Entries that the server itself takes, when they are due (`scheduling.py`).

    def delayed(self) -> Iterator[tuple[int, Entry]]:
        """What waits for a time, and that time; in no promised order.  0 is for what is due already."""
        for due, _, entry in self._delayed:
            yield due, entry
        for entry in self._ready:
            yield 0, entry

    def failures(self, entry: Entry) -> int:
        """How often it was postponed, or a consumer failed on it."""
        past = self._pasts.get(entry.id)
        return past.failures if past is not None else 0

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

    # Entries leave for good.

    def acknowledge(self, consumer: Consumer, up_to: int, tags: list[int] | tuple[int, ...], turn: Turn) -> int:
        """A consumer is done with entries; returns how many."""
        gone = consumer.let_go_up_to(up_to) if up_to else []
        if tags:
            gone += consumer.let_go(tags)
        if not gone:
            return 0
        self.dequeued += len(gone)
        self._leave(gone, turn)
        self._line_up(consumer)
        self.dispatch(turn)
        return len(gone)

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

    # Entries move between mailboxes.

    def take_from(self, consumer: Consumer, entries: Sequence[Entry]) -> None:
        """Take entries out that a consumer holds; the caller moves them, and dispatches."""
        consumer.let_go([entry.id for entry in entries])
        self.moved += len(entries)
        self._line_up(consumer)

    def take_out(self, entries: Sequence[Entry]) -> None:
        """Take entries out that are at rest here; the caller moves them, and dispatches."""
        self._withdraw(entries)
        self.moved += len(entries)

    def remove(self, entries: Sequence[Entry], turn: Turn) -> None:
        """Remove entries that are at rest here, for good."""
        self._withdraw(entries)
        self._leave(list(entries), turn)
        self.dispatch(turn)

    def _withdraw(self, entries: Sequence[Entry]) -> None:
        ids = {entry.id for entry in entries}
        self._ready.remove(ids)
        self._leave_delayed(ids)
        for number in ids:
            self._expirations.watched.pop(number, None)

    def forget(self, entry: Entry) -> Past:
        """The entry is somewhere else now; returns what it had behind it here."""
        return self._pasts.pop(entry.id, None) or Past()

    def find_past(self, entry: Entry) -> Past | None:
        """The past of an entry that came here from elsewhere and is here still, else None."""
        past = self._pasts.get(entry.id)
        return past if past is not None and past.note else None

    def take_in(self, entry: Entry, past: Past) -> None:
        """Take in an entry from elsewhere, at the place that its age gives it; the caller dispatches."""
        if self._expirations.ghosts:
            # It may have expired here, and its ghost would rise.
            self._bury()
        self.enqueued += 1
        self._pasts[entry.id] = past
        self._make_ready(entry)

    def hasten(self, ids: Iterable[int]) -> list[tuple[Entry, Past]]:
        """Delayed entries of these ids are ready now; the caller writes that down, and dispatches."""
        found = self._leave_delayed(set(ids)) if self._delayed else []
        hastened: list[tuple[Entry, Past]] = []
        for entry in sorted(found, key=lambda entry: (-entry.priority, entry.id)):
            past = self._pasts.setdefault(entry.id, Past())
            past.failures = past.due = 0
            hastened.append((entry, past))
        return hastened

    def make_ready(self, entries: Iterable[Entry]) -> None:
        """Let entries that were taken, or hastened, be ready; the caller dispatches."""
        for entry in entries:
            self._make_ready(entry)

    def keep(self, entry: Entry) -> None:
        """The entry does not expire here any more: its note is about to say so."""
        self._expirations.watched.pop(entry.id, None)

    def _make_ready(self, entry: Entry) -> None:
        if self._may_expire(entry):
            self._watch_expiration(entry)
        self._ready.put_back(entry)

    # Time passes.

    def wake(self, turn: Turn) -> None:
        """Deliver what is due, expire what is over, and end the doubt if its time has come."""
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
        self.dispatch(turn)
        self._set_alarm()

    def _set_alarm(self) -> None:
        next_expiration = self._expirations.next()
        if next_expiration:
            self._wake_at(next_expiration)
        if self._delayed:
            self._wake_at(self._delayed[0][0])
        if self._doubtful:
            self._wake_at(self._doubt_ends)

    def _bury(self) -> None:
        """Take all ghosts out of the ready list."""
        watched = self._expirations.watched
        self._ready.remove({entry.id for entry in self._ready if self._may_expire(entry) and entry.id not in watched})
        self._expirations.ghosts = 0
