"""Failures, dead letters and the way back; tests/core/conversations has the plain cases."""

from __future__ import annotations

import random

import pytest
from support.brokers import BrokerOnStore
from support.messages import frame_for

from rmimom.commands import (
    Acknowledge,
    Bury,
    CloseConsumer,
    Connect,
    CreateDestination,
    DeleteDestination,
    Disconnect,
    Purge,
    Release,
    Retry,
    Send,
    Subscribe,
    Tick,
)
from rmimom.core.state import Rules
from rmimom.destination import Destination, Queue, Topic
from rmimom.effects import Deliver, Outcome, Refused
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.note import decode_note
from rmimom.policy import Policies, RedeliveryPolicy, Rule
from rmimom.records import MessagesFailed, MessagesMoved, MessagesRemoved, MessagesReturned

Q = Queue("q")
T = Topic("t")
DEAD = Queue("DLQ.q")


def room(policy: RedeliveryPolicy | None = None) -> BrokerOnStore:
    """A broker with a connection and this policy for everything."""
    made = BrokerOnStore(Rules(policies=Policies(default=policy)))
    made.handle(Connect("c", "ann"))
    return made


def send(made: BrokerOnStore, destination: Destination, *bodies: str, persistent: bool = True) -> list[int]:
    """Send; returns the ids."""
    before = made.broker.next_id
    frames = [frame_for(destination, body, persistent=persistent) for body in bodies]
    made.handle(Send("c", "", 0, destination, frames))
    return list(range(made.broker.next_id - len(bodies), made.broker.next_id)) if before else []


def told(outcome: Outcome) -> list[int]:
    """The tags that are delivered."""
    return [
        delivered.tag for effect in outcome.effects if isinstance(effect, Deliver) for delivered in effect.deliveries
    ]


def pending(made: BrokerOnStore) -> dict[str, int]:
    """What waits where, by name."""
    return {place.name: place.pending for place in made.broker.statistics().destinations}


def test_seven_failures_are_one_too_many() -> None:
    """A20: the message is delivered once and redelivered six times, as in ActiveMQ."""
    made = room()
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    for _ in range(6):
        assert told(made.handle(Release("c", 1, (tag,)))) == [tag]
    outcome = made.handle(Release("c", 1, (tag,)))
    assert told(outcome) == []
    assert pending(made) == {"q": 0, "DLQ.q": 1}
    (letter,) = made.broker.dead_letters(DEAD)
    assert (letter.id, letter.failures, letter.deliveries, letter.reason) == (tag, 7, 7, "failed too often")


@pytest.mark.parametrize("maximum", [-1, 0, 2])
def test_maximum_of_the_policy(maximum: int) -> None:
    made = room(RedeliveryPolicy(maximum=maximum))
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    again = 0
    while again < 20 and told(made.handle(Release("c", 1, (tag,)))):
        again += 1
    assert again == (20 if maximum < 0 else maximum)


def test_a_consumer_that_closes_has_not_failed() -> None:
    """Messages that were only prefetched were not tried."""
    made = room(RedeliveryPolicy(maximum=0))
    send_to = Subscribe("c", 1, Q)
    made.handle(send_to)
    send(made, Q, "a", "b")
    for _ in range(5):
        made.handle(Disconnect("c"))
        made.handle(Connect("c", "ann"))
        made.handle(send_to)
    assert pending(made) == {"q": 2}


def test_a_tag_that_is_named_twice_fails_once() -> None:
    made = room()
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    outcome = made.handle(Release("c", 1, (tag, tag, 999)))
    assert outcome.records == [MessagesFailed(1, [tag])]
    assert told(outcome) == [tag]


def test_delays_grow_and_none_is_lost_to_the_clock() -> None:
    """A15: never earlier than the delay says."""
    made = room(RedeliveryPolicy(delay=100, multiplier=2))
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    for delay in (100, 200, 400):
        assert told(made.handle(Release("c", 1, (tag,)))) == []
        made.now += delay - 1
        assert told(made.handle(Tick())) == []
        made.now += 1
        assert told(made.handle(Tick())) == [tag]


def test_what_a_client_did_all_the_same_is_gone_although_it_waits() -> None:
    """Promise 2: a failure arrived without its client hearing so, and the client finished the work."""
    made = room()
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    made.handle(Release("c", 1, (tag,), delay=1000))
    made.handle(Disconnect("c"))
    made.handle(Connect("d", "ann"))
    outcome = made.handle(Subscribe("d", 1, Q, settled=(tag,)))
    assert MessagesRemoved(1, [tag]) in outcome.records
    made.now += 1000
    assert told(made.handle(Tick())) == []


def test_a_policy_without_dead_letter_queue_removes() -> None:
    made = room(RedeliveryPolicy(maximum=0, dead_letter=""))
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    made.handle(Release("c", 1, (tag,)))
    assert pending(made) == {"q": 0}


def test_a_dead_letter_queue_for_all_is_not_its_own() -> None:
    """A message sent to the common queue of dead letters itself stays there, whatever becomes of it."""
    made = room(RedeliveryPolicy(maximum=0, dead_letter="dead"))
    made.handle(Subscribe("c", 1, Queue("dead")))
    (tag,) = send(made, Queue("dead"), "a")
    assert told(made.handle(Release("c", 1, (tag,), dead=True))) == [tag]


def test_messages_of_memory_alone_move_in_memory() -> None:
    made = room()
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a", persistent=False)
    outcome = made.handle(Release("c", 1, (tag,), dead=True))
    assert not [record for record in outcome.records if isinstance(record, MessagesMoved | MessagesFailed)]
    assert told(made.handle(Subscribe("c", 2, DEAD))) == [tag]
    made.handle(Disconnect("c"))
    made.handle(Connect("c", "ann"))
    outcome = made.handle(Retry("c", DEAD))
    assert outcome.records == []
    assert told(made.handle(Subscribe("c", 1, Q))) == [tag]


def test_held_dead_letters_are_not_sent_back() -> None:
    made = room()
    made.handle(Subscribe("c", 1, Q))
    first, second = send(made, Q, "a", "b")
    made.handle(Release("c", 1, (first, second), dead=True))
    made.handle(Subscribe("c", 2, DEAD, prefetch=1))
    assert [letter.held for letter in made.broker.dead_letters(DEAD)] == [True, False]
    outcome = made.handle(Retry("c", DEAD))
    assert outcome.reply.value == 1  # type: ignore[union-attr]
    assert told(outcome) == [second]


def test_a_deleted_queue_is_made_again_for_what_comes_back() -> None:
    made = room()
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    made.handle(Release("c", 1, (tag,), dead=True))
    made.handle(CloseConsumer("c", 1))
    made.handle(DeleteDestination("c", Q))
    assert pending(made) == {"DLQ.q": 1}
    made.restart()
    made.handle(Connect("c", "ann"))
    made.now += 5000
    made.handle(Tick())
    made.handle(Retry("c", DEAD))
    assert pending(made) == {"DLQ.q": 0, "q": 1}


def test_other_messages_in_the_queue_stay() -> None:
    """Retry is for dead letters, not for what somebody sent to their queue."""
    made = room()
    made.handle(CreateDestination("c", DEAD))
    send(made, DEAD, "not dead")
    assert made.broker.dead_letters(DEAD) == []
    made.handle(Retry("c", DEAD))
    assert pending(made) == {"DLQ.q": 1}


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (Release("c", 1, (1,), delay=-1), IllegalStateError),
        (Release("c", 1, (1,), delay=2**60), IllegalStateError),
        (Release("c", 1, (1,), maximum=-2), IllegalStateError),
        (Release("x", 1, (1,)), IllegalStateError),
        (Retry("x", DEAD), IllegalStateError),
        (Retry("c", Queue("unknown")), InvalidDestinationError),
        (Retry("c", T), InvalidDestinationError),
    ],
)
def test_refusals(command: Release | Retry, error: type[Exception]) -> None:
    made = room()
    made.handle(CreateDestination("c", T))
    reply = made.handle(command).reply
    assert isinstance(reply, Refused)
    assert isinstance(reply.error, error)


def test_a_long_reason_is_cut() -> None:
    made = room()
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    made.handle(Release("c", 1, (tag,), dead=True, reason="x\n" * 100_000))
    assert len(made.broker.dead_letters(DEAD)[0].reason) == 1000


@pytest.mark.parametrize("persistent", [True, False])
def test_what_is_buried_by_hand_is_stored_and_comes_back(persistent: bool) -> None:
    made = room()
    ids = send(made, Q, "a", "b", persistent=persistent)
    outcome = made.handle(Bury("c", Q, ids[:1], "broken"))
    assert [type(record) for record in outcome.records if isinstance(record, MessagesMoved)] == [
        MessagesMoved
    ] * persistent
    assert pending(made) == {"q": 1, "DLQ.q": 1}
    (letter,) = made.broker.dead_letters(DEAD)
    assert (letter.id, letter.reason, letter.failures, letter.original_destination) == (ids[0], "broken", 0, str(Q))
    made.handle(Retry("c", DEAD))
    made.handle(Subscribe("c", 1, Q, prefetch=1))
    assert told(made.handle(Release("c", 1, (ids[0],), close=True))) == []
    assert pending(made) == {"q": 2, "DLQ.q": 0}


@pytest.mark.parametrize(("queue", "name"), [(Q, ""), (Queue("dead"), "dead")])
def test_what_would_have_nowhere_to_go_is_not_buried(queue: Queue, name: str) -> None:
    made = room(RedeliveryPolicy(dead_letter=name))
    ids = send(made, queue, "a")
    outcome = made.handle(Bury("c", queue, ids))
    assert isinstance(outcome.reply, Refused)
    assert isinstance(outcome.reply.error, IllegalStateError)
    assert pending(made) == {queue.name: 1}


EXPIRING = RedeliveryPolicy(maximum=2, delay=5, jitter=0.5, expiry="EXPIRED")


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_lost_and_nothing_is_in_two_places(seed: int) -> None:
    """Promise 7: in = consumed + expired + still there, whatever fails, dies, expires, is sent back or restarts.

    After every command the invariants of core and store are checked as well.
    """
    chance = random.Random(seed)
    keeping = Queue("a.keeping")
    made = BrokerOnStore(
        Rules(policies=Policies([Rule("a.>", EXPIRING)], RedeliveryPolicy(maximum=1)), resident_bytes=2000)
    )
    queues = [keeping, Q, Queue("DLQ.q"), Queue("DLQ.a.keeping"), Queue("EXPIRED")]
    sent: set[int] = set()
    consumed: set[int] = set()
    held: dict[int, list[int]] = {}
    may_vanish: set[int] = set()  # by expiring where no queue is kept for it, at a time to come

    def connect() -> None:
        held.clear()
        made.handle(Connect("c", "ann"))
        for number, queue in enumerate(queues):
            outcome = made.handle(Subscribe("c", number, queue, prefetch=1 + chance.randrange(4)))
            take(outcome)

    moves: list[MessagesMoved] = []

    def take(outcome: Outcome) -> None:
        moves.extend(record for record in outcome.records if isinstance(record, MessagesMoved))
        for effect in outcome.effects:
            if isinstance(effect, Deliver):
                for delivered in effect.deliveries:
                    assert delivered.tag not in consumed
                    for number in delivered.consumers:
                        held.setdefault(number, []).append(delivered.tag)

    connect()
    for _ in range(150):
        act = chance.randrange(12)
        number = chance.randrange(len(queues))
        mine = held.get(number, [])
        some = [tag for tag in mine if chance.random() < 0.5]
        if act < 4:
            queue = queues[chance.randrange(2)]
            lives = chance.random() < 0.3
            before = made.broker.next_id
            frame = frame_for(queue, "x" * chance.randrange(300), expiration=made.now + 10 if lives else 0)
            take(made.handle(Send("c", "", 0, queue, [frame])))
            new = next(iter(range(before, made.broker.next_id)))
            sent.add(new)
            if lives and queue == Q:
                may_vanish.add(new)
        elif act < 6:
            held[number] = [tag for tag in mine if tag not in some]
            consumed.update(some)
            take(made.handle(Acknowledge("c", number, 0, some)))
        elif act < 9:
            keep = chance.random() < 0.5
            outcome = made.handle(Release("c", number, some, keep=keep, dead=chance.random() < 0.2))
            gone = outcome.reply.value if keep else some  # type: ignore[union-attr]
            assert isinstance(gone, list)
            held[number] = [tag for tag in mine if tag not in gone]
            take(outcome)
        elif act == 9:
            made.now += chance.randrange(8)
            take(made.handle(Tick()))
        elif act == 10:
            take(made.handle(Retry("c", queues[chance.randrange(2, 5)])))
        elif chance.random() < 0.3:
            made.restart()
            connect()
            made.now += 1000
            take(made.handle(Tick()))
        still = {
            entry.id
            for place in made.broker.state.places.values()
            for mailbox in place.mailboxes()
            for entry in mailbox.entries()
        }
        assert not still & consumed
        assert sent - consumed - still <= may_vanish
    assert moves


def test_purged_dead_letters_are_gone() -> None:
    made = room()
    made.handle(Subscribe("c", 1, Q))
    (tag,) = send(made, Q, "a")
    made.handle(Release("c", 1, (tag,), dead=True))
    assert decode_note(made.store.load().deliveries().__next__().note).sources == [1]
    made.handle(Purge("c", DEAD))
    assert pending(made) == {"q": 0, "DLQ.q": 0}


def test_dead_letters_of_a_pattern_of_topics_come_back() -> None:
    """Given a durable subscription to a pattern that fails, when sent back, then it has the message again."""
    made = room()
    made.handle(Subscribe("c", 1, Topic("quakes.*"), durable="s"))
    (tag,) = send(made, Topic("quakes.it"), "a")
    made.handle(Release("c", 1, (tag,), dead=True))
    dead = Queue("DLQ.quakes.+")
    (letter,) = made.broker.dead_letters(dead)
    assert letter.original_destination == "topic://quakes.*"
    made.restart()
    made.handle(Connect("c", "ann"))
    made.now += 1000
    made.handle(Tick())
    assert made.handle(Retry("c", dead)).reply.value == 1  # type: ignore[union-attr]
    outcome = made.handle(Subscribe("c", 1, Topic("quakes.*"), durable="s"))
    assert told(outcome) == [tag]


def test_dead_letters_of_a_passing_pattern_are_stored() -> None:
    """Rule 3: under the topic that they were sent to."""
    made = room()
    made.handle(Subscribe("c", 1, Topic(">")))
    (tag,) = send(made, Topic("quakes.it"), "a")
    made.handle(Release("c", 1, (tag,), dead=True))
    made.restart()
    assert [letter.id for letter in made.broker.dead_letters(Queue("DLQ.++"))] == [tag]


def test_a_consumer_that_closes_with_a_failure_is_told_nothing_more() -> None:
    """What else it held goes back without having failed, and each counts one delivery."""
    made = room(RedeliveryPolicy(maximum=1))
    made.handle(Subscribe("c", 1, Q, prefetch=2))
    first, second, third = send(made, Q, "a", "b", "c")
    outcome = made.handle(Release("c", 1, (first,), close=True))
    assert told(outcome) == []
    assert outcome.records == [MessagesReturned(1, [second]), MessagesFailed(1, [first])]
    assert told(made.handle(Subscribe("c", 2, Q))) == [first, second, third]
    made.handle(Release("c", 2, (first, second), close=True))
    assert [letter.id for letter in made.broker.dead_letters(DEAD)] == [first]
