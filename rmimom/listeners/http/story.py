"""What happened to one message, as far as the batches tell that are kept in memory for standbys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from rmimom.coordination.shipment import unpack
from rmimom.note import decode_note
from rmimom.records import (
    Batch,
    MailboxAdvanced,
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    MessagesStored,
)

MOST_EVENTS: Final = 1000


class Step(msgspec.Struct, frozen=True):
    """Something that happened to a message, in the batch `sequence` of `epoch`.

    `what` is sent, delivered (it may have been handed to a consumer), returned, failed, moved, removed (acknowledged,
    expired or taken away) or gone (it waits nowhere any more).  `mailbox` is where: the id of a queue or subscription.
    """

    epoch: int
    sequence: int
    what: str
    mailbox: int
    to: list[int] = []
    reason: str = ""


class Story(msgspec.Struct, frozen=True):
    """The number of a message, null if it is not among what is kept, and what happened to it, the oldest first.

    `since` is the first batch that is kept, 0 if none is.
    """

    id: int | None
    steps: list[Step]
    since: int


def read_story(parts: Iterable[bytes], number: int | None, message_id: str) -> Story:
    """Look for a message, by its number or its JMSMessageID, in packed batches, the oldest first."""
    needle = message_id.encode()
    steps: list[Step] = []
    since = 0
    places: set[int] = set()
    for part in parts:
        if number is None and since and needle not in part:
            continue
        for batch in unpack(part):
            since = since or batch.sequence
            if number is None:
                number = _number_in(batch, message_id)
            if number is not None and len(steps) < MOST_EVENTS:
                steps += _steps_in(batch, number, places)
    return Story(number, steps[:MOST_EVENTS], since)


def _number_in(batch: Batch, message_id: str) -> int | None:
    for record in batch.records:
        if isinstance(record, MessagesStored):
            for number, head in zip(record.ids, record.heads, strict=True):
                if head.message_id == message_id:
                    return number
    return None


def _steps_in(batch: Batch, number: int, places: set[int]) -> list[Step]:
    """The steps of a batch; `places` are the mailboxes where the message waits, and has not been handed out yet."""
    steps: list[Step] = []

    def step(what: str, mailbox: int, to: list[int] | None = None, reason: str = "") -> None:
        steps.append(Step(batch.epoch, batch.sequence, what, mailbox, to or [], reason))

    for record in batch.records:
        if isinstance(record, MessagesStored):
            if number in record.ids:
                places.update(record.mailboxes)
                step("sent", record.destination, list(record.mailboxes))
        elif isinstance(record, MailboxAdvanced):
            if record.mailbox in places and record.delivered_up_to >= number:
                places.discard(record.mailbox)
                step("delivered", record.mailbox)
        elif isinstance(record, MessagesMoved):
            if number in record.ids:
                note = decode_note(record.notes[record.ids.index(number)])
                step("moved", record.mailbox, list(record.to), note.reason)
        elif isinstance(record, MessagesDropped):
            if number in record.ids:
                step("gone", 0)
        elif type(record) in _WORDS and number in record.ids:  # type: ignore[union-attr]  # those of the table have ids
            step(_WORDS[type(record)], record.mailbox)  # type: ignore[union-attr]  # and a mailbox
    return steps


_WORDS: Final[Mapping[type, str]] = {
    MessagesReturned: "returned",
    MessagesFailed: "failed",
    MessagesRemoved: "removed",
}
