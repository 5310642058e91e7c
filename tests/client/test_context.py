"""Contexts: a connection and a session in one object (Jakarta Messaging 3.1 §2.8, §6.1.4)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from inspect import Parameter, signature
from typing import Any

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

import rmimom
from rmimom.client.connection import Connection
from rmimom.client.context import Context
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import (
    CLIENT_ACKNOWLEDGE,
    INDIVIDUAL_ACKNOWLEDGE,
    SESSION_TRANSACTED,
    AcknowledgeMode,
)
from rmimom.client.options import ConnectionOptions, SendOptions
from rmimom.client.producer import Producer
from rmimom.destination import Queue, Topic
from rmimom.errors import IllegalStateError, InvalidDestinationError, JMSSecurityError, MessageFormatError
from rmimom.frame import decode_frame
from rmimom.message import Message


@pytest.fixture
def context(factory: ConnectionFactory) -> Iterator[Context]:
    with factory.create_context("app", "secret") as made:
        yield made


def tags(server: FakeServer, name: str) -> list[int]:
    """What waits in a destination of the server."""
    return [entry.tag for entry in server.broker.boxes[name]]


# The common case.


def test_three_lines_send_and_three_receive(server: FakeServer) -> None:
    with rmimom.connect("app", "secret", uri=server.uri) as context:
        context.send("queue://orders", "hello")
    with rmimom.connect("app", "secret", uri=server.uri) as context:
        for message in context.consume("queue://orders"):
            assert message.body == "hello"
            break
    assert server.broker.acknowledged == [1]


def test_a_context_tells_of_its_connection(server: FakeServer) -> None:
    told: list[str] = []
    with rmimom.connect("app", "secret", uri=server.uri) as context:
        context.on_event(lambda event: told.append(f"{event.kind} {event.server_id}"))
    assert told == ["closed fake"]


def test_consume_ends_when_nothing_comes_or_the_context_is_closed(context: Context) -> None:
    context.send("queue://q", 1)
    found: list[object] = []
    while not found:
        found += [message.body for message in context.consume("queue://q", timeout=0.01)]
    assert found == [1]
    assert context.session._consumers == []
    context.send("queue://q", 2)
    for message in context.consume("queue://q"):
        assert message.body == 2
        context.close()


def test_consume_ends_when_another_thread_closes_the_context(context: Context) -> None:
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(context.consume("queue://q")))
    thread.start()
    wait_for(lambda: context.session._arrived._waiters)  # type: ignore[attr-defined]  # it is in `receive`
    context.close()
    thread.join(10)
    assert (thread.is_alive(), seen) == (False, [])


# Connection and session.


def test_a_consumer_starts_the_connection(factory: ConnectionFactory, context: Context) -> None:
    """§6.1.4: with autostart, delivery begins with the first consumer; without, with `start`."""
    context.send("queue://q", "x")
    assert not context.connection._running
    consumer = context.create_consumer("queue://q")
    assert consumer.receive(60) is not None
    with factory.create_context() as slow:
        slow.autostart = False
        slow.send("queue://r", "x")
        waiting = slow.create_consumer(Queue("r"))
        assert waiting.receive(0.01) is None
        slow.start()
        assert waiting.receive(60) is not None
        slow.stop()
        slow.send("queue://r", "y")
        assert waiting.receive(0.01) is None


def test_the_last_context_closes_the_connection(context: Context) -> None:
    """§2.8: contexts made from one another share a connection, which lasts as long as any of them."""
    other = context.create_context(CLIENT_ACKNOWLEDGE)
    third = other.create_context(transacted=True)
    assert (other.mode, third.mode, third.transacted) == (CLIENT_ACKNOWLEDGE, SESSION_TRANSACTED, True)
    assert other.connection is context.connection
    context.close()
    context.close()
    other.close()
    third.send("queue://q", "still here")
    third.close()
    with pytest.raises(IllegalStateError, match="connection is closed"):
        third.create_context()


def test_a_connection_outlives_the_contexts_made_from_it(factory: ConnectionFactory) -> None:
    with factory.create_connection("app", "secret") as connection:
        with connection.create_context() as context, context.create_context() as other:
            assert context.client_id == other.client_id == "app"
        connection.create_session().create_sender(Queue("q")).send("x")
        with pytest.raises(IllegalStateError, match="session is closed"):
            context.send("queue://q", "x")


def test_a_context_that_cannot_be_made_leaves_nothing(factory: ConnectionFactory, server: FakeServer) -> None:
    with pytest.raises(ValueError, match="9 is not a valid AcknowledgeMode"):
        factory.create_context("app", "secret", 9)  # type: ignore[arg-type]
    assert server.connections == []


def test_the_options_are_those_of_the_calls_they_go_to() -> None:
    """What is handed on as a whole has no list of its own that could be forgotten."""

    def named(call: Any) -> set[str]:
        return {name for name, one in signature(call).parameters.items() if one.kind is Parameter.KEYWORD_ONLY}

    assert set(ConnectionOptions.__annotations__) == named(ConnectionFactory.create_connection) - {"start"}
    assert set(SendOptions.__annotations__) == named(Producer.send) - {"destination", "timeout", "completion_listener"}
    assert set(SendOptions.__annotations__) == named(rmimom.ContextProducer.set)


# Sending.


def test_a_producer_keeps_what_it_is_told(context: Context) -> None:
    producer = context.create_producer().set(priority=7, persistent=False, properties={"a": 1})
    producer.set(properties={"b": "two"}, time_to_live=60, correlation_id="c", reply_to="queue://answers", type="t")
    assert producer.settings == {
        "priority": 7,
        "persistent": False,
        "time_to_live": 60,
        "correlation_id": "c",
        "reply_to": Queue("answers"),
        "type": "t",
        "properties": {"a": 1, "b": "two"},
    }
    producer.send(Queue("q"), b"body")
    message = context.create_consumer("queue://q").receive(60)
    assert message is not None
    assert (message.body, message.priority, message.persistent) == (b"body", 7, False)
    assert (message.correlation_id, message.reply_to, message.type) == ("c", Queue("answers"), "t")
    assert (message.expiration - message.timestamp, message.properties) == (60_000, {"a": 1, "b": "two"})
    assert producer.clear().settings == {}
    assert producer.set(delivery_delay=2).settings == {"delivery_delay": 2}


def test_the_producer_goes_before_the_message(context: Context, server: FakeServer) -> None:
    """Headers and properties of the producer override those of the message; the others are the message's."""
    message = Message("x", properties={"a": 1, "b": 2}, correlation_id="message", type="message", reply_to="topic://t")
    producer = context.create_producer().set(properties={"b": 3, "c": 4}, correlation_id="producer")
    producer.send("queue://q", message)
    frame = decode_frame(server.broker.stored[0])
    assert (frame.correlation_id, frame.type, frame.reply_to) == ("producer", "message", "topic://t")
    assert Message.from_frame(frame).properties == {"a": 1, "b": 3, "c": 4}
    assert message.properties == {"a": 1, "b": 2}
    assert message.correlation_id == "message"


@pytest.mark.parametrize(
    "wrong",
    [{"priority": 10}, {"time_to_live": -1}, {"delivery_delay": "soon"}, {"properties": {"1": 2}}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_no_message_can_have_is_refused_at_once(context: Context, wrong: dict[str, Any]) -> None:
    producer = context.create_producer()
    with pytest.raises(MessageFormatError):
        producer.set(**wrong)
    assert producer.settings == {}


def test_sends_that_are_not_waited_for(context: Context, server: FakeServer) -> None:
    producer = context.create_producer().set(priority=1)
    receipt = producer.send_async("queue://q", 1)
    producer.flush(10)
    assert receipt.done()
    assert producer.send_many("queue://q", range(2, 5), timeout=10) == 3
    assert [decode_frame(frame).priority for frame in server.broker.stored] == [1, 1, 1, 1]


def test_destinations_must_be_destinations(context: Context) -> None:
    for wrong, text in (("orders", "write queue://NAME"), (17, "17 is no destination"), (Queue("a b"), "' '")):
        with pytest.raises(InvalidDestinationError, match=text):
            context.send(wrong, "x")  # type: ignore[arg-type]
    with pytest.raises(InvalidDestinationError, match="topic://t is no queue"):
        context.create_browser(Topic("t"))  # type: ignore[arg-type]
    with pytest.raises(InvalidDestinationError, match="queue://q is no topic"):
        context.create_durable_consumer("queue://q", "name")
    with pytest.raises(InvalidDestinationError, match="no_local is for topics"):
        context.create_consumer("queue://q", no_local=True)
    assert (context.queue("q"), context.topic("t.>")) == (Queue("q"), Topic("t.>"))


# Receiving.


def test_each_kind_of_consumer(context: Context) -> None:
    plain = context.create_consumer("topic://a.*", selector="x = 1", no_local=True, prefetch=3)
    shared = context.create_shared_consumer("topic://t", "s", selector="x = 2", prefetch=4)
    durable = context.create_durable_consumer(Topic("t"), "d", selector="x = 3", no_local=True, prefetch=5)
    both = context.create_shared_durable_consumer("topic://t", "b", selector="x = 4", prefetch=6)
    assert [(str(one.destination), one._options) for one in (plain, shared, durable, both)] == [
        ("topic://a.*", {"selector": "x = 1", "prefetch": 3, "no_local": True}),
        ("topic://t", {"selector": "x = 2", "prefetch": 4, "shared": True, "name": "s"}),
        ("topic://t", {"selector": "x = 3", "prefetch": 5, "durable": "d", "no_local": True}),
        ("topic://t", {"selector": "x = 4", "prefetch": 6, "durable": "b", "shared": True}),
    ]
    durable.close()
    context.unsubscribe("d")


@pytest.mark.parametrize("mode", [CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE])
def test_acknowledge_is_for_all_that_was_delivered(
    factory: ConnectionFactory, server: FakeServer, mode: AcknowledgeMode
) -> None:
    """§6.2.10; it covers all consumers of the context."""
    with factory.create_context("app", "secret", mode) as context:
        for place in ("queue://q", "queue://q", "queue://r"):
            context.send(place, "x")
        first, second = context.create_consumer("queue://q"), context.create_consumer("queue://r")
        assert first.receive(60) is not None
        assert second.receive(60) is not None
        context.acknowledge()
        assert sorted(server.broker.acknowledged) == [1, 3]
        assert first.receive(60) is not None
        context.recover()
        again = first.receive(60)
        assert again is not None
        assert again.redelivered
    assert tags(server, "queue://q") == [2]


def test_acknowledge_has_nothing_to_do_in_other_modes(context: Context, server: FakeServer) -> None:
    context.acknowledge()
    context.close()
    with pytest.raises(IllegalStateError, match="closed"):
        context.acknowledge()


def test_transactions(factory: ConnectionFactory, server: FakeServer) -> None:
    with factory.create_context("app", "secret", transacted=True) as context:
        context.send("queue://q", "one")
        context.rollback()
        context.send("queue://q", "two")
        context.commit()
        assert [decode_frame(frame).body for frame in server.broker.stored] == [b"two"]
        context.send("queue://q", "three")
    assert len(server.broker.stored) == 1


def test_errors_are_those_of_connections(
    factory: ConnectionFactory, connection: Connection, server: FakeServer
) -> None:
    server.passwords["app"] = "secret"
    with pytest.raises(JMSSecurityError):
        factory.create_context("app", "wrong")
    assert repr(connection.create_context()).startswith("<Context of <Session AUTO_ACKNOWLEDGE")
