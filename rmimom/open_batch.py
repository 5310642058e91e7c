"""A batch while it collects: records that have to be safe, and what is told then."""

from __future__ import annotations

import asyncio

from rmimom.effects import Deliver, Effect, Examine, Fetch, Outcome, Reply
from rmimom.records import (
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    MessagesStored,
    Record,
)

SMALL_RECORDS = 8
SMALL_BYTES = 64 * 1024
"""Up to so many records, ids of messages and bytes of frames a batch is small."""
_MANY = (MessagesStored, MessagesRemoved, MessagesDropped, MessagesReturned, MessagesFailed, MessagesMoved)


class OpenBatch:
    """What was decided since the last batch went to the store.

    `missing` are the messages whose frames rest in the store and have to be fetched before the effects are told.
    """

    __slots__ = ("effects", "examinations", "missing", "records", "replies", "shipped")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.examinations: list[Examine | Fetch] = []
        self.missing: list[int] = []
        self.replies: list[tuple[asyncio.Future[object], Reply]] = []
        self.shipped: asyncio.Future[None] | None = None  # what has to be waited for beside our own disk

    def add(self, future: asyncio.Future[object] | None, outcome: Outcome) -> None:
        """Take in what was decided; `future` waits for the reply."""
        if outcome.records:
            self.records += outcome.records
        for effect in outcome.effects:
            if isinstance(effect, (Examine, Fetch)):
                self.examinations.append(effect)
                continue
            self.effects.append(effect)
            if isinstance(effect, Deliver):
                for delivered in effect.deliveries:
                    if not len(delivered.frame):
                        self.missing.append(delivered.tag)
        if future is not None:
            self.replies.append((future, outcome.reply))

    @property
    def small(self) -> bool:
        """Whether it is a message or two: then the hand-over to the store's thread would take as long as the commit."""
        if len(self.records) > SMALL_RECORDS or self.missing:
            return False
        ids = sum(len(record.ids) for record in self.records if isinstance(record, _MANY))
        size = sum(
            len(frame) for record in self.records if isinstance(record, MessagesStored) for frame in record.frames
        )
        return ids <= SMALL_RECORDS and size <= SMALL_BYTES

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be made safe or told."""
        return not (self.replies or self.effects or self.records or self.examinations)
