"""Consuming: subscriptions found and made, consumers of one connection, destinations with consumers."""

from __future__ import annotations

import pytest
from support.brokers import BrokerOnStore
from support.messages import frame_for

from rmimom.commands import Acknowledge, CloseConsumer, Connect, Disconnect, Send, Subscribe, Tick
from rmimom.core.state import Rules
from rmimom.destination import Queue, Topic
from rmimom.effects import Accepted, Deliver, Outcome, Refused
from rmimom.errors import IllegalStateError, InvalidDestinationError, JMSError
from rmimom.records import CallbackChanged, SubscriptionCreated, SubscriptionDeleted

Q = Queue("q")
T = Topic("t")


def room(rules: Rules | None = None) -> BrokerOnStore:
    made = BrokerOnStore(rules)
    made.handle(Connect("c", "ann"))
    return made


def order_for(outcome: Outcome, connection: str, consumer: int) -> list[int]:
    """The tags for one consumer in the order in which they are told."""
    return [
        delivered.tag
        for effect in outcome.effects
        if isinstance(effect, Deliver) and effect.connection == connection
        for delivered in effect.deliveries
        if consumer in delivered.consumers
    ]


def test_consumers_of_one_connection_each_get_their_order() -> None:
    """§6.2.9: given one subscription that misses the first message, when both are due at once, then order is kept.

    Sharing the delivery of the second message would tell it before the first to the subscription that has both.
    """
    made = room()
    made.handle(Subscribe("c", 1, T))
    made.handle(Subscribe("c", 2, T))
    first, second = (frame_for(T, body, delivery_time=made.now + 50) for body in "ab")
    made.handle(CloseConsumer("c", 1))
    made.handle(Send("c", "", 0, T, [first]))
    made.handle(Subscribe("c", 1, T))
    made.handle(Send("c", "", 0, T, [second]))
    made.now += 50
    outcome = made.handle(Tick())
    tags = order_for(outcome, "c", 2)
    assert len(tags) == 2
    assert tags == sorted(tags)
    assert order_for(outcome, "c", 1) == tags[1:]


def test_end_of_doubt_keeps_the_order_of_two_durable_subscriptions_of_one_connection() -> None:
    """As above, for what two subscriptions of one connection have in doubt after a restart."""
    made = room()
    made.handle(Subscribe("c", 1, T, durable="older"))
    made.handle(Send("c", "", 0, T, [frame_for(T, "a")]))
    made.handle(Subscribe("c", 2, T, durable="newer"))
    made.handle(Send("c", "", 0, T, [frame_for(T, "b")]))
    made.restart()
    made.handle(Connect("c", "ann"))
    made.handle(Subscribe("c", 2, T, durable="newer"))
    made.handle(Subscribe("c", 1, T, durable="older"))
    made.now += made.rules.recovery_grace
    outcome = made.handle(Tick())
    tags = order_for(outcome, "c", 1)
    assert len(tags) == 2
    assert tags == sorted(tags)


def test_disconnect_gives_back_in_order_to_others() -> None:
    """Promise 4: given a connection with two consumers, when it ends, then another gets all in the order of sending."""
    made = room()
    made.handle(Subscribe("c", 1, Q, prefetch=3))
    made.handle(Subscribe("c", 2, Q, prefetch=3))
    made.handle(Send("c", "", 0, Q, [frame_for(Q, str(n)) for n in range(6)]))
    made.handle(Connect("d", "bob"))
    made.handle(Subscribe("d", 1, Q))
    outcome = made.handle(Disconnect("c"))
    tags = order_for(outcome, "d", 1)
    assert len(tags) == 6
    assert tags == sorted(tags)
    assert {count for effect in outcome.effects for told in effect.deliveries for count in told.counts} == {2}  # type: ignore[union-attr]


def test_callback_of_a_durable_subscription_is_remembered() -> None:
    """Given a bare callback object, when it moves, then the record says where to; when it stays, nothing is written."""
    made = room()
    outcome = made.handle(Subscribe("c", 1, T, durable="x", callback="PYRO:a@h:1"))
    assert any(isinstance(record, SubscriptionCreated) and record.callback for record in outcome.records)
    made.handle(CloseConsumer("c", 1))
    assert made.handle(Subscribe("c", 1, T, durable="x", callback="PYRO:a@h:1")).records == []
    made.handle(CloseConsumer("c", 1))
    outcome = made.handle(Subscribe("c", 1, T, durable="x", callback="PYRO:b@h:1"))
    assert [type(record) for record in outcome.records] == [CallbackChanged]


@pytest.mark.parametrize("change", [{"no_local": True}, {"destination": Topic("other")}])
def test_changed_subscription_is_deleted_and_made_anew(change: dict[str, object]) -> None:
    """§8.3.3: a change of topic or no-local while it is inactive is as if it was deleted first."""
    made = room()
    made.handle(Subscribe("c", 1, T, durable="x"))
    made.handle(CloseConsumer("c", 1))
    made.handle(Send("c", "", 0, T, [frame_for(T)]))
    outcome = made.handle(Subscribe(**{"connection": "c", "consumer": 1, "destination": T, "durable": "x", **change}))  # type: ignore[arg-type]
    kinds = [type(record) for record in outcome.records]
    assert kinds.index(SubscriptionDeleted) < kinds.index(SubscriptionCreated)
    assert made.broker.statistics().subscriptions[0].pending == 0
    assert len(made.broker.state.subscriptions) == 1


def test_subscriptions_of_a_client_id_and_of_users_are_told_apart() -> None:
    made = room()
    made.handle(Connect("d", "bob"))
    made.handle(Connect("e", "bob", "laptop"))
    for connection in "cde":
        assert isinstance(made.handle(Subscribe(connection, 1, T, durable="x")).reply, Accepted)
    assert sorted(made.broker.state.subscriptions) == [("ann", "x"), ("bob", "x"), ("laptop", "x")]


BAD: list[tuple[dict[str, object], type[JMSError]]] = [
    ({"consumer": -1}, IllegalStateError),
    ({"consumer": 2**63}, IllegalStateError),
    ({"prefetch": 0}, IllegalStateError),
    ({"prefetch_bytes": 0}, IllegalStateError),
    ({"destination": Topic("a b")}, InvalidDestinationError),
    ({"destination": Topic("\udcff")}, InvalidDestinationError),
    ({"durable": "x" * 256}, InvalidDestinationError),
    ({"durable": "a\nb"}, InvalidDestinationError),
    ({"durable": "x", "callback": "\udcff"}, InvalidDestinationError),
    ({"durable": "x", "callback": "P" * 2049}, InvalidDestinationError),
    ({"durable": "x", "destination": Q}, InvalidDestinationError),
    ({"shared": True}, InvalidDestinationError),
    ({"name": "x"}, InvalidDestinationError),
    ({"shared": True, "name": "x", "durable": "x"}, InvalidDestinationError),
    ({"shared": True, "name": "x", "destination": Q}, InvalidDestinationError),
    ({"shared": True, "name": "a\nb"}, InvalidDestinationError),
    ({"shared": True, "durable": "x" * 256}, InvalidDestinationError),
    ({"shared": True, "name": "x", "no_local": True}, IllegalStateError),
    ({"shared": True, "durable": "x", "callback": "PYRO:a@h:1"}, IllegalStateError),
]


@pytest.mark.parametrize(("change", "error"), BAD)
def test_bad_subscription_is_refused(change: dict[str, object], error: type[JMSError]) -> None:
    """Nothing that could not be stored or sent back gets further than this."""
    made = room()
    outcome = made.handle(Subscribe(**{"connection": "c", "consumer": 1, "destination": T, **change}))  # type: ignore[arg-type]
    assert isinstance(outcome.reply, Refused)
    assert type(outcome.reply.error) is error
    str(outcome.reply.error.to_dict()).encode()
    assert made.broker.statistics().consumers == 0
    assert made.broker.state.subscriptions == {}


def test_without_auto_creation_an_unknown_destination_is_refused() -> None:
    made = room(Rules(auto_create=False))
    for command in (Subscribe("c", 1, Q), Send("c", "", 0, Q, [frame_for(Q)])):
        outcome = made.handle(command)
        assert isinstance(outcome.reply, Refused)
        assert "rmimom-admin queue create q" in str(outcome.reply.error)
        assert outcome.records == []


def test_late_acknowledgement_of_a_closed_consumer_does_nothing() -> None:
    """Given its consumer is closed and gave the message back, when the acknowledgement comes, then it stays."""
    made = room()
    made.handle(Subscribe("c", 1, Q))
    made.handle(Send("c", "", 0, Q, [frame_for(Q)]))
    made.handle(CloseConsumer("c", 1))
    assert made.handle(Acknowledge("c", 1, tags=(2,))) == Outcome(Accepted(), [], [])
    assert made.broker.statistics().destinations[0].pending == 1


@pytest.mark.parametrize("kind", ["name", "durable"])
def test_a_shared_subscription_without_client_id_is_for_all_who_have_none(kind: str) -> None:
    """§8.3.2, §8.3.4: it is identified by its name and by the client identifier, which may be unset."""
    made = room()
    made.handle(Connect("d", "bob"))
    made.handle(Connect("e", "ann", "laptop"))
    for connection in "cde":
        command = Subscribe(connection, 1, T, shared=True, prefetch=1, **{kind: "x"})  # type: ignore[arg-type]
        assert isinstance(made.handle(command).reply, Accepted)
    outcome = made.handle(Send("c", "", 0, T, [frame_for(T, "a"), frame_for(T, "b")]))
    told = sorted((connection, tag) for connection in "cde" for tag in order_for(outcome, connection, 1))
    (first, one), (second, other), laptop, _ = [*told, None]
    assert (first, second) == ("c", "d")
    assert one != other
    assert laptop == ("e", min(one, other))


def test_a_consumer_that_comes_back_hears_what_others_took_over() -> None:
    """Given two consumers of a shared subscription, when one is cut off and comes back, then what it had is lost.

    After a restart of the server nobody else can have it, so it keeps what it holds.
    """
    made = room()
    made.handle(Connect("d", "bob"))
    for connection in "cd":
        made.handle(Subscribe(connection, 1, T, shared=True, name="x"))
    (tag,) = order_for(made.handle(Send("c", "", 0, T, [frame_for(T)])), "c", 1)
    assert order_for(made.handle(Disconnect("c")), "d", 1) == [tag]
    made.handle(Connect("c", "ann"))
    again = Subscribe("c", 1, T, shared=True, name="x", held=(tag,))
    assert made.handle(again).reply == Accepted([tag])
    made.restart()
    made.handle(Connect("c", "ann"))
    assert made.handle(again).reply == Accepted([])
