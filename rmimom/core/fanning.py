"""Fanning out: new messages go to every mailbox of their audience.

In the usual case a mailbox has one consumer, nothing waits before it, and it has room for everything.  Then its
messages need not stand in line: they are handed over together, and the consumers of one connection share what it is
told.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw

from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.mailbox import Mailbox
from rmimom.core.residence import Residence
from rmimom.core.turn import Turn
from rmimom.effects import NOT_LOADED
from rmimom.frame import Delivered


def fan_out(mailboxes: Sequence[Mailbox], entries: list[Entry], residence: Residence, turn: Turn) -> None:
    """Put the same new entries into each mailbox and deliver what can be delivered, each in order."""
    if any(entry.expiration or entry.wishes is not None for entry in entries):
        # Somebody has to look at the clock for each, or at its group.
        for mailbox in mailboxes:
            mailbox.put(entries, turn)
        return
    by_id = {entry.id: entry for entry in entries}
    size = sum(entry.size for entry in entries)
    eager: dict[str, list[Consumer]] = {}
    others: list[Mailbox] = []
    for mailbox in mailboxes:
        consumer = mailbox.eager_consumer(len(entries), size)
        if consumer is None:
            others.append(mailbox)
        else:
            eager.setdefault(consumer.connection, []).append(consumer)
            mailbox.hand_over(consumer, by_id, size, turn)
    for connection, consumers in eager.items():
        _tell(connection, consumers, entries, turn)
    for mailbox in others:
        # What is told above is shared by lists that must not change any more.
        mailbox.put(entries, turn, sharing=not eager)
    if eager and len(mailboxes) == 1:
        for entry in entries:
            if entry.stored:
                # On its way to its only reader; should it come back, the store has it.
                residence.forget(entry)


def _tell(connection: str, consumers: list[Consumer], entries: list[Entry], turn: Turn) -> None:
    deliveries = turn.deliveries_to(connection)
    numbers = [consumer.number for consumer in consumers]
    counts = [1] * len(numbers)
    for entry in entries:
        frame = NOT_LOADED if entry.frame is None else Raw(entry.frame)
        deliveries[entry.id] = Delivered(entry.id, numbers, counts, frame)
