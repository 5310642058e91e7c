"""Recovery: the state as a store remembers it.

Messages that wait in no mailbox any more (they waited for a subscriber that was not durable) are dropped.
"""

from __future__ import annotations

from rmimom.core.entry import Entry
from rmimom.core.mailbox import Mailbox
from rmimom.core.past import Past
from rmimom.core.place import QueuePlace
from rmimom.core.state import State
from rmimom.core.subscription import Subscription
from rmimom.destination import KINDS, Topic
from rmimom.records import MessagesDropped, Record
from rmimom.selector import parse_selector
from rmimom.snapshot import Snapshot
from rmimom.wishes import decode_wishes


def recover(state: State, snapshot: Snapshot, now: int) -> list[Record]:
    """Fill an empty state from a snapshot; returns the records that tidy the store."""
    state.next_id = max(state.next_id, snapshot.position.next_id)
    mailboxes: dict[int, Mailbox] = {}
    for destination in snapshot.destinations():
        place = state.add_place(destination.id, KINDS[destination.kind](destination.name), destination.created)
        if isinstance(place, QueuePlace):
            place.mailbox.paused = destination.paused
            mailboxes[place.id] = place.mailbox
    for record in snapshot.subscriptions():
        origin = Topic(record.pattern) if record.pattern else state.places_by_id[record.destination].destination
        mailbox = state.mailbox(record.id, origin, durable=True)
        subscription = Subscription(
            record.id,
            record.destination,
            mailbox,
            owner=record.client_id,
            name=record.name,
            selector=parse_selector(record.selector),
            no_local=record.no_local,
            callback=record.callback,
            created=record.created,
            shared=record.shared,
            pattern=record.pattern,
        )
        state.attach(subscription)
        state.subscriptions[record.client_id, record.name] = subscription
        mailboxes[record.id] = mailbox
    for producer in sorted(snapshot.producers(), key=lambda known: known.at):
        # As if it had just spoken: by the clock of another server it may have been silent for longer than it was.
        state.producers.advance(producer.producer, producer.sequence, now)
    for user in snapshot.users():
        state.put_user(user)
    for number, delivered_up_to in snapshot.delivered_up_to().items():
        if number in mailboxes:
            mailboxes[number].delivered_up_to = delivered_up_to
    orphans = _restore_messages(snapshot, mailboxes, now)
    for mailbox in mailboxes.values():
        mailbox.doubt_until(now + state.rules.recovery_grace)
    return [MessagesDropped(orphans)] if orphans else []


def _restore_messages(snapshot: Snapshot, mailboxes: dict[int, Mailbox], now: int) -> list[int]:
    entries: dict[int, Entry] = {}
    delivery_times: dict[int, int] = {}
    for number, _, priority, expiration, delivery_time, size, wishes in snapshot.messages():
        wanted = decode_wishes(wishes) if wishes else None
        entries[number] = Entry(number, priority, expiration, size, 0, True, None, wanted)
        if delivery_time > now:
            delivery_times[number] = delivery_time
    for mailbox_id, message, returns, failures, note, due in snapshot.deliveries():
        entry = entries.get(message)
        mailbox = mailboxes.get(mailbox_id)
        if entry is not None and mailbox is not None:
            entry.references += 1
            past = Past(returns, failures, note, due) if returns or note else None
            # What came from elsewhere, or was delivered before its time, has had its delivery time.
            timed = delivery_times and not note
            mailbox.restore(entry, past, max(due, delivery_times.get(message, 0)) if timed else due, now)
    return [entry.id for entry in entries.values() if not entry.references]
