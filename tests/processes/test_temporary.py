"""Temporary queues and topics against a real server: whose they are, and when they are gone (§6.2.2)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import TIME_LIMIT, ServerProcess, clean_environment, start_server, wait_for

from rmimom import (
    Connection,
    ConnectionFactory,
    IllegalStateError,
    InvalidDestinationError,
    Message,
    TemporaryQueue,
)
from rmimom.client.consumer import Consumer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "data", "--callback-timeout", "1", "--heartbeat", "0.5") as running:
        yield running


@pytest.fixture
def factory(server: ServerProcess) -> ConnectionFactory:
    return ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))


def take(consumer: Consumer) -> Message:
    message = consumer.receive(timeout=TIME_LIMIT)
    assert message is not None
    return message


def test_reply_finds_its_way_to_the_connection_that_asked(factory: ConnectionFactory) -> None:
    """T:117, T:144: others may send to a temporary queue, nobody else consumes from it."""
    with factory.create_connection("ann") as asking, factory.create_connection("bob") as answering:
        ours, theirs = asking.create_session(), answering.create_session()
        replies = ours.create_temporary_queue()
        receiver = ours.create_receiver(replies)
        ours.create_sender(ours.queue("questions")).send("how many?", reply_to=replies)
        question = take(theirs.create_receiver(theirs.queue("questions")))
        there = question.reply_to
        assert there == replies
        assert isinstance(there, TemporaryQueue)
        theirs.create_producer(there).send("seven")
        answer = take(receiver)
        assert (answer.body, answer.destination) == ("seven", replies)
        with pytest.raises(InvalidDestinationError, match="belongs to another connection"):
            theirs.create_receiver(there)
        with pytest.raises(IllegalStateError, match="another connection"):
            there.delete()


def test_deleting(factory: ConnectionFactory) -> None:
    """§6.2.2: not while it is in use; then it is gone."""
    with factory.create_connection("ann") as connection:
        session = connection.create_session()
        topic = session.create_temporary_topic()
        subscriber = session.create_subscriber(topic)
        session.create_publisher(topic).publish("a")
        assert take(subscriber).body == "a"
        with pytest.raises(IllegalStateError, match="active consumers"):
            topic.delete()
        with pytest.raises(InvalidDestinationError, match="durable"):
            session.create_subscriber(topic, durable="for-ever")
        subscriber.close()
        topic.delete()
        topic.delete()
        with pytest.raises(InvalidDestinationError, match=topic.name):
            session.create_publisher(topic).publish("b")


def test_closed_with_its_connection(factory: ConnectionFactory) -> None:
    with factory.create_connection("bob") as other:
        sender = other.create_session().create_producer()
        with factory.create_connection("ann") as connection:
            queue = connection.create_session().create_temporary_queue()
            sender.send("a", destination=queue)
        with pytest.raises(InvalidDestinationError, match=queue.name):
            sender.send("b", destination=queue)
        queue.delete()  # harmless: it is gone


OWNER = """
import sys
from rmimom import ConnectionFactory
connection = ConnectionFactory(uri=sys.argv[1]).create_connection("ann")
print(connection.create_session().create_temporary_queue(), flush=True)
sys.stdin.read()
"""


def test_gone_when_its_owner_is_killed(factory: ConnectionFactory, server: ServerProcess, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OWNER, server.uri("rmimom.ConnectionFactory")],
        env=clean_environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner, factory.create_connection("bob") as other:
        try:
            assert owner.stdout is not None
            name = owner.stdout.readline().strip()
            sender = other.create_session().create_producer(TemporaryQueue(name.removeprefix("temp-queue://")))
            sender.send("a")
        finally:
            owner.kill()
            owner.wait()
        wait_for(lambda: not accepts(other, name), "end of the temporary queue")


def accepts(connection: Connection, name: str) -> bool:
    with connection.create_session() as session:
        try:
            session.create_producer(TemporaryQueue(name.removeprefix("temp-queue://"))).send("b")
        except InvalidDestinationError:
            return False
    return True


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_made_again_when_the_server_was_lost(delivery: str, tmp_path: Path) -> None:
    """Given a name that others hold, when the server is killed and started again, then it leads to the same place."""
    with start_server(tmp_path / "data") as first:
        factory = ConnectionFactory(uri=first.uri("rmimom.ConnectionFactory"))
        connection = factory.create_connection("ann", delivery=delivery)
        other = factory.create_connection("bob")
        with connection, other:
            session = connection.create_session()
            queue = session.create_temporary_queue()
            receiver = session.create_receiver(queue)
            sender = other.create_session().create_sender(queue)
            sender.send("before")
            assert take(receiver).body == "before"
            port = first.port
            first.kill()
            with start_server(tmp_path / "data", "--port", str(port)):
                restored = connection.create_session().create_sender(queue)
                restored.send("after")
                assert take(receiver).body == "after"
