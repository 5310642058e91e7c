"""A consumer of all queues whose names match a pattern, those there are and those that come to be.

To its client it is one consumer: one number, one window, one order of what it holds.  In the core it is a whole with a
member in each queue.  A member stands in its queue's line like any other consumer, so order, selectors, priorities,
groups and exclusive consumers are matters of each queue.

Rule 1: `held` of the whole is all that its members hold, in the order of delivery; the window is that of the whole.
Rule 2: when the window is full nothing is done to the other members: each leaves its queue's line when that queue next
        wants to deliver.  So what a message costs does not depend on how many queues match.
Rule 3: members that left are `apart`, the one that left first in front.  When there is room they are invited in that
        order (`serve`), and no other way, so each queue has its turn, however small the window.
Rule 4: a message has one id in all queues that have a copy (virtual topics), and the id is its tag.  While the whole
        holds one copy, the member of another queue waits with the other (its `twin`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, MutableMapping
from typing import TYPE_CHECKING

from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.queue_pattern import QueuePattern
from rmimom.note import mark_taken_from
from rmimom.selector import Selector

if TYPE_CHECKING:
    from rmimom.core.mailbox import Mailbox
    from rmimom.core.turn import Turn


class Member(Consumer):
    """The part of a pattern's consumer in one queue."""

    __slots__ = ("_fresh_note", "_in_line", "_twin", "mailbox", "whole")

    waits_to_be_invited = True

    def __init__(self, whole: PatternConsumer, mailbox: Mailbox) -> None:
        self.whole = whole
        self.mailbox = mailbox
        self._in_line = False
        self._twin = 0
        self._fresh_note = mark_taken_from("", str(mailbox.origin))
        super().__init__(
            whole.connection,
            whole.number,
            whole.prefetch,
            whole.prefetch_bytes,
            whole.selector,
            priority=whole.priority,
            exclusive=whole.exclusive,
        )

    @property
    def waiting(self) -> bool:
        """Whether it stands in its queue's line."""
        return self._in_line

    @waiting.setter
    def waiting(self, in_line: bool) -> None:
        self._in_line = in_line
        if in_line:
            self.whole.apart.pop(self, None)
        else:
            self.whole.apart[self] = None

    @property
    def room(self) -> int:
        """How many messages it may have besides what the whole holds."""
        return self.whole.room if self.prefetch else 0

    @property
    def has_room(self) -> bool:
        """Whether the whole may have another message, and this member of all."""
        whole = self.whole
        return self.prefetch > 0 and whole.has_room and self._twin not in whole.held

    def admits(self, entry: Entry) -> bool:
        """Whether the whole holds no copy of it from another queue; else this member waits until that is gone."""
        if entry.id in self.whole.held:
            self._twin = entry.id
            return False
        return True

    def mark(self, note: str) -> str:
        """The note of what is delivered, with a word on where it was taken from: its client named no queue."""
        return mark_taken_from(note, str(self.mailbox.origin)) if note else self._fresh_note

    def hold(self, entry: Entry) -> None:
        """Take charge of a delivered entry."""
        super().hold(entry)
        self._twin = 0
        self.whole.hold(entry)
        self.whole.holders[entry.id] = self

    def let_go(self, tags: Iterable[int]) -> list[Entry]:
        """Give up these tags; those not held are passed over."""
        gone = super().let_go(tags)
        self.whole.lose(gone)
        return gone

    def let_go_of_all(self) -> list[Entry]:
        """Give up everything."""
        gone = super().let_go_of_all()
        self.whole.lose(gone)
        return gone

    def take_away(self, tags: tuple[int, ...]) -> list[Entry]:
        """Take these tags from it, because somebody else settled them; see `Consumer.take_away`."""
        self.whole.note_taken_away([tag for tag in tags if tag in self.held])
        return self.let_go(tags)


class PatternConsumer(Consumer):
    """The whole; see the module's text.  `freed` is where it puts itself down when it may have room again."""

    __slots__ = ("_freed", "apart", "holders", "members", "pattern")

    def __init__(
        self,
        connection: str,
        number: int,
        prefetch: int,
        prefetch_bytes: int,
        selector: Selector | None,
        pattern: QueuePattern,
        freed: MutableMapping[PatternConsumer, None],
        *,
        priority: int = 0,
        exclusive: bool = False,
    ) -> None:
        super().__init__(connection, number, prefetch, prefetch_bytes, selector, priority=priority, exclusive=exclusive)
        self.pattern = pattern
        self.members: dict[int, Member] = {}  # by the id of their mailbox
        self.holders: dict[int, Member] = {}  # by tag
        self.apart: OrderedDict[Member, None] = OrderedDict()
        self._freed = freed

    def join(self, mailbox: Mailbox) -> Member:
        """A new member for this mailbox, which the caller lets in."""
        member = self.members[mailbox.id] = Member(self, mailbox)
        return member

    def leave(self, mailbox: Mailbox) -> None:
        """The member there has left the mailbox, and holds nothing."""
        self.apart.pop(self.members.pop(mailbox.id), None)

    def arrange(self, tags: Iterable[int]) -> None:
        """Its client had these, as far as it has them again, in this order."""
        self.held = {tag: self.held[tag] for tag in dict.fromkeys(tags) if tag in self.held}

    def lose(self, gone: Iterable[Entry]) -> None:
        """A member does not hold these any more."""
        self._freed[self] = None
        for entry in gone:
            del self.holders[entry.id]
            del self.held[entry.id]
            self.held_bytes -= entry.size

    def shares(self, tags: Iterable[int]) -> list[tuple[Member, list[int]]]:
        """The members that hold these tags, each with its own, in order; tags that nobody holds are passed over."""
        found: dict[Member, list[int]] = {}
        for tag in tags:
            member = self.holders.get(tag)
            if member is not None:
                found.setdefault(member, []).append(tag)
        return list(found.items())

    def acknowledge(self, up_to: int, tags: Iterable[int], turn: Turn) -> int:
        """The client is done with messages; returns how many."""
        done = [*self.delivered_up_to(up_to), *tags] if up_to else tags
        return sum(member.mailbox.acknowledge(member, 0, own, turn) for member, own in self.shares(done))

    def serve(self, turn: Turn) -> None:
        """Invite the members that are apart, those who left first before the others, as long as there is room."""
        for _ in range(len(self.apart)):
            if not self.has_room:
                break
            member, _ = self.apart.popitem(last=False)
            self.apart[member] = None
            member.mailbox.invite(member, turn)
