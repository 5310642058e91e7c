"""The note that travels with a message which came from another mailbox: a dead letter, or one that was sent back.

It is JSON text beside the message, so that the frame stays as its sender made it (Jakarta Messaging §3.10).  Consumers
see it as properties with the prefix of this provider (§3.5.10).
"""

from __future__ import annotations

from typing import Final

import msgspec

PREFIX: Final = "JMS_rmimom_"
"""Of the properties that this provider sets."""
FIRST_IN_GROUP: Final = "JMSXGroupFirstForConsumer"
TAKEN_FROM: Final = PREFIX + "taken_from"
"""The property that says in which queue a message was that a pattern took."""
MAX_REASON: Final = 1000
"""Characters of a reason; what is longer is cut."""


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of such a message; times in milliseconds since 1970 UTC, 0 for none.

    A dead letter (or an expired message) has all but `retried_at`: where it was sent, why it is here, how often its
    consumers had failed on it, since when it is here, and the ids of the mailboxes it came from.  A message that was
    sent back has `retried_at` alone.  `moved_at` is when somebody moved it from another queue, or had it delivered
    before its time.  `first_in_group` tells a consumer that a group of messages is its own from here, and `taken_from`
    tells one with a pattern in which queue the message was; these two are not kept.
    """

    original_destination: str = ""
    reason: str = ""
    failures: int = 0
    dead_at: int = 0
    retried_at: int = 0
    sources: list[int] = []
    moved_at: int = 0
    first_in_group: bool = False
    taken_from: str = ""

    @property
    def is_dead(self) -> bool:
        """Whether it is about a dead letter or an expired message."""
        return self.dead_at > 0

    @property
    def keeps(self) -> bool:
        """Whether the message does not expire any more, because it died or expired before."""
        return self.dead_at > 0 or self.retried_at > 0


_decode = msgspec.json.Decoder(Note, strict=True).decode
_encode = msgspec.json.Encoder().encode


def encode_note(note: Note) -> str:
    """The note as text."""
    return _encode(note).decode()


def decode_note(text: str) -> Note:
    """Read a note; what is not one is an empty note, for a message is worth more than what is told of it."""
    try:
        return _decode(text) if text else Note()
    except msgspec.MsgspecError:
        return Note()


def note_properties(text: str) -> dict[str, str | int | bool]:
    """The note as the properties of a message."""
    note = decode_note(text)
    found: dict[str, str | int | bool] = {}
    if note.is_dead:
        found[PREFIX + "original_destination"] = note.original_destination
        found[PREFIX + "dead_reason"] = note.reason
        found[PREFIX + "failures"] = note.failures
        found[PREFIX + "dead_at"] = note.dead_at
    if note.retried_at:
        found[PREFIX + "retried_at"] = note.retried_at
    if note.moved_at:
        found[PREFIX + "moved_at"] = note.moved_at
    if note.first_in_group:
        found[FIRST_IN_GROUP] = True
    if note.taken_from:
        found[TAKEN_FROM] = note.taken_from
    return found


def mark_first_in_group(text: str) -> str:
    """The note, with a word that the message is the first of its group for the consumer."""
    return encode_note(msgspec.structs.replace(decode_note(text), first_in_group=True))


def mark_taken_from(text: str, queue: str) -> str:
    """The note, with a word that the message was taken from this queue."""
    return encode_note(msgspec.structs.replace(decode_note(text), taken_from=queue))


def clean_reason(reason: str) -> str:
    """A reason that somebody gave, in a length and an alphabet that can be stored and sent."""
    return reason[:MAX_REASON].encode("utf-8", "replace").decode()
