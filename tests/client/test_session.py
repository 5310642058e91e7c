"""Sessions: what they are asked to make, recover and rollback (Jakarta Messaging 3.1 §6.2)."""

from __future__ import annotations

import pytest
from support.fake_server import FakeServer
from support.filled import Q, fill
from support.waiting import wait_for

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import CLIENT_ACKNOWLEDGE
from rmimom.destination import Queue, Topic
from rmimom.errors import InvalidDestinationError


def test_recover_delivers_again(connection: Connection) -> None:
    """§6.2.10: recover restarts with the first message not acknowledged, flagged as redelivered."""
    fill(connection, 3)
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    first = receiver.receive(60)
    assert first is not None
    first.acknowledge()
    receiver.receive(60)
    receiver.receive(60)
    session.recover()
    again = [receiver.receive(60), receiver.receive(60)]
    assert [(message.body, message.redelivered, message.delivery_count) for message in again if message] == [
        ("1", True, 2),
        ("2", True, 2),
    ]


def test_recover_tells_the_server_and_forgets_what_it_buries(connection: Connection, server: FakeServer) -> None:
    """§6.2.10, A20: recover counts as a failure of everything that is not acknowledged."""
    fill(connection, 3)
    server.broker.maximum = 1
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    receiver.receive(60)
    session.recover()
    assert [message.body for message in (receiver.receive(60), receiver.receive(60)) if message] == ["0", "1"]
    session.recover()
    again = [receiver.receive(60), receiver.receive(60)]
    assert [(message.body, message.delivery_count) for message in again if message] == [("1", 2), ("2", 1)]
    assert server.broker.dead == [1]


def test_recover_works_without_the_server_too(connection: Connection, server: FakeServer) -> None:
    """Then the failures are not counted; nothing is lost."""
    fill(connection, 1)
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    receiver.receive(60)
    server.faults["release"] = 1
    session.recover()
    again = receiver.receive(60)
    assert again is not None
    assert again.body == "0"
    assert again.redelivered
    again.acknowledge()
    wait_for(lambda: 1 in server.broker.acknowledged)


def test_durable_subscriptions(factory: ConnectionFactory) -> None:
    """§8.3.3: what was sent while the subscriber was away comes when it is back, until it is unsubscribed."""
    topic = Topic("t")
    with factory.create_connection("app", "x", client_id="archive-1") as connection:
        session = connection.create_session()
        with session.create_subscriber(topic, durable="archive") as subscriber:
            assert subscriber.durable == "archive"
        session.create_publisher(topic).publish("while away")
        with session.create_subscriber(topic, durable="archive") as subscriber:
            message = subscriber.receive(60)
            assert message is not None
            assert message.body == "while away"
        session.unsubscribe("archive")
        with pytest.raises(InvalidDestinationError, match="no durable subscription"):
            session.unsubscribe("archive")


def test_the_refusal_of_a_consumer_reaches_the_caller(connection: Connection, server: FakeServer) -> None:
    server.broker.refuse["queue://nowhere"] = InvalidDestinationError("there is no queue 'nowhere'")
    session = connection.create_session()
    with pytest.raises(InvalidDestinationError, match="no queue 'nowhere'"):
        session.create_receiver(Queue("nowhere"))
    assert session._consumers == []
    assert connection._consumers == {}


def test_destinations_of_the_wrong_kind(connection: Connection) -> None:
    session = connection.create_session()
    for make, wrong in (
        (session.create_subscriber, Q),
        (session.create_receiver, Topic("t")),
        (session.create_publisher, Q),
        (session.create_sender, "q"),
    ):
        with pytest.raises(InvalidDestinationError, match="is not a"):
            make(wrong)  # type: ignore[operator]
    with pytest.raises(InvalidDestinationError, match="white space"):
        session.queue("a b")
    with pytest.raises(InvalidDestinationError, match="cannot be empty"):
        session.create_subscriber(Topic("t"), durable="")


def test_rollback_tells_the_server_and_forgets_what_it_buries(connection: Connection, server: FakeServer) -> None:
    """§6.2.7, A20: a rollback counts as a failure of everything that the transaction received."""
    fill(connection, 2)
    server.broker.maximum = 1
    session = connection.create_session(transacted=True)
    receiver = session.create_receiver(Q)
    for expected in (["0", "1"], ["0", "1"]):
        assert [message.body for message in (receiver.receive(60), receiver.receive(60)) if message] == expected
        session.rollback()
    assert receiver.receive_no_wait() is None
    assert server.broker.dead == [1, 2]


def test_rollback_counts_for_closed_consumers_too(connection: Connection, server: FakeServer) -> None:
    """§8.8: a message of a consumer that closed meanwhile belongs to the transaction still."""
    fill(connection, 1)
    session = connection.create_session(transacted=True)
    with session.create_receiver(Q) as receiver:
        receiver.receive(60)
    session.rollback()
    assert server.broker.released == [([1], {"keep": False, "reason": "rolled back by the session"})]
    again = session.create_receiver(Q).receive(60)
    assert again is not None
    assert again.redelivered
