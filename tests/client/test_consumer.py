"""Consumers: receiving messages or bodies, and being closed (Jakarta Messaging 3.1 §8)."""

from __future__ import annotations

import threading

import pytest
from support.fake_server import FakeServer
from support.filled import Q, fill
from support.waiting import wait_for

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import AcknowledgeMode
from rmimom.errors import InvalidDestinationError, MessageFormatError

AUTOMATIC = [AcknowledgeMode.AUTO_ACKNOWLEDGE, AcknowledgeMode.DUPS_OK_ACKNOWLEDGE]
OTHERS = [AcknowledgeMode.CLIENT_ACKNOWLEDGE, AcknowledgeMode.SESSION_TRANSACTED]


def test_iteration_and_context(connection: Connection) -> None:
    fill(connection, 3)
    with connection.create_session().create_receiver(Q) as receiver:
        got = []
        for message in receiver:
            got.append(message.body)
            if len(got) == 3:
                receiver.close()
    assert got == ["0", "1", "2"]


@pytest.mark.parametrize("what", ["consumer", "session", "connection"])
def test_closing_ends_a_blocked_receive(what: str, factory: ConnectionFactory) -> None:
    """T:107: a receive under way in another thread returns None."""
    with factory.create_connection() as connection:
        session = connection.create_session()
        receiver = session.create_receiver(Q)
        got: list[object] = []
        thread = threading.Thread(target=lambda: got.append(receiver.receive()))
        thread.start()
        wait_for(lambda: session._usage.owner)
        {"consumer": receiver, "session": session, "connection": connection}[what].close()
        thread.join(60)
        assert got == [None]


def test_a_consumer_that_the_server_closes(connection: Connection, server: FakeServer) -> None:
    from rmimom.frame import ConsumerEnd

    fill(connection, 1)
    receiver = connection.create_session().create_receiver(Q)
    wait_for(lambda: receiver._intake.waiting)
    with server.broker.lock:
        end = ConsumerEnd(receiver._number, InvalidDestinationError("the queue was deleted").to_dict())
        server.connections[0].ended.append(end)
        server.broker.lock.notify_all()
    wait_for(lambda: receiver._intake.error)
    message = receiver.receive(60)
    assert message is not None
    with pytest.raises(InvalidDestinationError, match="the queue was deleted"):
        receiver.receive(60)


@pytest.mark.parametrize("mode", AUTOMATIC + OTHERS)
def test_receive_body(mode: AcknowledgeMode, connection: Connection) -> None:
    """A3, §8.6: the body alone, or None when the time is over."""
    sender = connection.create_session().create_sender(Q)
    receiver = connection.create_session(mode).create_receiver(Q)
    assert receiver.receive_body_no_wait(str) is None
    assert receiver.receive_body(str, timeout=0.01) is None
    for body in ("text", b"bytes", {"a": 1}):
        sender.send(body)
        assert receiver.receive_body(type(body), timeout=60) == body


@pytest.mark.parametrize("mode", AUTOMATIC)
def test_receive_body_of_another_type_is_as_if_not_called(
    mode: AcknowledgeMode, connection: Connection, server: FakeServer
) -> None:
    """§8.6: the next call gets the same message, not flagged as redelivered; one without body, too."""
    sender = connection.create_session().create_sender(Q)
    session = connection.create_session(mode)
    receiver = session.create_receiver(Q)
    sender.send("text")
    sender.send(None)
    for _ in range(2):
        with pytest.raises(MessageFormatError, match="kind text and has no body of type bytes"):
            receiver.receive_body(bytes, timeout=60)
    message = receiver.receive(60)
    assert message is not None
    assert (message.body, message.redelivered, message.delivery_count) == ("text", False, 1)
    with pytest.raises(MessageFormatError, match="kind none"):
        receiver.receive_body(str, timeout=60)
    assert receiver.receive(60) is not None
    session.close()
    assert len(server.broker.acknowledged) == 2


@pytest.mark.parametrize("mode", OTHERS)
def test_receive_body_of_another_type_counts_as_delivered_otherwise(
    mode: AcknowledgeMode, connection: Connection
) -> None:
    """§8.6: in CLIENT_ACKNOWLEDGE and transacted sessions the message was delivered; it comes again when recovered."""
    connection.create_session().create_sender(Q).send_many(["first", "second"])
    session = connection.create_session(mode)
    receiver = session.create_receiver(Q)
    with pytest.raises(MessageFormatError):
        receiver.receive_body(bytes, timeout=60)
    assert receiver.receive_body(str, timeout=60) == "second"
    if session.transacted:
        session.rollback()
    else:
        session.recover()
    message = receiver.receive(60)
    assert message is not None
    assert (message.body, message.redelivered) == ("first", True)
