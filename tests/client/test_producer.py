"""Producers: what is sent, with which headers, and what is refused (Jakarta Messaging 3.1 §7)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from support.fake_server import FakeServer

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.destination import Queue, Topic
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidDestinationError,
    JMSError,
    MessageFormatError,
    MessageTooLargeError,
    StoreFullError,
)
from rmimom.frame import MAP, Frame, decode_frame
from rmimom.message import Message
from rmimom.values import Char

Q = Queue("q")


@pytest.fixture
def connection(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection(max_in_flight=100) as made:
        yield made


def stored(server: FakeServer) -> list[Frame]:
    return [decode_frame(frame) for frame in server.broker.stored]


def test_headers_of_a_send(connection: Connection, server: FakeServer) -> None:
    """§3.4, §7.4: defaults of the producer, overridden by the send."""
    sender = connection.create_session().create_sender(Q)
    sender.send("a")
    sender.priority, sender.persistent, sender.time_to_live, sender.delivery_delay = 9, False, timedelta(seconds=2), 0.5
    sender.send("b", correlation_id="c", reply_to="queue://answers", type="t")
    sender.send("c", priority=0, persistent=True, time_to_live=1, delivery_delay=0, reply_to=Topic("news"))
    assert (sender.priority, sender.persistent, sender.time_to_live, sender.delivery_delay) == (9, False, 2.0, 0.5)
    a, b, c = stored(server)
    assert (a.priority, a.mode, a.expiration, a.delivery_time, a.destination) == (4, 2, 0, 0, "queue://q")
    assert (b.priority, b.mode, b.expiration - b.timestamp, b.delivery_time - b.timestamp) == (9, 1, 2000, 500)
    assert (b.correlation_id, b.reply_to, b.type) == ("c", "queue://answers", "t")
    assert (c.priority, c.mode, c.expiration - c.timestamp, c.delivery_time, c.reply_to) == (
        0,
        2,
        1000,
        0,
        "topic://news",
    )
    assert len({frame.message_id for frame in (a, b, c)}) == 3
    assert all(frame.message_id.startswith("ID:") for frame in (a, b, c))


def test_a_message_of_its_own_gets_its_headers(connection: Connection, server: FakeServer) -> None:
    """§3.4, table 3-1: what the send method sets, it sets on the message that the sender has."""
    message = Message("x", properties={"a": 1}, correlation_id="c", type="t", reply_to=Queue("answers"))
    message.priority = 9
    sender = connection.create_session().create_sender(Q)
    sender.send(message, time_to_live=5)
    assert message.destination == Q
    assert message.priority == 4
    assert message.expiration == message.timestamp + 5000
    assert message.message_id is not None
    message.body = "changed"
    sender.send(message, properties={"b": 2}, type="other")
    first, second = stored(server)
    assert (first.body, first.properties, first.correlation_id, first.type) == (b"x", b'{"a":1}', "c", "t")
    assert (second.body, second.properties, second.reply_to, second.type) == (
        b"changed",
        b'{"b":2}',
        "queue://answers",
        "other",
    )


def test_a_received_message_can_be_passed_on(connection: Connection, server: FakeServer) -> None:
    session = connection.create_session()
    session.create_sender(Q).send({"a": 1}, properties={"n": 1})
    message = session.create_receiver(Q).receive(60)
    session.create_publisher(Topic("t")).publish(message)
    assert stored(server)[1].destination == "topic://t"
    assert stored(server)[1].kind == stored(server)[0].kind


def test_a_foreign_message(connection: Connection, server: FakeServer) -> None:
    """§3.12: it is sent, and gets the headers of the send."""
    foreign = SimpleNamespace(body={"a": 1}, properties={"n": 1}, correlation_id="c")
    connection.create_session().create_sender(Q).send(foreign, type="t")
    [frame] = stored(server)
    assert (frame.kind, frame.properties, frame.correlation_id, frame.type) == (MAP, b'{"n":1}', "c", "t")
    assert (foreign.destination, foreign.message_id, foreign.timestamp) == (Q, frame.message_id, frame.timestamp)


def test_a_producer_to_any_destination(connection: Connection, server: FakeServer) -> None:
    """§7.1: a producer without a destination is told one at each send, and one with a destination is not."""
    session = connection.create_session()
    anywhere = session.create_producer()
    anywhere.send("a", destination=Q)
    anywhere.send("b", destination=Topic("t"))
    assert [frame.destination for frame in stored(server)] == ["queue://q", "topic://t"]
    with pytest.raises(InvalidDestinationError, match="name one at each send"):
        anywhere.send("c")
    with pytest.raises(IllegalStateError, match="sends to queue://q only"):
        session.create_sender(Q).send("d", destination=Queue("r"))
    with pytest.raises(InvalidDestinationError, match="a Sender cannot send to"):
        session.create_sender().send("d", destination=Topic("t"))
    with pytest.raises(InvalidDestinationError, match="white space"):
        anywhere.send("e", destination=Queue("a b"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"body": object()}, "object"),
        ({"body": "\ud800"}, "not Unicode"),
        ({"body": "x", "properties": {"a": []}}, "property 'a' has the type list"),
        ({"body": "x", "priority": 10}, "the priority is 10"),
        ({"body": "x", "priority": "4"}, "the priority is '4'"),
        ({"body": "x", "time_to_live": -1}, "time_to_live is -1"),
        ({"body": "x", "delivery_delay": "soon"}, "delivery_delay is 'soon'"),
        ({"body": "x", "correlation_id": 5}, "correlation_id must be a str"),
        ({"body": "x", "type": b"t"}, "type must be a str"),
        ({"body": "x", "correlation_id": "\ud800"}, "correlation_id holds text that is not Unicode"),
        ({"body": "x", "type": "\ud800"}, "type holds text that is not Unicode"),
    ],
)
def test_what_cannot_be_sent(
    connection: Connection, server: FakeServer, arguments: dict[str, object], complaint: str
) -> None:
    sender = connection.create_session().create_sender(Q)
    with pytest.raises(MessageFormatError) as caught:
        sender.send(**arguments)  # type: ignore[arg-type]
    assert complaint in str(caught.value)
    assert server.exchanges == []


def test_a_str_of_another_class_is_sent_as_text(connection: Connection, server: FakeServer) -> None:
    sender = connection.create_session().create_sender(Q)
    sender.send(Char("x"), correlation_id=Char("c"), type=Char("t"))
    [frame] = stored(server)
    assert (frame.body, frame.correlation_id, frame.type) == (b"x", "c", "t")


def test_a_destination_whose_name_cannot_be_sent(connection: Connection) -> None:
    session = connection.create_session()
    for name in ("\ud800", "a b"):
        with pytest.raises(InvalidDestinationError, match="names may not hold"):
            session.create_sender(Queue(name))
        with pytest.raises(InvalidDestinationError, match="names may not hold"):
            session.create_producer().send("x", destination=Queue(name))
        with pytest.raises(InvalidDestinationError, match="names may not hold"):
            session.create_sender(Queue("q")).send("x", reply_to=Queue(name))


def test_defaults_that_cannot_be(connection: Connection) -> None:
    sender = connection.create_session().create_sender(Q)
    with pytest.raises(MessageFormatError):
        sender.priority = 10
    with pytest.raises(MessageFormatError):
        sender.time_to_live = -1


def test_a_body_over_the_limit_stays_here(connection: Connection, server: FakeServer) -> None:
    sender = connection.create_session().create_sender(Q)
    with pytest.raises(MessageTooLargeError, match="at most 99") as caught:
        sender.send(b"x" * 1_000_000)
    assert caught.value.facts["size"] == 1_000_002
    sender.send(b"x" * 990_000)
    assert len(stored(server)) == 1


def test_asynchronous_sends_share_exchanges_and_receipts(connection: Connection, server: FakeServer) -> None:
    sender = connection.create_session().create_sender(Q)
    receipts = [sender.send_async(str(number)) for number in range(500)]
    sender.flush(10)
    assert all(receipt.done() for receipt in receipts)
    receipts[0].result()
    assert receipts[0].exception() is None
    assert repr(receipts[0]) == "<Receipt: on disk>"
    assert [frame.body for frame in stored(server)] == [str(number).encode() for number in range(500)]
    assert len(set(map(id, receipts))) < 100
    assert len(server.exchanges) < 100
    # Never more than max_in_flight at once, so never more in one exchange.
    assert max(len(batch.frames) for request in server.exchanges for batch in request.sends) <= 100


def test_a_refused_send_is_an_error_for_the_sender(connection: Connection, server: FakeServer) -> None:
    server.broker.refuse["queue://q"] = StoreFullError("no room", free=0)
    session = connection.create_session()
    sender = session.create_sender(Q)
    with pytest.raises(StoreFullError, match="no room") as caught:
        sender.send("a")
    assert caught.value.facts == {"free": 0}
    receipt = sender.send_async("b")
    with pytest.raises(StoreFullError):
        receipt.result(60)
    assert isinstance(receipt.exception(), StoreFullError)
    assert "StoreFullError" in repr(receipt)
    with pytest.raises(StoreFullError):
        sender.flush(60)
    sender.flush(60)
    with pytest.raises(StoreFullError):
        sender.send_many(["c", "d"])
    session.create_sender(Queue("r")).send("other")
    server.broker.refuse.clear()
    sender.send("e")
    assert [frame.body for frame in stored(server)] == [b"other", b"e"]


def test_the_keeper_sends_what_nobody_waits_for(connection: Connection, server: FakeServer) -> None:
    sender = connection.create_session().create_sender(Q)
    receipt = sender.send_async("x")
    with server.broker.lock:
        assert server.broker.lock.wait_for(lambda: server.broker.stored, 5)
    assert receipt._exchange.wait_for(receipt, 5) is None
    assert receipt.done()


def test_a_send_has_a_time_limit(connection: Connection, server: FakeServer) -> None:
    sender = connection.create_session().create_sender(Q)
    with server.broker.lock:  # the server does not answer
        receipt = sender.send_async("x")
        with pytest.raises(ConnectionFailedError, match="outcome is unknown"):
            sender.flush(0)
    sender.flush(60)
    assert receipt.done()


def test_many_threads_send_at_once(connection: Connection, server: FakeServer) -> None:
    """Sends of several threads share exchanges, and each returns when its own message is stored."""
    wrong: list[object] = []

    def work(name: int) -> None:
        try:
            sender = connection.create_session().create_sender(Q)
            for number in range(30):
                sender.send(f"{name}-{number}")
                with server.broker.lock:
                    if not any(frame.body == f"{name}-{number}".encode() for frame in stored(server)[-60:]):
                        wrong.append((name, number))
        except JMSError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    bodies = [frame.body.decode() for frame in stored(server)]
    assert len(bodies) == len(set(bodies)) == 240
    for name in range(8):
        assert [body for body in bodies if body.startswith(f"{name}-")] == [f"{name}-{number}" for number in range(30)]


def test_hints_that_the_receiver_needs_neither_id_nor_time(factory: ConnectionFactory) -> None:
    """T:6, T:8, §7.6: then the id is None and the time 0; the message lives as long as it should all the same."""
    with factory.create_connection() as connection:
        session = connection.create_session()
        sender, receiver = session.create_sender(Queue("q")), session.create_receiver(Queue("q"))
        sender.disable_message_id = sender.disable_message_timestamp = True
        sent = Message("x")
        sender.send(sent, time_to_live=60)
        message = receiver.receive(60)
        assert message is not None
        for one in (sent, message):
            assert (one.message_id, one.timestamp) == (None, 0)
            assert one.expiration > 1_600_000_000_000


def test_the_user_travels_with_each_message(server: FakeServer) -> None:
    """§3.5.9: JMSXUserID is set by the provider."""
    factory = ConnectionFactory(uri=server.uri, user_id=True)
    with factory.create_connection('the "app"') as connection:
        session = connection.create_session()
        sender, receiver = session.create_sender(Queue("q")), session.create_receiver(Queue("q"))
        sender.send("plain")
        sender.send("more", properties={"a": 1})
        for expected in ({}, {"a": 1}):
            message = receiver.receive(60)
            assert message is not None
            assert message.properties == {"JMSXUserID": 'the "app"', **expected}
            with pytest.raises(MessageFormatError, match="JMSXUserID"):
                sender.send("false", properties={"JMSXUserID": "root"})
