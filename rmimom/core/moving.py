"""Moving: messages go to another queue, away, or to consumers before their time, because somebody says so.

Each command is one turn, so its records are in the store together: a message is never in both queues, or in none.
Only what nobody holds can be moved or removed.  What is moved keeps its id, its headers and its place by age, and a
dead letter stays one; a note says when it was moved.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rmimom.commands import DeliverNow, Move, Remove
from rmimom.core.burying import arrive
from rmimom.core.entry import Entry
from rmimom.core.following import note_arrived
from rmimom.core.mailbox import Mailbox
from rmimom.core.past import Past
from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.state import State
from rmimom.core.turn import Turn
from rmimom.destination import TEMPORARY, Queue
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.note import decode_note, encode_note
from rmimom.records import MessagesMoved


def move(state: State, command: Move, turn: Turn) -> list[int]:
    """Move messages to another queue; returns the ids of those that went."""
    state.client(command.connection)
    source = _queue(state.find(command.queue))
    for destination in (command.queue, command.to):
        if not isinstance(destination, Queue) or isinstance(destination, TEMPORARY):
            raise InvalidDestinationError(
                f"messages are moved between queues that stay, but {destination} is none", destination=str(destination)
            )
    if command.to == command.queue:
        raise IllegalStateError(f"the messages are in {command.to} already", destination=str(command.to))
    target = _queue(state.find_or_create(command.to, command.connection, turn))
    leaving = source.select(command.ids, delayed=False)
    source.take_out(leaving)
    moved = MessagesMoved(source.id, [target.id], [], [], [])
    for entry in leaving:
        past = source.forget(entry)
        there = target.find_past(entry)
        kept = there if there is not None and decode_note(there.note).keeps else past
        note = _marked(kept, turn)
        _note_moved(moved, entry, arrive(target, entry, past.returns, note))
    if moved.ids:
        turn.moved.append(moved)
    note_arrived(state, target, leaving, turn)
    source.dispatch(turn)
    target.dispatch(turn)
    return [entry.id for entry in leaving]


def remove(state: State, command: Remove, turn: Turn) -> list[int]:
    """Remove messages for good; returns the ids of those that went."""
    state.client(command.connection)
    gone: dict[int, None] = {}
    for mailbox in _mailboxes(state.find(command.destination)):
        leaving = mailbox.select(command.ids)
        if leaving:
            mailbox.remove(leaving, turn)
            gone.update(dict.fromkeys(entry.id for entry in leaving))
    return list(gone)


def deliver_now(state: State, command: DeliverNow, turn: Turn) -> list[int]:
    """Make delayed messages due; returns the ids of those that were delayed."""
    state.client(command.connection)
    due: dict[int, None] = {}
    for mailbox in _mailboxes(state.find(command.destination)):
        hastened = mailbox.hasten(command.ids)
        if not hastened:
            continue
        moved = MessagesMoved(mailbox.id, [mailbox.id], [], [], [])
        for entry, past in hastened:
            past.note = _marked(past, turn)
            _note_moved(moved, entry, past)
            due[entry.id] = None
        if moved.ids and mailbox.durable:
            turn.moved.append(moved)
        mailbox.make_ready(entry for entry, _ in hastened)
        mailbox.dispatch(turn)
    return list(due)


def _marked(past: Past, turn: Turn) -> str:
    return encode_note(msgspec.structs.replace(decode_note(past.note), moved_at=turn.now))


def _note_moved(moved: MessagesMoved, entry: Entry, past: Past) -> None:
    if entry.stored:
        moved.ids.append(entry.id)
        moved.counts.append(past.returns)
        moved.notes.append(past.note)


def _queue(place: Place) -> Mailbox:
    if not isinstance(place, QueuePlace):
        raise InvalidDestinationError(
            f"messages wait in queues, but {place.destination} is a topic", destination=str(place.destination)
        )
    return place.mailbox


def _mailboxes(place: Place) -> Iterable[Mailbox]:
    """Where the messages of a destination wait, in subscriptions with a pattern, too."""
    found = place.mailboxes()
    if isinstance(place, TopicPlace):
        found = found + [subscription.mailbox for subscription in place.patterns.values()]
    return found
