"""Receivers and browsers of patterns of queues, against a real server, also one that is killed and started again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from support.processes import TIME_LIMIT, start_name_server, start_server

from rmimom import AcknowledgeMode, Connection, ConnectionFactory, InvalidDestinationError, Message
from rmimom.client.consumer import Consumer


def take(consumer: Consumer) -> Message:
    message = consumer.receive(timeout=TIME_LIMIT)
    assert message is not None
    return message


def told(message: Message) -> tuple[object, str, object]:
    assert message.destination is not None
    return message.body, message.destination.name, message.properties["JMS_rmimom_taken_from"]


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_a_receiver_has_all_that_match(delivery: str, tmp_path: Path) -> None:
    """Given queues that are there and some that come to be, then a receiver of a pattern competes in each."""
    with start_server(tmp_path / "data") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann", delivery=delivery) as connection:
            session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
            sender = session.create_sender()
            send(connection, "orders.eu", "a")
            receiver = session.create_receiver(session.queue("orders.*"), prefetch=3)
            for name, body in [("orders.us", "b"), ("orders.us.east", "x"), ("orders.eu", "c"), ("orders.asia", "d")]:
                sender.send(body, destination=session.queue(name))
            first, second = take(receiver), take(receiver)
            assert told(first) == ("a", "orders.eu", "queue://orders.eu")
            assert told(second) == ("b", "orders.us", "queue://orders.us")
            with session.create_browser(session.queue("orders.>")) as browser:
                assert [message.body for message in browser] == ["d", "x"]
            second.nack("wrong")
            assert (take(receiver).body, take(receiver).body) == ("b", "c")
            first.acknowledge()
            assert take(receiver).body == "d"
            with pytest.raises(InvalidDestinationError, match="can only be consumed from"):
                sender.send("e", destination=session.queue("orders.*"))
            with pytest.raises(InvalidDestinationError, match="no pattern of queues"):
                session.queue("orders.>.x")


def send(connection: Connection, queue: str, *bodies: str) -> None:
    with connection.create_session() as session:
        session.create_sender(session.queue(queue)).send_many(bodies)


def test_a_transaction_takes_from_many_queues(tmp_path: Path) -> None:
    """Given messages of several queues in a transaction, then all go back together or are done with together."""
    with start_server(tmp_path / "data") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("ann") as connection:
            for name in ("t.1", "t.2"):
                send(connection, name, name)
            with connection.create_session(transacted=True) as session:
                receiver = session.create_receiver(session.queue("t.>"))
                assert sorted(str(take(receiver).body) for _ in range(2)) == ["t.1", "t.2"]
                session.rollback()
                again = [take(receiver) for _ in range(2)]
                assert [message.redelivered for message in again] == [True, True]
                session.create_sender(session.queue("t.3")).send("t.3")
                session.commit()
                assert take(receiver).body == "t.3"
            with connection.create_session() as session:
                rest = session.create_browser(session.queue("t.>"))
                assert [message.body for message in rest] == ["t.3"]


def test_a_receiver_goes_on_after_a_kill(tmp_path: Path) -> None:
    """Given messages of two queues in hand, when the server is killed, then they are settled and none comes again."""
    with start_name_server() as names, ExitStack() as stack:
        server = stack.enter_context(start_server(tmp_path / "data", nameserver=names.location))
        with ConnectionFactory(names.location).create_connection("ann") as connection:
            send(connection, "k.1", "a", "b")
            send(connection, "k.2", "c", "d")
            session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
            receiver = session.create_receiver(session.queue("k.*"))
            messages = [take(receiver) for _ in range(4)]
            messages[0].acknowledge()
            server.kill()
            stack.enter_context(start_server(tmp_path / "data", nameserver=names.location))
            for message in messages[1:]:
                message.acknowledge()
            send(connection, "k.3", "e")
            assert told(take(receiver)) == ("e", "k.3", "queue://k.3")
            with session.create_browser(session.queue("k.*")) as browser:
                assert list(browser) == []
