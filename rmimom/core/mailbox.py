"""The life of a message in one mailbox: a queue, or one subscription of a topic.

    delayed ─► ready ─► held by one consumer ─► gone
                 ▲              │
                 └── returned ──┘   with its count raised; after a failure perhaps by way of delayed
    doubtful ─► held again by who had it, gone, or ready with its count raised

Rule 1: an entry is in exactly one of these places.  Expired entries that still stand in the ready list are ghosts
        (`expiring.py`): they are gone already and are passed over when their turn comes.
Rule 2: only this module and the two it is built on move entries between the places: `shelf.py`, where entries stand
        while nobody has them, and `counter.py`, where they are handed to consumers.
Rule 3: whatever leaves for good is written into the turn, if the store knows of it.  What moves to another mailbox
        leaves by `take_out` and arrives by `take_in`; whoever moves it (`burying.py`) writes that down.
Rule 4: order is kept (priority, then age), also for what comes back, so while some of what was handed out before
        a restart is in doubt nothing younger may overtake it: a mailbox in doubt delivers nothing.

`durable` mailboxes are in the store: queues and durable subscriptions.  A mailbox that is not durable lives and dies
with its consumers, and records nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappush
from typing import NamedTuple

from rmimom.core.consumer import Consumer
from rmimom.core.counter import Counter
from rmimom.core.entry import Entry
from rmimom.core.past import Past
from rmimom.core.turn import Turn
from rmimom.note import decode_note


class Found(NamedTuple):
    """An entry, what it has behind it, and where it is: "ready", "delayed", "held" or "in doubt"."""

    entry: Entry
    past: Past
    state: str


class Mailbox(Counter):
    """Where entries wait for the consumers of one queue or subscription; the module's text tells the rules."""

    __slots__ = ()

    # What can be asked.

    @property
    def pending(self) -> int:
        """Messages that are not gone: waiting, delayed, in doubt or held."""
        return self.waiting + len(self._delayed) + self.held

    @property
    def held(self) -> int:
        """Messages with consumers, not yet acknowledged."""
        return sum(len(consumer.held) for consumer in self.consumers)

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

    def entries(self) -> Iterator[Entry]:
        """Every entry that is not gone, for checks and statistics; in no promised order."""
        yield from self.at_rest()
        yield from self._doubtful.values()
        for consumer in self.consumers:
            yield from consumer.held.values()

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

    def is_lost(self, consumer: Consumer, tag: int) -> bool:
        """Whether a message that a consumer works on is not its own any more, because others have or had it."""
        return tag not in consumer.held and (self.durable or tag > self.id)

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

    # Entries that the server itself takes, when they are due (`scheduling.py`).

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

    # Entries move between mailboxes.

    def take_from(self, consumer: Consumer, entries: Sequence[Entry]) -> None:
        """Take entries out that a consumer holds; the caller moves them, and dispatches."""
        consumer.let_go([entry.id for entry in entries])
        self.moved += len(entries)
        self._line_up(consumer)

    def remove(self, entries: Sequence[Entry], turn: Turn) -> None:
        """Remove entries that are at rest here, for good."""
        self._withdraw(entries)
        self._leave(list(entries), turn)
        self.dispatch(turn)

    # Time passes.

    def wake(self, turn: Turn) -> None:
        """Deliver what is due, expire what is over, and end the doubt if its time has come."""
        self._let_time_pass(turn)
        self.dispatch(turn)
        self._set_alarm()
