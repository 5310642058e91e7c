"""Who gets what is ready in one mailbox: entries are handed to consumers, one after the other.

The consumers that have room stand in line (`line.py`).  What waits for one of them although others have room, because
of its group, is set aside (`waiting.py`).  What consumers do with what they have is the matter of `mailbox.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec import Raw

from rmimom.core.agenda import Agenda
from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.line import Line
from rmimom.core.residence import Residence
from rmimom.core.shelf import Shelf
from rmimom.core.turn import Key, Turn
from rmimom.destination import Destination
from rmimom.effects import NOT_LOADED, Examine
from rmimom.frame import Delivered
from rmimom.note import mark_first_in_group
from rmimom.selector import Selector


class Counter(Shelf):
    """The consumers of one mailbox, and what is handed to them; see the module's text."""

    __slots__ = ("_line", "_members", "consumers", "paused")

    def __init__(
        self,
        mailbox_id: int,
        durable: bool,
        residence: Residence,
        agenda: Agenda[Shelf],
        origin: Destination,
        expiry_queue: str = "",
    ) -> None:
        super().__init__(mailbox_id, durable, residence, agenda, origin, expiry_queue)
        self.consumers: list[Consumer] = []
        self.paused = False  # then it takes messages and hands none out
        self._line = Line()
        self._members: list[Consumer] = []  # those of the consumers that have a pattern (`pattern_consumer.py`)

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

    def _unpark(self) -> bool:
        """Let what was set aside for consumers wait with the rest again, as far as they have room; whether any was."""
        moved = 0
        for consumer in self._line:
            moved += self._ready.unpark(consumer, consumer.room)
        return moved > 0

    # Who is served.

    def admit(self, consumer: Consumer) -> None:
        """Let a consumer stand in line; it is given nothing yet."""
        self.consumers.append(consumer)
        if consumer.waits_to_be_invited:
            self._members.append(consumer)
        if consumer.selector is not None:
            self._ready.open_lane(consumer.selector)
        self._regard_consumers()
        self._line.join(consumer)

    def _line_up(self, consumer: Consumer) -> None:
        """A consumer may have room again; one with a pattern is invited when it is the turn of this queue."""
        if not consumer.waits_to_be_invited:
            self._line.join(consumer)

    def invite(self, member: Consumer, turn: Turn) -> None:
        """The member of a pattern's consumer has room, and it is this queue's turn."""
        self._line.join(member)
        if member.waiting:
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
