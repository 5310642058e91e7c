"""Temporary destinations of a connection: made, deleted, made again (§6.2.2)."""

from __future__ import annotations

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client.factory import ConnectionFactory
from rmimom.destination import TemporaryQueue, TemporaryTopic, parse_destination
from rmimom.errors import IllegalStateError


def test_names_are_long_and_unlike_each_other(factory: ConnectionFactory) -> None:
    with factory.create_connection() as connection:
        session = connection.create_session()
        queue, other, topic = (
            session.create_temporary_queue(),
            session.create_temporary_queue(),
            session.create_temporary_topic(),
        )
    assert isinstance(queue, TemporaryQueue)
    assert isinstance(topic, TemporaryTopic)
    assert len({queue.name, other.name, topic.name}) == 3
    assert min(len(queue.name), len(topic.name)) == 32
    assert parse_destination(str(queue)) == queue


def test_lost_answers_change_nothing(factory: ConnectionFactory, server: FakeServer) -> None:
    """Given an answer that is lost, when a destination is made or deleted, then the call goes on at the new server."""
    with factory.create_connection() as connection:
        session = connection.create_session()
        server.plan_lost_reply("create_temporary")
        queue = session.create_temporary_queue()
        assert server.connections[-1].temporaries == {str(queue)}
        server.plan_lost_reply("delete_temporary")
        queue.delete()
        assert server.connections[-1].temporaries == set()
        calls = server.calls["delete_temporary"]
        queue.delete()
        assert server.calls["delete_temporary"] == calls


def test_made_again_before_their_consumers(factory: ConnectionFactory, server: FakeServer) -> None:
    """The server refuses a consumer of a temporary destination that it does not have."""
    with factory.create_connection() as connection:
        session = connection.create_session()
        queue = session.create_temporary_queue()
        kept = session.create_temporary_topic()
        receiver = session.create_receiver(queue)
        old = server.connections[-1]
        server.plan_lost_reply("exchange")
        sender = session.create_sender(queue)
        sender.send("a")
        wait_for(lambda: server.connections[-1] is not old and receiver._intake.error is None)
        assert server.connections[-1].temporaries == {str(queue), str(kept)}
        sender.send("b")
        message = receiver.receive(60)
        assert message is not None
        assert message.body in {"a", "b"}
        assert [bool(name) for name in server.replaced] == [False, True]
        assert server.replaced[1].startswith("rmimom.connection.")


def test_of_a_closed_connection(factory: ConnectionFactory) -> None:
    with factory.create_connection() as connection:
        session = connection.create_session()
        queue = session.create_temporary_queue()
    queue.delete()  # it is gone with the connection
    with pytest.raises(IllegalStateError):
        session.create_temporary_queue()
