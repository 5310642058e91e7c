"""A reading of the core's counters."""

from __future__ import annotations

from support.brokers import NOW, BrokerOnStore
from support.messages import frame_for

from rmimom.commands import Acknowledge, Connect, Disconnect, Send, Subscribe, Tick
from rmimom.core.statistics import BrokerStatistics, DestinationStatistics, SubscriptionStatistics
from rmimom.destination import Queue, Topic

Q = Queue("q")
T = Topic("t")


def test_empty_broker_counts_nothing() -> None:
    assert BrokerOnStore().broker.statistics() == BrokerStatistics(0, 0, 0, 0, 0, 0, [], [])


def test_every_counter_counts() -> None:
    """Given a queue and a topic in use, when read, then each counter says what happened."""
    made = BrokerOnStore()
    made.handle(Connect("c", "ann"))
    made.handle(Subscribe("c", 1, T, durable="x", prefetch=1))
    made.handle(Subscribe("c", 2, T))
    made.handle(Send("c", "p", 1, T, [frame_for(T, "1"), frame_for(T, "2")]))
    made.handle(Acknowledge("c", 2, up_to=made.broker.next_id - 1))
    frames = [frame_for(Q, "3"), frame_for(Q, "4", expiration=made.now + 5)]
    made.handle(Send("c", "q", 1, Q, frames))
    made.now += 5
    made.handle(Tick())
    statistics = made.broker.statistics()
    assert statistics.destinations == [
        DestinationStatistics("topic", "t", 2, 1, 2, 2, 2, 2, 0, 0, created=NOW),
        DestinationStatistics("queue", "q", 1, 0, 0, 0, 2, 0, 1, 0, created=NOW),
    ]
    assert statistics.subscriptions == [SubscriptionStatistics("ann", "x", "t", True, 2, 1, 0)]
    assert (statistics.connections, statistics.consumers, statistics.producers) == (1, 2, 2)
    assert (statistics.messages_in, statistics.messages_out) == (4, 2)
    assert statistics.resident_bytes == 2 * len(frame_for(T, "1")) + len(frames[0])
    made.handle(Disconnect("c"))
    assert made.broker.statistics().connections == 0
