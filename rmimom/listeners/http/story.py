"""What happened to one message, as far as the trail tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from rmimom.note import decode_note
from rmimom.records import (
    MailboxAdvanced,
    MessagesDropped,
    MessagesFailed,
    MessagesMoved,
    MessagesRemoved,
    MessagesReturned,
    MessagesStored,
)
from rmimom.trail import Moment

MOST_EVENTS: Final = 1000


class Step(msgspec.Struct, frozen=True):
    """Something that happened to a message, in the batch `sequence` of `epoch`.

    `at` is when it was on the disk, in milliseconds since 1970 UTC.
    `what` is sent, delivered (it may have been handed to a consumer), returned, failed, moved, removed (acknowledged,
    expired or taken away) or gone (it waits nowhere any more).  `mailbox` is where: the id of a queue or subscription.
    """

    at: int
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


def read_story(moments: Iterable[Moment], number: int | None, message_id: str) -> Story:
    """Look for a message, by its number or its JMSMessageID, in what is kept, the oldest first."""
    steps: list[Step] = []
    since = 0
    places: set[int] = set()
    for moment in moments:
        since = since or moment.batch.sequence
        if number is None:
            number = _number_in(moment, message_id)
        if number is not None and len(steps) < MOST_EVENTS:
            steps += _steps_in(moment, number, places)
    return Story(number, steps[:MOST_EVENTS], since)


def _number_in(moment: Moment, message_id: str) -> int | None:
    if message_id not in moment.message_ids:
        return None
    stored = [number for one in moment.batch.records if isinstance(one, MessagesStored) for number in one.ids]
    return stored[moment.message_ids.index(message_id)]


def _steps_in(moment: Moment, number: int, places: set[int]) -> list[Step]:
    """The steps of a moment; `places` are the mailboxes where the message waits, and has not been handed out yet."""
    steps: list[Step] = []
    batch = moment.batch

    def step(what: str, mailbox: int, to: list[int] | None = None, reason: str = "") -> None:
        steps.append(Step(moment.at, batch.epoch, batch.sequence, what, mailbox, to or [], reason))

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
