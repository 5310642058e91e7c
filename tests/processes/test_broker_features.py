"""Message groups, exclusive receivers, priorities, virtual topics and recalled messages, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import TIME_LIMIT, start_server

from rmimom import AcknowledgeMode, Connection, ConnectionFactory, IllegalStateError, Message, Session
from rmimom.client.consumer import Consumer


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with start_server(tmp_path / "data") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann") as made:
            yield made


@pytest.fixture
def session(connection: Connection) -> Session:
    return connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)


def take(consumer: Consumer) -> Message:
    message = consumer.receive(timeout=TIME_LIMIT)
    assert message is not None
    return message


def test_a_group_goes_to_one_receiver(connection: Connection, session: Session) -> None:
    """Given two receivers, then each group goes to one, which hears that it is the first; another inherits it."""
    queue = session.queue("steps")
    passing = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    one, two = (made.create_receiver(queue, prefetch=3) for made in (passing, session))
    sender = session.create_sender(queue)
    for step in range(3):
        for group in "ab":
            sender.send(step, properties={"JMSXGroupID": group})
    for receiver, group in ((one, "a"), (two, "b")):
        messages = [take(receiver) for _ in range(3)]
        assert [message.body for message in messages] == [0, 1, 2]
        assert {message.properties["JMSXGroupID"] for message in messages} == {group}
        assert [message.properties.get("JMSXGroupFirstForConsumer") for message in messages] == [True, None, None]
    passing.close()
    three = session.create_receiver(queue)
    again = [take(three) for _ in range(3)]
    assert [message.body for message in again] == [0, 1, 2]
    assert again[0].properties["JMSXGroupFirstForConsumer"] is True


def test_exclusive_receivers_and_priorities(connection: Connection, session: Session) -> None:
    """Given receivers of several ranks, then the highest with room is served, or an exclusive one alone."""
    queue = session.queue("ranks")
    low = session.create_receiver(queue)
    high = session.create_receiver(queue, priority=3, prefetch=1)
    sender = session.create_sender(queue)
    sender.send_many(["a", "b"])
    assert (take(high).body, take(low).body) == ("a", "b")
    passing = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    alone = passing.create_receiver(queue, exclusive=True)
    standing_by = session.create_receiver(queue, exclusive=True)
    sender.send("c")
    assert take(alone).body == "c"
    passing.close()
    assert take(standing_by).body == "c"
    with pytest.raises(IllegalStateError, match="priority of a consumer"):
        session.create_receiver(queue, priority=10**9)


def test_schedules_survive_a_kill(tmp_path: Path) -> None:
    """Given a message that is sent again and again, when the server is killed, then it goes on with the next one."""
    with start_server(tmp_path / "data") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann") as connection, connection.create_session() as session:
            queue = session.queue("reports")
            asked = {"AMQ_SCHEDULED_PERIOD": 50, "AMQ_SCHEDULED_REPEAT": -1, "shift": "night"}
            session.create_sender(queue).send("report", properties=asked, persistent=False)
            assert take(session.create_receiver(queue)).body == "report"
        server.kill()
    with start_server(tmp_path / "data") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann") as connection, connection.create_session() as session:
            receiver = session.create_receiver(session.queue("reports"))
            messages = [take(receiver) for _ in range(3)]
            assert {message.body for message in messages} == {"report"}
            assert [dict(message.properties) for message in messages] == [{"shift": "night"}] * 3
            assert len({message.message_id for message in messages}) == 3


def test_virtual_topics_and_retroactive_subscribers(tmp_path: Path) -> None:
    """Given a virtual topic of which two messages are kept, then queues have all messages, and latecomers two."""
    settings = tmp_path / "rmimom.toml"
    settings.write_text('[[retention]]\ndestination = "topic://VirtualTopic.>"\nmessages = 2\n', encoding="utf-8")
    with start_server(tmp_path / "data", "--config", str(settings)) as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann") as connection, connection.create_session() as session:
            queue = session.queue("Consumer.A.VirtualTopic.orders")
            session.create_receiver(queue).close()
            topic = session.topic("VirtualTopic.orders")
            publisher = session.create_publisher(topic)
            publisher.publish_many(["a", "b", "c"])
            late = session.create_subscriber(topic, retroactive=True)
            usual = session.create_subscriber(topic)
            publisher.publish("d")
            assert [take(late).body for _ in range(3)] == ["b", "c", "d"]
            assert take(usual).body == "d"
            taken = [take(receiver) for receiver in [session.create_receiver(queue)] * 4]
            assert [(message.body, message.destination) for message in taken] == [(body, topic) for body in "abcd"]
