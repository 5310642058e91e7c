"""Recovery: the state as a store remembers it.  The conversations in restart.txt tell what clients see of it."""

from __future__ import annotations

import pytest
from support.brokers import NOW, BrokerOnStore
from support.messages import body_of, frame_for

from rmimom.commands import Acknowledge, CloseConsumer, Connect, PutUser, Send, Subscribe, Tick
from rmimom.core.broker import Broker
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue, Topic
from rmimom.effects import Deliver
from rmimom.frame import decode_head
from rmimom.records import Batch, DestinationCreated, MessagesDropped, MessagesStored
from rmimom.store.memory import MemoryStore

Q = Queue("q")
T = Topic("t")


def test_everything_that_must_survive_does() -> None:
    """Given places, subscriptions, users, producers and messages, when restarted, then core and store still agree.

    `BrokerOnStore` compares them after every command and after the restart.
    """
    made = BrokerOnStore()
    made.handle(Connect("c", "ann", "laptop"))
    made.handle(PutUser(SERVER, "ann", b"s", b"d"))
    made.handle(Subscribe("c", 1, T, durable="a", callback="PYRO:x@h:1"))
    made.handle(Subscribe("c", 2, T, durable="b", no_local=True))
    made.handle(Subscribe("c", 3, Q, prefetch=2))
    made.handle(Send("c", "p", 1, T, [frame_for(T, "1", priority=9), frame_for(T, "2", expiration=NOW + 500)]))
    made.handle(Send("c", "p", 3, Q, [frame_for(Q, "3"), frame_for(Q, "4", delivery_time=NOW + 99), frame_for(Q, "5")]))
    made.handle(CloseConsumer("c", 3))
    assert made.restart() == []
    statistics = made.broker.statistics()
    assert [(place.name, place.pending) for place in statistics.destinations] == [("t", 2), ("q", 3)]
    assert [(one.client_id, one.name, one.pending) for one in statistics.subscriptions] == [
        ("laptop", "a", 2),
        ("laptop", "b", 0),
    ]
    assert list(made.broker.state.producers.items()) == [("p", 5)]
    assert statistics.resident_bytes == 0


def test_message_that_waited_only_for_a_subscriber_that_is_gone_is_tidied_away() -> None:
    """Given a spilled message of a non-durable subscription, when restarted, then the store is told to drop it."""
    store = MemoryStore()
    store.open()
    frame = frame_for(T)
    store.append(
        Batch(
            0,
            1,
            9,
            [DestinationCreated(1, "topic", "t", NOW), MessagesStored(1, [], [5], [decode_head(frame)], [frame])],
        )
    )
    broker = Broker()
    assert broker.recover(store.load(), NOW) == [MessagesDropped([5])]
    assert broker.next_id == 9


def test_doubt_covers_what_was_handed_out_and_nothing_else() -> None:
    made = BrokerOnStore(Rules(recovery_grace=100))
    made.handle(Connect("c", "ann"))
    made.handle(Subscribe("c", 1, Q, prefetch=2))
    made.handle(Send("c", "p", 1, Q, [frame_for(Q, body) for body in "abc"]))
    made.handle(Acknowledge("c", 1, tags=(2,)))
    made.handle(CloseConsumer("c", 1))
    made.restart()
    made.now += 100
    made.handle(Tick())
    made.handle(Connect("c", "ann"))
    (effect,) = made.handle(Subscribe("c", 1, Q)).effects
    assert [(told.tag, told.counts) for told, _ in made.frames(effect)] == [(3, [3]), (4, [3])]


def test_after_a_restart_producers_are_remembered_as_if_they_had_just_spoken() -> None:
    """They may have been unable to reach anybody meanwhile, and clocks differ."""
    made = BrokerOnStore(Rules(producer_memory=1000))
    made.handle(Connect("c", "ann"))
    for producer, later in [("x", 0), ("y", 10), ("x", 20)]:
        made.now = NOW + later
        sequence = made.broker.state.producers.accepted_up_to(producer) + 1
        made.handle(Send("c", producer, sequence, Q, [frame_for(Q)]))
    made.restart()
    made.now = NOW + 1010
    made.handle(Tick())
    assert sorted(made.broker.state.producers.items()) == [("x", 2), ("y", 1)]
    made.now = NOW + 1020
    made.handle(Tick())
    assert list(made.broker.state.producers.items()) == []


# Whoever takes over has a clock of its own.

HOUR = 3_600_000


def handed_over(skew: int) -> BrokerOnStore:
    """A broker that goes on from what another one left, with a clock that differs by so many milliseconds."""
    made = BrokerOnStore(Rules(recovery_grace=100))
    made.handle(Connect("c", "ann"))
    made.handle(Subscribe("c", 1, Q, prefetch=1))
    frames = [
        frame_for(Q, "held"),
        frame_for(Q, "kept"),
        frame_for(Q, "short", expiration=NOW + HOUR // 2),
        frame_for(Q, "later", delivery_time=NOW + HOUR // 2),
    ]
    made.handle(Send("c", "p", 1, Q, frames))
    made.now += skew
    made.restart()
    made.handle(Connect("c", "ann"))
    return made


def pending(made: BrokerOnStore) -> int:
    (place,) = made.broker.statistics().destinations
    return place.pending


@pytest.mark.parametrize("skew", [-HOUR, -1, 0, 1, HOUR, 48 * HOUR])
def test_nothing_is_lost_or_stored_twice_whatever_its_clock_shows(skew: int) -> None:
    made = handed_over(skew)
    assert pending(made) == 4
    # What expires does so by the clock of whoever serves, and nothing else does.
    made.handle(Tick())
    left = 3 if skew >= HOUR else 4
    assert pending(made) == left
    made.handle(Send("c", "p", 1, Q, [frame_for(Q, body) for body in ("held", "kept", "short", "later")]))
    assert pending(made) == left


@pytest.mark.parametrize("skew", [-HOUR, 0, HOUR])
def test_the_doubt_ends_by_its_clock(skew: int) -> None:
    made = handed_over(skew)
    outcome = made.handle(Subscribe("c", 1, Q, prefetch=10))
    assert not any(isinstance(effect, Deliver) for effect in outcome.effects)
    made.now += 100
    bodies = [body_of(frame) for effect in made.handle(Tick()).effects for _, frame in made.frames(effect)]
    assert (
        bodies
        == {-HOUR: ["held", "kept", "short"], 0: ["held", "kept", "short"], HOUR: ["held", "kept", "later"]}[skew]
    )
