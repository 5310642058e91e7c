"""What one command brings about, while it is being decided.

The nouns of the core write into the turn what must survive and what may be told; the broker makes the outcome
of it.  Removals and returns are gathered for each mailbox, so that a thousand acknowledgements make one record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rmimom.effects import Deliver, Effect, Outcome, Reply
from rmimom.frame import Delivered
from rmimom.records import (
    MailboxAdvanced,
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    Record,
)
from rmimom.selector import Selector

if TYPE_CHECKING:
    from rmimom.core.entry import Entry
    from rmimom.core.shelf import Shelf

Key: TypeAlias = int | tuple[int, int | Selector]
"""What may share a delivery within a turn: a message, a message of a selector's group, or a message of a consumer."""


class Turn:
    """The records and effects of one command; `now` is in milliseconds since 1970 UTC.

    `expired` has what left its mailbox because its time is over and has to go to an expiry queue yet.
    """

    __slots__ = (
        "_advanced",
        "_deliveries",
        "_failed",
        "_removed",
        "_returned",
        "dropped",
        "effects",
        "expired",
        "moved",
        "now",
        "records",
    )

    def __init__(self, now: int) -> None:
        self.now = now
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.dropped: list[int] = []
        self.expired: list[tuple[Shelf, Entry]] = []
        self.moved: list[MessagesMoved] = []
        self._removed: dict[int, list[int]] = {}
        self._returned: dict[int, list[int]] = {}
        self._failed: dict[tuple[int, int], list[int]] = {}
        self._advanced: dict[int, int] = {}
        self._deliveries: dict[str, dict[Key, Delivered]] = {}

    def removed(self, mailbox: int, ids: list[int]) -> None:
        """These messages leave the mailbox for good."""
        gathered = self._removed.get(mailbox)
        if gathered is None:
            self._removed[mailbox] = ids
        else:
            gathered.extend(ids)

    def returned(self, mailbox: int, ids: list[int]) -> None:
        """These messages came back to the mailbox."""
        self._returned.setdefault(mailbox, []).extend(ids)

    def failed(self, mailbox: int, number: int, due: int) -> None:
        """A consumer of the mailbox failed on this message, which is not delivered again before `due`."""
        self._failed.setdefault((mailbox, due), []).append(number)

    def advanced(self, mailbox: int, delivered_up_to: int) -> None:
        """The mailbox handed out messages up to this id."""
        self._advanced[mailbox] = delivered_up_to

    def deliveries_to(self, connection: str) -> dict[Key, Delivered]:
        """What goes to this connection, in order: by tag if its consumers share it, by tag and consumer if not."""
        found = self._deliveries.get(connection)
        if found is None:
            found = self._deliveries[connection] = {}
        return found

    def outcome(self, reply: Reply) -> Outcome:
        """Close the turn."""
        records = self.records
        for mailbox, ids in self._returned.items():
            records.append(MessagesReturned(mailbox, ids))
        for (mailbox, due), ids in self._failed.items():
            records.append(MessagesFailed(mailbox, ids, due))
        if self.moved:
            records += self.moved
        for mailbox, last in self._advanced.items():
            records.append(MailboxAdvanced(mailbox, last))
        for mailbox, ids in self._removed.items():
            records.append(MessagesRemoved(mailbox, ids))
        if self.dropped:
            records.append(MessagesDropped(self.dropped))
        effects = self.effects
        for connection, deliveries in self._deliveries.items():
            if deliveries:
                effects.append(Deliver(connection, list(deliveries.values())))
        return Outcome(reply, records, effects)
