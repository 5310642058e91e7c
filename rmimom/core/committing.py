"""Committing: what a transaction sends, acknowledges and gives back, all or none (Jakarta Messaging §6.2.7).

A transaction is gathered by whoever has the session, and arrives here whole.  So there is nothing to clean up when a
client dies in the middle of one, and all its records stand in one batch, which is on disk whole or not at all.
"""

from __future__ import annotations

from rmimom.commands import Commit
from rmimom.core.burying import check_release, release
from rmimom.core.limits import MAX_NUMBER, check_text
from rmimom.core.sending import check, find_places, put
from rmimom.core.state import Client, Opened, State
from rmimom.core.turn import Turn
from rmimom.errors import MessageFormatError, TransactionRolledBackError
from rmimom.records import ProducerAdvanced


def commit(state: State, command: Commit, turn: Turn) -> None:
    """Check everything, then do everything; a number that was committed before is passed over."""
    client = state.client(command.connection)
    check_text(command.transaction, "the name of the transaction", MessageFormatError)
    if not 1 <= command.number <= MAX_NUMBER:
        raise MessageFormatError(f"transactions are numbered from 1, but this one is number {command.number}")
    client.producers.add(command.transaction)
    if command.number <= state.producers.accepted_up_to(command.transaction):
        return
    lots = [check(state, client, destination, frames) for destination, frames in command.sends]
    acknowledged = [(_holder(client, consumer, up_to, tags), up_to, tags) for consumer, up_to, tags in command.acks]
    for released in command.releases:
        check_release(released)
        _holder(client, released.consumer, 0, released.tags)
    copies = [
        copy
        for lot, (destination, _) in zip(lots, command.sends, strict=True)
        for copy in find_places(state, command.connection, destination, lot, turn)
    ]
    state.producers.advance(command.transaction, command.number, turn.now)
    for opened, up_to, tags in acknowledged:
        state.messages_out += opened.acknowledge(up_to, tags, turn)
    for released in command.releases:
        release(state, released, turn)
    for place, lot in copies:
        put(state, client, place, lot, turn)
    turn.records.append(ProducerAdvanced(command.transaction, command.number, turn.now))


def _holder(client: Client, consumer: int, up_to: int, tags: tuple[int, ...] | list[int]) -> Opened:
    """The consumer, if it holds all of these; else TransactionRolledBackError."""
    opened = client.consumers.get(consumer)
    held = opened.consumer.held if opened is not None else {}
    missing = [tag for tag in ([up_to] if up_to else []) + [*tags] if tag not in held]
    if opened is None or missing:
        raise TransactionRolledBackError(
            f"the transaction was rolled back: consumer {consumer} no longer holds all messages that it is done with; "
            "they were given to others, so do the work again with what is delivered next",
            consumer=consumer,
        )
    return opened
