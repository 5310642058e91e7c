"""Modes of acknowledgement, and giving messages back (Jakarta Messaging 3.1 §6.2.10)."""

from __future__ import annotations

import pytest
from support.fake_server import FakeServer
from support.filled import Q, fill
from support.waiting import wait_for

from rmimom.client.connection import Connection
from rmimom.client.mode import (
    AUTO_ACKNOWLEDGE,
    CLIENT_ACKNOWLEDGE,
    DUPS_OK_ACKNOWLEDGE,
    INDIVIDUAL_ACKNOWLEDGE,
    AcknowledgeMode,
)
from rmimom.destination import Queue
from rmimom.errors import IllegalStateError, MessageFormatError
from rmimom.message import Message


def test_auto_acknowledges_what_receive_returned(connection: Connection, server: FakeServer) -> None:
    """§6.2.10 AUTO_ACKNOWLEDGE."""
    fill(connection, 3)
    receiver = connection.create_session(AUTO_ACKNOWLEDGE).create_receiver(Q)
    for _ in range(2):
        message = receiver.receive(60)
        assert message is not None
        message.acknowledge()  # nothing to do
    wait_for(lambda: server.broker.acknowledged == [1, 2])
    receiver.close()
    assert [entry.tag for entry in server.broker.boxes["queue://q"]] == [3]


def test_client_acknowledges_all_that_the_session_delivered(connection: Connection, server: FakeServer) -> None:
    """§6.2.10 CLIENT_ACKNOWLEDGE: one acknowledge covers all consumers of the session."""
    fill(connection, 3)
    with connection.create_session(CLIENT_ACKNOWLEDGE) as session:
        first, second = session.create_receiver(Q), session.create_receiver(Queue("r"))
        session.create_producer(Queue("r")).send("other")
        got = [first.receive(60), first.receive(60), second.receive(60)]
        assert server.broker.acknowledged == []
        assert got[1] is not None
        got[1].acknowledge()
        assert sorted(server.broker.acknowledged) == [1, 2, 4]
        got[1].acknowledge()
    assert [entry.tag for entry in server.broker.boxes["queue://q"]] == [3]


def test_individual_acknowledges_one(connection: Connection, server: FakeServer) -> None:
    fill(connection, 3)
    with connection.create_session(INDIVIDUAL_ACKNOWLEDGE) as session:
        receiver = session.create_receiver(Q)
        got = [receiver.receive(60) for _ in range(3)]
        assert got[1] is not None
        got[1].acknowledge()
        got[1].acknowledge()
        assert server.broker.acknowledged == [2]
    assert [entry.tag for entry in server.broker.boxes["queue://q"]] == [1, 3]


def test_dups_ok_acknowledges_late_but_does(connection: Connection, server: FakeServer) -> None:
    fill(connection, 150)
    receiver = connection.create_session(DUPS_OK_ACKNOWLEDGE).create_receiver(Q)
    for _ in range(150):
        receiver.receive(60)
    wait_for(lambda: len(server.broker.acknowledged) >= 100)
    receiver.close()
    assert len(server.broker.acknowledged) == 150


@pytest.mark.parametrize("mode", [CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE])
def test_nothing_is_acknowledged_after_closing(connection: Connection, mode: object) -> None:
    """§6.1.8: a message stays readable after closing, but cannot be acknowledged."""
    fill(connection, 1)
    session = connection.create_session(mode)  # type: ignore[arg-type]
    message = session.create_receiver(Q).receive(60)
    assert message is not None
    session.close()
    assert message.body == "0"
    with pytest.raises(IllegalStateError, match="went back"):
        message.acknowledge()


def test_received_messages_stay_readable_after_closing_but_cannot_be_acknowledged(connection: Connection) -> None:
    """T:108: received messages remain usable, except acknowledge."""
    fill(connection, 1)
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    message = session.create_receiver(Q).receive(60)
    assert message is not None
    connection.close()
    connection.close()
    assert message.body == "0"
    with pytest.raises(IllegalStateError, match="cannot be acknowledged any more"):
        message.acknowledge()
    with pytest.raises(IllegalStateError, match="the connection is closed"):
        session.create_receiver(Q)


@pytest.mark.parametrize("mode", [CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE])
def test_nack_delivers_again_at_the_old_place(
    connection: Connection, server: FakeServer, mode: AcknowledgeMode
) -> None:
    """A8, A14: what is given back comes before what is younger."""
    fill(connection, 3)
    receiver = connection.create_session(mode).create_receiver(Q)
    first = receiver.receive(60)
    assert first is not None
    first.nack("busy")
    found = [receiver.receive(60) for _ in range(3)]
    assert [(message.body, message.delivery_count) for message in found if message] == [("0", 2), ("1", 1), ("2", 1)]
    assert server.broker.released == [([1], {"keep": True, "reason": "busy"})]


def test_nack_with_a_delay_or_for_good(connection: Connection, server: FakeServer) -> None:
    """A8: the server is told, and the next message follows."""
    fill(connection, 3)
    receiver = connection.create_session(CLIENT_ACKNOWLEDGE).create_receiver(Q, prefetch=1)
    first = receiver.receive(60)
    assert first is not None
    first.nack("no such customer", dead=True)
    second = receiver.receive(60)
    assert second is not None
    assert second.body == "1"
    second.nack(delay=1.5)
    assert server.broker.dead == [1]
    assert server.broker.released == [
        ([1], {"keep": True, "reason": "no such customer", "dead": True}),
        ([2], {"keep": True, "reason": "", "delay": 1500}),
    ]
    with pytest.raises(IllegalStateError, match="given back already"):
        second.nack()
    with pytest.raises(MessageFormatError, match="delay"):
        receiver.receive(60).nack(delay=-1)  # type: ignore[union-attr]


def test_an_observer_may_nack(connection: Connection, server: FakeServer) -> None:
    """In AUTO_ACKNOWLEDGE the message is not acknowledged then."""
    seen: list[tuple[object, int]] = []

    def observer(message: Message) -> None:
        seen.append((message.body, message.delivery_count))
        if message.delivery_count == 1:
            message.nack("not yet")

    connection.create_session().create_receiver(Q).attach(observer)
    fill(connection, 2)
    wait_for(lambda: len(seen) == 4)
    assert seen == [("0", 1), ("0", 2), ("1", 1), ("1", 2)]
    wait_for(lambda: sorted(server.broker.acknowledged) == [1, 2])


def test_what_is_acknowledged_cannot_be_given_back(connection: Connection) -> None:
    fill(connection, 2)
    session = connection.create_session()
    message = session.create_receiver(Q).receive(60)
    assert message is not None
    with pytest.raises(IllegalStateError, match="acknowledged"):
        message.nack()
    with pytest.raises(IllegalStateError, match="not received"):
        Message("mine").nack()
    session.close()
    with pytest.raises(IllegalStateError, match="closed"):
        message.nack()
