"""What must be true of the core after every command, and of the core and its store after every batch."""

from __future__ import annotations

from rmimom.core.broker import Broker
from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.mailbox import Mailbox
from rmimom.core.past import Past
from rmimom.core.pattern_consumer import Member, PatternConsumer
from rmimom.core.place import TopicPlace
from rmimom.core.state import OpenPattern, State
from rmimom.selector import MessageValues
from rmimom.store.memory import MemoryStore


def mailboxes_of(state: State) -> dict[int, Mailbox]:
    """Every mailbox, by its id."""
    own = {mailbox.id: mailbox for place in state.places.values() for mailbox in place.mailboxes()}
    return own | {subscription.id: subscription.mailbox for subscription in state.patterns.values()}


def check_broker(broker: Broker) -> None:
    """The rules of mailbox, ready list, consumer and residence."""
    state = broker.state
    waits_in: dict[int, int] = {}
    entries: dict[int, Entry] = {}
    mailboxes = mailboxes_of(state)
    for mailbox in mailboxes.values():
        _check_mailbox(mailbox)
        for entry in mailbox.entries():
            assert entries.setdefault(entry.id, entry) is entry, f"message {entry.id} has two entries"
            waits_in[entry.id] = waits_in.get(entry.id, 0) + 1
    for entry in entries.values():
        assert entry.references == waits_in[entry.id], f"{entry} waits in {waits_in[entry.id]} mailboxes"
        assert entry.stored or entry.frame is not None, f"{entry} is neither in memory nor in the store"
        assert 0 < entry.id < state.next_id
    in_memory = sum(entry.size for entry in entries.values() if entry.frame is not None)
    assert state.residence.used == in_memory, f"residence counts {state.residence.used}, but {in_memory} is in memory"
    _check_consumers(state, mailboxes)
    owned = {place.id: client.connection for client in state.clients.values() for place in client.temporaries.values()}
    assert owned == {place.id: place.owner for place in state.places.values() if place.owner}
    for place in state.places.values():
        if isinstance(place, TopicPlace):
            matching = {number for number, one in state.patterns.items() if one.matches(place.destination)}
            assert set(place.patterns) == matching, f"{place.destination} has the patterns {place.patterns}"


def _check_mailbox(mailbox: Mailbox) -> None:
    ids = [entry.id for entry in mailbox.entries()]
    assert len(ids) == len(set(ids)), f"mailbox {mailbox.id} has a message in two places: {sorted(ids)}"
    assert mailbox.pending == len(ids), f"mailbox {mailbox.id} counts {mailbox.pending} of {len(ids)}"
    ready = list(mailbox._ready)
    parked = {entry.id: where for where, parked in mailbox._ready._parked.items() for entry in parked}
    assert len(ready) == len(mailbox._ready) + len(parked)
    assert mailbox._ready.parked == len(parked)
    order = [(-entry.priority, entry.id) for entry in ready]
    assert order == sorted(order), f"mailbox {mailbox.id} is out of order: {order}"
    expirations = mailbox._expirations
    ghosts = [entry for entry in ready if mailbox._may_expire(entry) and entry.id not in expirations.watched]
    assert len(ghosts) == expirations.ghosts
    assert {entry.id for entry in ready if mailbox._may_expire(entry)} - {ghost.id for ghost in ghosts} == set(
        expirations.watched
    )
    if not mailbox._doubtful and not mailbox.paused:
        for consumer in mailbox._line:
            if not consumer.has_room:
                assert isinstance(consumer, Member), f"{consumer!r} stands in line and has no room"
                continue
            taken = [entry for entry in ready if entry.id not in parked and _takes(consumer, entry)]
            assert not taken, f"mailbox {mailbox.id} has messages and a consumer with room"
    assert set(mailbox._pasts) <= set(ids), f"mailbox {mailbox.id} counts returns of messages that are gone"
    for where in parked.values():
        if isinstance(where, Consumer):
            assert where in mailbox.consumers, f"messages are kept for {where!r}, who is gone"
            assert not where.has_room, f"messages are kept for {where!r}, who has room"
        else:
            assert mailbox._groups.is_blocked(str(where)), f"group {where} is not blocked"
    assert not expirations.watched.keys() & {number for consumer in mailbox.consumers for number in consumer.held}
    if expirations.watched or mailbox._delayed or mailbox._doubtful:
        assert mailbox._alarm, f"mailbox {mailbox.id} waits for a time but nobody will wake it"
    assert len(expirations._heap) <= 2 * len(expirations.watched) + 1001
    delayed = {entry.id for _, _, entry in mailbox._delayed}
    blocking = {number for waiting in mailbox._groups._blocked.values() for number in waiting}
    assert blocking <= delayed, f"groups of mailbox {mailbox.id} are blocked by {blocking - delayed}"
    assert set(mailbox._groups._members.values()) <= set(mailbox.consumers)


def _check_consumers(state: State, mailboxes: dict[int, Mailbox]) -> None:
    opened = [opened for client in state.clients.values() for opened in client.consumers.values()]
    assert {id(consumer) for mailbox in mailboxes.values() for consumer in mailbox.consumers} == {
        id(consumer) for one in opened for _, consumer in one.parts()
    }
    for one in opened:
        _check_held(one.consumer)
        for mailbox, consumer in one.parts():
            assert mailboxes[mailbox.id] is mailbox
            _check_held(consumer)
            assert consumer.waiting == (consumer in mailbox._line), repr(consumer)
            admitted = mailbox._line.sole in {None, consumer}
            if consumer.has_room or not isinstance(consumer, Member):
                assert consumer.waiting == (consumer.has_room and admitted), f"{consumer!r} has room but stands apart"
    wholes = [one.consumer for one in opened if isinstance(one, OpenPattern)]
    assert set(wholes) == state.pattern_consumers.keys()
    assert not state.freed
    for whole in wholes:
        _check_pattern(state, whole)


def _check_held(consumer: Consumer) -> None:
    assert consumer.held_bytes == sum(entry.size for entry in consumer.held.values()), repr(consumer)
    assert list(consumer.held) == [entry.id for entry in consumer.held.values()]


def _check_pattern(state: State, whole: PatternConsumer) -> None:
    """The rules of `pattern_consumer.py`."""
    matching = {place.id for place in state.places.values() if whole.pattern.matches(place.destination)}
    assert set(whole.members) == matching, f"{whole!r} is in {set(whole.members)}, but {matching} match"
    members = whole.members.values()
    assert all(whole.members[member.mailbox.id] is member and member in member.mailbox.consumers for member in members)
    assert whole.holders == {tag: member for member in members for tag in member.held}
    assert whole.held == {tag: entry for member in members for tag, entry in member.held.items()}
    assert set(whole.apart) == {member for member in members if not member.waiting}


def check_store(broker: Broker, store: MemoryStore) -> None:
    """What the store would bring back is what the core has, once every batch is in the store."""
    state = broker.state
    snapshot = store.load()
    assert {made.id: (made.kind, made.name, made.paused) for made in snapshot.destinations()} == {
        place.id: (place.destination.kind, place.destination.name, any(one.paused for one in place.mailboxes()))
        for place in state.places.values()
        if not place.owner
    }
    assert {
        (made.id, made.destination, made.client_id, made.name, made.no_local, made.callback, made.shared, made.pattern)
        for made in snapshot.subscriptions()
    } == {
        (one.id, one.topic, one.owner, one.name, one.no_local, one.callback, one.shared, one.pattern)
        for one in state.subscriptions.values()
    }
    assert {user.name: user for user in snapshot.users()} == state.users
    known = dict(state.producers.items())
    assert all(producer.sequence <= known[producer.producer] for producer in snapshot.producers())
    mailboxes = mailboxes_of(state)
    kept: dict[int, int] = {}
    deliveries: dict[tuple[int, int], int] = {}
    for mailbox in mailboxes.values():
        for entry in mailbox.entries():
            if entry.stored:
                kept[entry.id] = entry.size
                if mailbox.durable:
                    deliveries[mailbox.id, entry.id] = mailbox._pasts.get(entry.id) or Past()
    assert {row.id: row.size for row in snapshot.messages()} == kept
    assert {(row.mailbox, row.message): Past(*row[2:]) for row in snapshot.deliveries()} == deliveries
    advanced = snapshot.delivered_up_to()
    for mailbox in mailboxes.values():
        if mailbox.durable:
            assert advanced.get(mailbox.id, 0) == mailbox.delivered_up_to
            handed_out = [
                entry.id for consumer in mailbox.consumers for entry in consumer.held.values() if entry.stored
            ]
            assert max(handed_out, default=0) <= mailbox.delivered_up_to


def _takes(consumer: Consumer, entry: Entry) -> bool:
    if consumer.selector is None:
        return True
    return entry.frame is not None and MessageValues(entry.frame).match(consumer.selector)
