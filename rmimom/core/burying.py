"""Burying: messages that consumers fail on are tried again or become dead letters, and dead letters go back.

A dead letter leaves its mailbox and waits in a dead letter queue, with a note (`rmimom.note`) of where it came from.
One record says both, so it is in exactly one of the two, whatever happens in between.  Expired messages go the same way
where the policy names a queue for them.

Rule 1: what was buried does not expire any more, and is not buried again from the queue where it lies: a dead letter
        ends by being consumed, purged or sent back, never by itself.
Rule 2: two subscriptions that fail on one message make one dead letter; sent back it goes to both.
Rule 3: a dead letter queue is durable, so a persistent message that only memory had (its topic had no durable
        subscription) is stored on its way there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from rmimom.commands import Bury, CloseConsumer, Release, Retry
from rmimom.core.consumer import Consumer
from rmimom.core.consuming import close_consumer
from rmimom.core.entry import Entry
from rmimom.core.following import note_arrived
from rmimom.core.limits import check_number
from rmimom.core.mailbox import Mailbox
from rmimom.core.past import Past
from rmimom.core.place import Place, QueuePlace, TopicPlace
from rmimom.core.shelf import Shelf
from rmimom.core.state import SERVER, State
from rmimom.core.turn import Turn
from rmimom.destination import Queue, is_pattern, parse_destination, parse_source
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.frame import PERSISTENT, decode_head
from rmimom.note import Note, clean_reason, decode_note, encode_note
from rmimom.policy import MAX_DELAY, UNLIMITED, RedeliveryPolicy
from rmimom.records import MessagesMoved, MessagesStored
from rmimom.wishes import encode_wishes

EXPIRED = "expired"
"""The reason in the note of an expired message."""
BY_HAND = "buried by hand"
"""The reason of who gave none."""


def release(state: State, command: Release, turn: Turn) -> list[int] | None:
    """A consumer failed on messages; returns the tags that it holds no more, if it asked to keep what it can."""
    opened = state.client(command.connection).consumers.get(command.consumer)
    check_release(command)
    if opened is None:
        return [] if command.keep else None
    lost = opened.lost(command.tags)
    shares = opened.shares(command.tags)
    if command.close:
        opened.consumer.prefetch = 0
        for mailbox, consumer in opened.parts():
            mailbox.shut(consumer)
    for mailbox, consumer, tags in shares:
        lost += _release(state, command, mailbox, consumer, tags, turn)
    if command.close:
        close_consumer(state, CloseConsumer(command.connection, command.consumer), turn)
    return lost if command.keep else None


def _release(
    state: State, command: Release, mailbox: Mailbox, consumer: Consumer, tags: list[int], turn: Turn
) -> list[int]:
    """The same for what it had from one mailbox; returns the tags that it held and holds no more."""
    policy = state.rules.policies.of(mailbox.origin)
    queue = policy.dead_letter_queue(mailbox.origin)
    back: list[Entry] = []
    dead: list[Entry] = []
    failed = mailbox.note_failures(consumer, tags)
    for entry, past in failed:
        maximum, delay = _terms(command, entry, past, policy)
        over = command.dead or 0 <= maximum < past.failures
        if over and mailbox.origin != Queue(queue) and not decode_note(past.note).is_dead:
            dead.append(entry)
            continue
        if delay:
            past.due = turn.now + delay
        if delay or not command.keep:
            back.append(entry)
    mailbox.record_failures(failed, turn)
    if dead:
        mailbox.take_from(consumer, dead)
        reason = clean_reason(command.reason) or ("rejected" if command.dead else "failed too often")
        _bury(state, mailbox, dead, queue, reason, turn)
    mailbox.release(consumer, back, turn)
    return [entry.id for entry in (*dead, *back)]


def check_release(command: Release) -> None:
    """Raise IllegalStateError if the command asks for what cannot be, and change nothing."""
    if command.delay is not None and not 0 <= command.delay <= MAX_DELAY:
        raise IllegalStateError(f"the delay is {command.delay} ms; it must be between 0 and {MAX_DELAY}")
    if command.maximum is not None:
        check_number(command.maximum, "the maximum of redeliveries", IllegalStateError, UNLIMITED)


def _terms(command: Release, entry: Entry, past: Past, policy: RedeliveryPolicy) -> tuple[int, int]:
    """How often and after what delay it is delivered again: as the consumer says, the sender, or else the policy."""
    maximum, delay = command.maximum, command.delay
    if entry.wishes is not None:
        maximum = entry.wishes.max_redeliveries if maximum is None else maximum
        delay = entry.wishes.redelivery_delay if delay is None else delay
    return (
        policy.maximum if maximum is None else maximum,
        policy.delay_after(past.failures, entry.id) if delay is None else delay,
    )


def bury(state: State, command: Bury, turn: Turn) -> list[int]:
    """Make dead letters of messages that wait in a queue; returns the ids of those that went."""
    state.client(command.connection)
    place = state.find(command.queue)
    if not isinstance(place, QueuePlace):
        raise InvalidDestinationError(
            f"messages are buried from queues, but {command.queue} is a topic", destination=str(command.queue)
        )
    source = place.mailbox
    queue = state.rules.policies.of(source.origin).dead_letter_queue(source.origin)
    if not queue or Queue(queue) == source.origin:
        raise IllegalStateError(
            f"the dead letters of {source.origin} have nowhere to go; name a queue for them in the policies",
            destination=str(source.origin),
        )
    leaving = [
        entry
        for entry in source.select(command.ids, delayed=False)
        if (past := source.find_past(entry)) is None or not decode_note(past.note).is_dead
    ]
    if leaving:
        source.take_out(leaving)
        _bury(state, source, leaving, queue, clean_reason(command.reason) or BY_HAND, turn)
        source.dispatch(turn)
    return [entry.id for entry in leaving]


def bury_expired(state: State, turn: Turn) -> None:
    """What expired in this turn goes to its expiry queue."""
    while turn.expired:
        expired, turn.expired = turn.expired, []
        by_mailbox: dict[int, tuple[Shelf, list[Entry]]] = {}
        for mailbox, entry in expired:
            by_mailbox.setdefault(mailbox.id, (mailbox, []))[1].append(entry)
        for mailbox, entries in by_mailbox.values():
            # What expires in the expiry queue itself, because it was sent there, has nowhere to go.
            queue = "" if mailbox.origin == Queue(mailbox.expiry_queue) else mailbox.expiry_queue
            _bury(state, mailbox, entries, queue, EXPIRED, turn)


def _bury(state: State, source: Shelf, entries: list[Entry], queue: str, reason: str, turn: Turn) -> None:
    """Move entries that were taken out of their mailbox to the queue of this name; no name removes them."""
    if not queue:
        source.discard(entries, turn)
        return
    place = state.places.get(Queue(queue)) or state.create(Queue(queue), SERVER, turn)
    assert isinstance(place, QueuePlace)
    target = place.mailbox
    moved = MessagesMoved(source.id, [target.id], [], [], [])
    for entry in entries:
        past = source.forget(entry)
        note = Note(
            original_destination=str(source.origin),
            reason=reason,
            failures=past.failures,
            dead_at=turn.now,
            sources=[source.id],
        )
        there = target.find_past(entry)
        if there is not None and decode_note(there.note).is_dead:
            # The first one's note, but it goes back to both.  Those with a pattern are found without their topic.
            first = decode_note(there.note)
            named = (
                source.origin if is_pattern(parse_source(first.original_destination)) else first.original_destination
            )
            note = msgspec.structs.replace(first, original_destination=str(named), sources=[*first.sources, source.id])
        arrived = arrive(target, entry, past.returns, encode_note(note))
        _store(state, entry, place, turn)
        if entry.stored:
            moved.ids.append(entry.id)
            moved.counts.append(arrived.returns)
            moved.notes.append(arrived.note)
    if moved.ids:
        turn.moved.append(moved)
    note_arrived(state, target, entries, turn)
    target.dispatch(turn)


def arrive(target: Mailbox, entry: Entry, returns: int, note: str) -> Past:
    """Let an entry be in the target, too; two copies become one."""
    there = target.find_past(entry)
    if there is None:
        past = Past(returns, 0, note)
        target.take_in(entry, past)
        return past
    if decode_note(note).keeps:
        target.keep(entry)
    there.returns = max(there.returns, returns)
    there.failures = 0
    there.due = 0
    there.note = note
    entry.references -= 1
    return there


def _store(state: State, entry: Entry, place: Place, turn: Turn) -> None:
    """Have a message stored that has to survive from now on, under the destination it was sent to."""
    if not entry.stored and entry.frame is not None:
        head = decode_head(entry.frame)
        if head.mode == PERSISTENT:
            entry.stored = True
            sent_to = state.places.get(parse_destination(head.destination)) or place
            wishes = [encode_wishes(entry.wishes)] if entry.wishes is not None else []
            turn.records.append(MessagesStored(sent_to.id, [], [entry.id], [head], [entry.frame], wishes))


def retry(state: State, command: Retry, turn: Turn) -> int:
    """Send dead letters back to where they came from; returns how many went."""
    state.client(command.connection)
    place = state.find(command.destination)
    if not isinstance(place, QueuePlace):
        raise InvalidDestinationError(
            f"dead letters wait in queues, but {command.destination} is a topic", destination=str(command.destination)
        )
    source = place.mailbox
    leaving: list[tuple[Entry, list[Mailbox]]] = []
    resting = source.at_rest() if command.ids is None else source.select(command.ids)
    for entry in sorted(resting, key=lambda entry: entry.id):
        past = source.find_past(entry)
        if past is None:
            continue
        targets = _origins(state, decode_note(past.note), turn)
        if targets:
            leaving.append((entry, targets))
    source.take_out([entry for entry, _ in leaving])
    _send_back(source, leaving, turn)
    touched = {target.id: target for _, targets in leaving for target in targets} | {source.id: source}
    for target in touched.values():
        if target is not source:
            note_arrived(state, target, [entry for entry, targets in leaving if target in targets], turn)
    _dispatch(touched.values(), turn)
    return len(leaving)


def _send_back(source: Mailbox, leaving: Sequence[tuple[Entry, list[Mailbox]]], turn: Turn) -> None:
    note = encode_note(Note(retried_at=turn.now))
    records: dict[tuple[int, ...], MessagesMoved] = {}
    for entry, targets in leaving:
        returns = source.forget(entry).returns
        entry.references += len(targets) - 1
        for target in targets:
            returns = max(returns, arrive(target, entry, returns, note).returns)
        if entry.stored:
            to = tuple(target.id for target in targets if target.durable)
            moved = records.get(to)
            if moved is None:
                moved = records[to] = MessagesMoved(source.id, list(to), [], [], [])
            moved.ids.append(entry.id)
            moved.counts.append(returns)
            moved.notes.append(note)
    turn.moved += records.values()


def _origins(state: State, note: Note, turn: Turn) -> list[Mailbox]:
    """The mailboxes that a dead letter came from, as far as there are any; a queue that was deleted is made again."""
    if not note.is_dead:
        return []
    found = [state.patterns[number].mailbox for number in note.sources if number in state.patterns]
    destination = parse_source(note.original_destination)
    place = state.places.get(destination)
    if place is None and isinstance(destination, Queue):
        place = state.create(destination, SERVER, turn)
    if isinstance(place, TopicPlace):
        found += [place.subscriptions[number].mailbox for number in note.sources if number in place.subscriptions]
    return [place.mailbox] if isinstance(place, QueuePlace) else found


class DeadLetter(msgspec.Struct, frozen=True):
    """One message in a queue of dead letters; `size` in bytes, `dead_at` in milliseconds since 1970 UTC."""

    id: int
    original_destination: str
    reason: str
    failures: int
    deliveries: int
    dead_at: int
    priority: int
    size: int
    held: bool


def dead_letters(state: State, queue: Queue) -> list[DeadLetter]:
    """The dead letters in a queue, the oldest message first; `held` are those that a consumer has, or may have."""
    place = state.find(queue)
    assert isinstance(place, QueuePlace)
    mailbox = place.mailbox
    resting = {entry.id for entry in mailbox.at_rest()}
    found: list[DeadLetter] = []
    for entry in sorted(mailbox.entries(), key=lambda entry: entry.id):
        past = mailbox.find_past(entry)
        note = decode_note(past.note if past else "")
        if past is not None and note.is_dead:
            found.append(
                DeadLetter(
                    entry.id,
                    note.original_destination,
                    note.reason,
                    note.failures,
                    past.returns,
                    note.dead_at,
                    entry.priority,
                    entry.size,
                    entry.id not in resting,
                )
            )
    return found


def _dispatch(mailboxes: Iterable[Mailbox], turn: Turn) -> None:
    for mailbox in mailboxes:
        mailbox.dispatch(turn)
