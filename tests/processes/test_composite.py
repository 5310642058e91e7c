"""One send to several destinations, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import TIME_LIMIT, start_server

from rmimom import Connection, ConnectionFactory, InvalidDestinationError, Message
from rmimom.client.consumer import Consumer

EVERYWHERE = "queue://a,b,topic://c"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with start_server(tmp_path / "data") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann") as made:
            yield made


def take(consumer: Consumer) -> Message:
    message = consumer.receive(timeout=TIME_LIMIT)
    assert message is not None
    return message


@pytest.mark.parametrize("transacted", [False, True])
def test_a_copy_for_each(connection: Connection, transacted: bool) -> None:
    session = connection.create_session()
    consumers: list[Consumer] = [
        session.create_receiver(session.queue("a")),
        session.create_receiver(session.queue("b")),
        session.create_subscriber(session.topic("c")),
    ]
    sending = connection.create_session(transacted=transacted)
    producer = sending.create_producer(sending.composite(EVERYWHERE))
    message = Message("x", properties={"n": 1}, correlation_id="y")
    producer.send(message, time_to_live=60)
    producer.send_async("z", delivery_delay=0.01)
    assert str(message.destination) == EVERYWHERE
    if transacted:
        assert consumers[0].receive(timeout=0.1) is None
        sending.commit()
    for consumer in consumers:
        copy = take(consumer)
        assert (copy.body, copy.properties["n"], copy.correlation_id) == ("x", 1, "y")
        assert (copy.destination, copy.message_id) == (consumer.destination, message.message_id)
        assert copy.expiration == message.expiration > 0
        assert take(consumer).body == "z"


def test_all_or_none(connection: Connection) -> None:
    session = connection.create_session()
    receiver = session.create_receiver(session.queue("a"))
    producer = session.create_producer()
    with pytest.raises(InvalidDestinationError, match="gone"):
        producer.send("x", destination=session.composite("queue://a,temp-queue://nobody"))
    producer.send("y", destination=session.queue("a"))
    assert take(receiver).body == "y"


def test_nothing_comes_from_several(connection: Connection) -> None:
    session = connection.create_session()
    several = session.composite(EVERYWHERE)
    for make in (session.create_receiver, session.create_subscriber, session.create_browser):
        with pytest.raises(InvalidDestinationError, match="only be sent to"):
            make(several)  # type: ignore[operator]
