"""Message groups: messages with one JMSXGroupID go to one consumer, one after the other.

The first message of a group goes to the consumer whose turn it is, and so do the others until that consumer closes, or
a message closes the group (JMSXGroupSeq below 0).  Then the next one finds a consumer anew.  What comes back goes to
its old place before that, so the order within the group is kept.

Rule 1: a message whose consumer has no room is set aside until it has; others pass it.
Rule 2: while a message of the group waits for the end of a delay after a failure, the group is blocked: all its
        messages are set aside.
Rule 3: consumers with different selectors have groups of their own: else a message could wait for a consumer that
        will never take it.
"""

from __future__ import annotations

from collections.abc import Iterable

from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.selector import Selector

MOST = 10_000
"""Groups that a mailbox remembers, beside those of which a consumer holds messages."""


class Groups:
    """The groups of one mailbox and their consumers."""

    __slots__ = ("_blocked", "_fresh", "_limit", "_members")

    def __init__(self) -> None:
        self._members: dict[tuple[str, Selector | None], Consumer] = {}  # those served last at the end
        self._fresh: set[tuple[str, Selector | None]] = set()  # their consumer has not had a message yet
        self._blocked: dict[str, set[int]] = {}
        self._limit = MOST

    def __len__(self) -> int:
        return len(self._members)

    def is_blocked(self, group: str) -> bool:
        """Whether a message of the group waits for the end of a delay after a failure."""
        return group in self._blocked

    def consumer_for(self, group: str, next_one: Consumer) -> Consumer:
        """Whose the group is; if it is nobody's, it belongs to the next one in line from now on."""
        key = group, next_one.selector
        found = self._members.get(key)
        if found is None:
            self._members[key] = found = next_one
            self._fresh.add(key)
        return found

    def delivered(self, group: str, consumer: Consumer, *, closes: bool) -> bool:
        """A message of the group goes to its consumer; whether it is the first since the group is its own."""
        key = group, consumer.selector
        first = key in self._fresh
        self._fresh.discard(key)
        member = self._members.pop(key, consumer)
        if not closes:
            self._members[key] = member
        return first

    def hold(self, entry: Entry, consumer: Consumer) -> None:
        """A consumer came back that holds a message."""
        if entry.wishes is not None and entry.wishes.group:
            self._members[entry.wishes.group, consumer.selector] = consumer

    def let_go(self, consumer: Consumer, kept: Iterable[Entry]) -> None:
        """The consumer shall have nothing more: its groups are nobody's, but for those of messages that are `kept`."""
        spared = {entry.wishes.group for entry in kept if entry.wishes is not None}
        mine = [key for key, member in self._members.items() if member is consumer]
        for key in [key for key in mine if key[0] not in spared]:
            del self._members[key]
            self._fresh.discard(key)

    def trim(self, consumers: Iterable[Consumer]) -> None:
        """Forget the groups that were not served for the longest, if there are too many; never one that is held."""
        if len(self._members) <= self._limit:
            return
        held = {
            entry.wishes.group for consumer in consumers for entry in consumer.held.values() if entry.wishes is not None
        }
        for key in list(self._members)[: self._limit // 2]:
            if key[0] not in held:
                del self._members[key]
                self._fresh.discard(key)
        self._limit = max(MOST, 2 * len(held))

    def block(self, entry: Entry) -> None:
        """A message has to wait after a failure, and its group with it."""
        if entry.wishes is not None and entry.wishes.group:
            self._blocked.setdefault(entry.wishes.group, set()).add(entry.id)

    def unblock(self, entry: Entry) -> str:
        """A message waits no more; its group if that is not blocked any more, else empty."""
        group = entry.wishes.group if entry.wishes is not None else ""
        waiting = self._blocked.get(group)
        if waiting is not None:
            waiting.discard(entry.id)
            if not waiting:
                del self._blocked[group]
                return group
        return ""

    def clear_blocks(self) -> None:
        """Nothing waits any more."""
        self._blocked.clear()
