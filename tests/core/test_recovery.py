"""Recovery: the state as a store remembers it.  The conversations in restart.txt tell what clients see of it."""

from __future__ import annotations

from support.brokers import NOW, BrokerOnStore
from support.messages import frame_for

from rmimom.commands import Acknowledge, CloseConsumer, Connect, PutUser, Send, Subscribe, Tick
from rmimom.core.broker import Broker
from rmimom.core.state import SERVER, Rules
from rmimom.destination import Queue, Topic
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


def test_producers_are_forgotten_in_the_order_of_their_silence_after_a_restart() -> None:
    made = BrokerOnStore(Rules(producer_memory=1000))
    made.handle(Connect("c", "ann"))
    for producer, later in [("x", 0), ("y", 10), ("x", 20)]:
        made.now = NOW + later
        sequence = made.broker.state.producers.accepted_up_to(producer) + 1
        made.handle(Send("c", producer, sequence, Q, [frame_for(Q)]))
    made.restart()
    made.now = NOW + 1010
    made.handle(Tick())
    assert list(made.broker.state.producers.items()) == [("x", 2)]
