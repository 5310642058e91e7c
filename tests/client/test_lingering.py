"""Consumers closed while their session works on messages of them (Jakarta Messaging 3.1 §6.2.7, §6.2.10, §8.8)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client.connection import Connection
from rmimom.client.consumer import Consumer
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import (
    AUTO_ACKNOWLEDGE,
    CLIENT_ACKNOWLEDGE,
    INDIVIDUAL_ACKNOWLEDGE,
    SESSION_TRANSACTED,
    AcknowledgeMode,
)
from rmimom.client.session import Session
from rmimom.destination import Queue, Topic
from rmimom.errors import IllegalStateError
from rmimom.message import Message

Q = Queue("q")
MODES = [CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE, SESSION_TRANSACTED]


@pytest.fixture
def other(connection: Connection) -> Session:
    """A session that acknowledges by itself."""
    return connection.create_session()


def fill(session: Session, *messages: str) -> None:
    with session.create_sender(Q) as sender:
        sender.send_many(messages)


def take(consumer: Consumer) -> Message:
    message = consumer.receive(60)
    assert message is not None
    return message


def taken_and_closed(session: Session, count: int = 1) -> list[Message]:
    """What a receiver gets first, which then is closed."""
    with session.create_receiver(Q) as receiver:
        return [take(receiver) for _ in range(count)]


def told(consumer: Consumer, count: int) -> list[tuple[object, bool]]:
    return [(message.body, message.redelivered) for message in (take(consumer) for _ in range(count))]


def finish(session: Session, message: Message) -> None:
    session.commit() if session.transacted else message.acknowledge()


@pytest.mark.parametrize("mode", MODES)
def test_it_holds_what_was_received_and_nothing_else(
    mode: AcknowledgeMode, connection: Connection, other: Session, server: FakeServer
) -> None:
    """§8.8: others get the rest at once, and what comes later; the message is still acknowledged or committed."""
    fill(other, "a", "b", "c")
    session = connection.create_session(mode)
    [message] = taken_and_closed(session)
    fill(other, "d")
    receiver = other.create_receiver(Q)
    assert told(receiver, 3) == [("b", True), ("c", True), ("d", False)]
    finish(session, message)
    assert 1 in server.broker.acknowledged
    assert [consumer.number for consumer in server.broker.consumers] == [receiver._number]
    finish(session, message)  # twice is harmless, though the consumer is gone
    assert connection._consumers.keys() == {receiver._number}


def test_without_messages_it_closes(connection: Connection, other: Session, server: FakeServer) -> None:
    fill(other, "a", "b")
    for mode in (*MODES, AUTO_ACKNOWLEDGE):
        with connection.create_session(mode).create_receiver(Q):
            assert len(server.broker.consumers) == 1
        assert server.broker.consumers == []


def test_each_message_by_itself(connection: Connection, other: Session, server: FakeServer) -> None:
    """INDIVIDUAL_ACKNOWLEDGE: it ends with the last one."""
    fill(other, "a", "b")
    session = connection.create_session(INDIVIDUAL_ACKNOWLEDGE)
    first, second = taken_and_closed(session, 2)
    second.acknowledge()
    assert (server.broker.acknowledged, server.calls["close_consumer"]) == ([2], 1)
    first.acknowledge()
    assert (server.broker.acknowledged, server.calls["close_consumer"]) == ([2, 1], 2)
    assert server.broker.consumers == []


def test_client_acknowledge_takes_in_closed_consumers(
    connection: Connection, other: Session, server: FakeServer
) -> None:
    """§6.2.10: a message of one consumer acknowledges those of another, closed or not."""
    fill(other, "a", "b")
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    taken_and_closed(session)
    take(session.create_receiver(Q)).acknowledge()
    assert sorted(server.broker.acknowledged) == [1, 2]
    assert len(server.broker.consumers) == 1


def test_recover_gives_it_to_others(connection: Connection, other: Session, server: FakeServer) -> None:
    """§6.2.10: nobody can get it here again, so it goes back, with the failure told."""
    fill(other, "a", "b")
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    [message] = taken_and_closed(session)
    session.recover()
    assert server.broker.released == [([1], {"keep": False, "reason": "recovered by the session"})]
    assert server.broker.consumers == []
    assert told(other.create_receiver(Q), 2) == [("a", True), ("b", True)]
    message.acknowledge()  # there is nothing left to acknowledge
    assert len(session._lingering.consumers) == 0


def test_nack_gives_it_to_others(connection: Connection, other: Session, server: FakeServer) -> None:
    fill(other, "a", "b")
    session = connection.create_session(INDIVIDUAL_ACKNOWLEDGE)
    first, second = taken_and_closed(session, 2)
    first.nack("no good")
    receiver = other.create_receiver(Q)
    assert told(receiver, 1) == [("a", True)]
    second.nack(dead=True)
    assert server.broker.dead == [2]
    assert [consumer.number for consumer in server.broker.consumers] == [receiver._number]
    with pytest.raises(IllegalStateError, match="has it no more"):
        second.nack()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", ["session", "connection"])
def test_it_ends_with_the_session(
    what: str, mode: AcknowledgeMode, factory: ConnectionFactory, server: FakeServer
) -> None:
    """§6.2.15: closing gives back what is not acknowledged or committed."""
    connection = factory.create_connection("app", "secret")
    fill(connection.create_session(), "a")
    session = connection.create_session(mode)
    [message] = taken_and_closed(session)
    (session if what == "session" else connection).close()
    assert [entry.tag for entry in server.broker.boxes["queue://q"]] == [1]
    assert server.broker.consumers == []
    if mode is not SESSION_TRANSACTED:
        with pytest.raises(IllegalStateError, match="its session is closed, and it went back"):
            message.acknowledge()
        with pytest.raises(IllegalStateError, match="its session is closed, and it went back"):
            message.nack()
    connection.close()


def test_a_durable_subscription_is_in_use_until_then(connection: Connection, other: Session) -> None:
    """T:272, §8.3.3."""
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    subscriber = session.create_subscriber(Topic("t"), durable="d")
    other.create_publisher(Topic("t")).publish("a")
    message = take(subscriber)
    subscriber.close()
    with pytest.raises(IllegalStateError, match="has a consumer already"):
        other.create_subscriber(Topic("t"), durable="d")
    message.acknowledge()
    other.create_subscriber(Topic("t"), durable="d").close()


# The server is lost.


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_server(mode: AcknowledgeMode, connection: Connection, other: Session, server: FakeServer) -> None:
    """It is opened again with what it holds, gets nothing new on the way, and is closed again but for that."""
    fill(other, "a", "b")
    session = connection.create_session(mode)
    [message] = taken_and_closed(session)
    server.resumed.clear()
    server.cut()
    wait_for(lambda: server.calls["close_consumer"] == 2)
    assert server.resumed == [(set(), [1])]
    fill(other, "c")
    receiver = other.create_receiver(Q)
    # b was given back when the consumer closed, and only then.
    assert [(again.body, again.delivery_count) for again in (take(receiver), take(receiver))] == [("b", 2), ("c", 1)]
    finish(session, message)
    assert 1 in server.broker.acknowledged
    wait_for(lambda: [consumer.number for consumer in server.broker.consumers] == [receiver._number])


def test_the_answer_to_the_closing_is_lost(connection: Connection, other: Session, server: FakeServer) -> None:
    fill(other, "a", "b")
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    server.plan_lost_reply("close_consumer")
    [message] = taken_and_closed(session)
    wait_for(lambda: server.calls["close_consumer"] == 2)
    assert told(other.create_receiver(Q), 1) == [("b", True)]
    message.acknowledge()
    wait_for(lambda: 1 in server.broker.acknowledged)


def test_closed_while_there_is_no_server(server: FakeServer, factory: ConnectionFactory) -> None:
    """Given no server, when the consumer is closed, then the next server hears of it."""
    with factory.create_connection("app", "secret") as connection:
        other = connection.create_session()
        fill(other, "a", "b")
        session = connection.create_session(CLIENT_ACKNOWLEDGE)
        receiver = session.create_receiver(Q)
        message = take(receiver)
        server.stop()
        wait_for(lambda: connection._keeper.lost is not None)
        receiver.close()
        again = FakeServer(server.broker, server.port)
        try:
            wait_for(lambda: again.calls["close_consumer"] == 1)
            assert told(other.create_receiver(Q), 1) == [("b", True)]
            message.acknowledge()
            wait_for(lambda: 1 in server.broker.acknowledged)
            connection.close()
        finally:
            again.stop()


def test_recovered_while_there_is_no_server(
    connection: Connection, other: Session, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is not counted, but the message goes back all the same."""
    fill(other, "a")
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    taken_and_closed(session)
    server.faults["release"] = 1
    session.recover()
    assert session._lingering.consumers == []
    assert told(other.create_receiver(Q), 1) == [("a", True)]


# Others are quicker.


def test_a_message_that_waits_is_not_taken_from_a_closed_consumer(
    connection: Connection, other: Session, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed by another thread while `receive_body` looks at the message: it returns None and the message goes back."""
    fill(other, "a")
    receiver = connection.create_session(CLIENT_ACKNOWLEDGE).create_receiver(Q)

    def close_first(message: Message, wanted: object) -> bool:
        closing = threading.Thread(target=receiver.close)
        closing.start()
        closing.join(10)
        return True

    monkeypatch.setattr(Message, "is_body_assignable_to", close_first)
    assert receiver.receive_body(str, 10) is None
    assert [entry.tag for entry in server.broker.boxes["queue://q"]] == [1]


def test_given_back_while_it_closes(
    connection: Connection, other: Session, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hears of the failure when the consumer is closed, and leaves the message with it: it must go back."""
    fill(other, "a", "b")
    receiver = connection.create_session(INDIVIDUAL_ACKNOWLEDGE).create_receiver(Q)
    first, _ = take(receiver), take(receiver)
    call = connection._exchange.call

    def close_first(method: str, *arguments: Any, **options: Any) -> object:
        if method == "release":
            receiver.close()
        return call(method, *arguments, **options)

    monkeypatch.setattr(connection._exchange, "call", close_first)
    first.nack("no good")
    monkeypatch.undo()
    assert told(other.create_receiver(Q), 1) == [("a", True)]


def test_what_is_on_its_way_is_passed_over(connection: Connection, other: Session) -> None:
    """Rule 1: deliveries that cross the closing are with others already."""
    fill(other, "a")
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    taken_and_closed(session)
    [lingering] = session._lingering.consumers
    assert lingering._number in connection._consumers
    assert lingering._number not in connection._inbox.intakes
