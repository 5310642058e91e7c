"""One consumer: what it may have, and what it holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rmimom.core.entry import Entry
from rmimom.selector import Selector


class Consumer:
    """A consumer of one mailbox, known by its connection and a number.

    `held` has the entries delivered and not yet acknowledged, in order of delivery.  The window is what keeps a
    slow consumer from being flooded: at most `prefetch` messages and, beyond the first, `prefetch_bytes` bytes.
    """

    __slots__ = (
        "_taken_away",
        "connection",
        "exclusive",
        "held",
        "held_bytes",
        "number",
        "prefetch",
        "prefetch_bytes",
        "priority",
        "selector",
        "waiting",
    )

    waits_to_be_invited: ClassVar[bool] = False
    """Whether it comes back into the line only in its turn among others (`pattern_consumer.py`)."""

    def __init__(
        self,
        connection: str,
        number: int,
        prefetch: int,
        prefetch_bytes: int,
        selector: Selector | None = None,
        *,
        priority: int = 0,
        exclusive: bool = False,
    ) -> None:
        self.connection = connection
        self.number = number
        self.prefetch = prefetch
        self.prefetch_bytes = prefetch_bytes
        self.selector = selector
        self.priority = priority
        self.exclusive = exclusive
        self.held: dict[int, Entry] = {}
        self.held_bytes = 0
        self.waiting = False  # whether it stands in its mailbox's line of consumers with room
        self._taken_away: dict[int, list[int]] = {}  # what was held before each tag that somebody else settled

    def __repr__(self) -> str:
        return f"Consumer({self.connection!r}, {self.number}, holds {len(self.held)} of {self.prefetch})"

    @property
    def has_room(self) -> bool:
        """Whether another message may be delivered; a single one may be larger than the window."""
        return len(self.held) < self.prefetch and self.held_bytes < self.prefetch_bytes

    @property
    def room(self) -> int:
        """How many messages more fit into the window, whatever their size."""
        return self.prefetch - len(self.held)

    def admits(self, entry: Entry) -> bool:
        """Whether it may have this message; asked in queues of which some consumer has a pattern."""
        del entry
        return True

    def mark(self, note: str) -> str:
        """The note of what is delivered; asked in queues of which some consumer has a pattern."""
        return note

    def hold(self, entry: Entry) -> None:
        """Take charge of a delivered entry."""
        self.held[entry.id] = entry
        self.held_bytes += entry.size

    def let_go_up_to(self, tag: int) -> list[Entry]:
        """Give up everything delivered up to and including `tag`; nothing if `tag` was never held or is given up."""
        held = self.held
        if tag not in held:
            return self.let_go(self._taken_away.pop(tag, []))
        gone: list[Entry] = []
        for number, entry in held.items():
            gone.append(entry)
            if number == tag:
                break
        if len(gone) == len(held):
            held.clear()
            self.held_bytes = 0
        else:
            for entry in gone:
                del held[entry.id]
                self.held_bytes -= entry.size
        return gone

    def delivered_up_to(self, tag: int) -> list[int]:
        """The tags that `let_go_up_to` gives up."""
        if tag not in self.held:
            return self._taken_away.pop(tag, [])
        order = list(self.held)
        return order[: order.index(tag) + 1]

    def let_go_of_all(self) -> list[Entry]:
        """Give up everything."""
        gone = list(self.held.values())
        self.held.clear()
        self.held_bytes = 0
        return gone

    def let_go(self, tags: Iterable[int]) -> list[Entry]:
        """Give up these tags; those not held are passed over."""
        held = self.held
        gone: list[Entry] = []
        for tag in tags:
            entry = held.pop(tag, None)
            if entry is not None:
                self.held_bytes -= entry.size
                gone.append(entry)
        return gone

    def take_away(self, tags: tuple[int, ...]) -> list[Entry]:
        """Take these tags from it, because somebody else settled them.

        It does not know and may acknowledge up to one of them: then it means what it held before it.
        """
        lost = [tag for tag in tags if tag in self.held]
        self.note_taken_away(lost)
        return self.let_go(lost)

    def note_taken_away(self, lost: list[int]) -> None:
        """Remember what was held before each of these tags, which are about to be taken away."""
        if lost:
            order = list(self.held)
            for tag in lost:
                self._taken_away[tag] = order[: order.index(tag)]
