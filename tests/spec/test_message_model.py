"""Message headers, Jakarta Messaging 3.1 §3.4: rows M1 to M14, and M19, M20, M31 about what is sent or comes again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import ServerProcess, start_server
from support.spec import bodies, next_of, now, wait_past

from rmimom import (
    AcknowledgeMode,
    Connection,
    ConnectionFactory,
    Message,
    MessageFormatError,
    Queue,
    Session,
    Topic,
)


def test_destination(session: Session, queue: Queue, topic: Topic) -> None:
    """After the send the message tells where it went, whatever it said before; the one received tells the same.

    Rows: M1, M14. Assertions: T:2, T:246.1. Section: 3.4.1.
    """
    message = Message("a")
    session.create_sender(queue).send(message)
    assert message.destination == queue
    assert next_of(session.create_receiver(queue)).destination == queue
    subscriber = session.create_subscriber(topic)
    session.create_producer().send(message, destination=topic)
    assert message.destination == topic
    assert next_of(subscriber).destination == topic


def test_delivery_mode(session: Session, queue: Queue) -> None:
    """The mode is the producer's or the send's, never what the message said; 2 is persistent, 1 is not.

    Rows: M2, M14. Assertions: T:3, T:246.2. Section: 3.4.2, 7.7.
    """
    sender = session.create_sender(queue)
    first, second = Message("a"), Message("b")
    first.delivery_mode = 1
    sender.send(first)
    assert (first.delivery_mode, first.persistent) == (2, True)
    sender.send(second, persistent=False)
    assert (second.delivery_mode, second.persistent) == (1, False)
    receiver = session.create_receiver(queue)
    assert {message.body: message.delivery_mode for message in (next_of(receiver), next_of(receiver))} == {
        "a": 2,
        "b": 1,
    }


def test_message_id(session: Session, queue: Queue) -> None:
    """The id begins with ID:, is set by the send whatever the message said, and comes with it.

    Rows: M3, M14. Assertions: T:4, T:246.5. Section: 3.4.3.
    """
    message = Message("a")
    message.message_id = "mine"
    session.create_sender(queue).send(message)
    assert message.message_id is not None
    assert message.message_id.startswith("ID:")
    assert next_of(session.create_receiver(queue)).message_id == message.message_id


def test_message_ids_are_unique(connect: Callable[..., Connection], queue: Queue) -> None:
    """No two messages have one id: of several connections, sessions, producers, or one message sent twice.

    Rows: M3. Assertions: T:5. Section: 3.4.3.
    """
    ids: list[str | None] = []
    for connection in (connect(), connect()):
        for session in (connection.create_session(), connection.create_session(transacted=True)):
            for sender in (session.create_sender(queue), session.create_sender(queue)):
                message = Message("a")
                for _ in range(3):
                    sender.send(message)
                    ids.append(message.message_id)
    assert len(set(ids)) == len(ids) == 24


def test_timestamp(session: Session, queue: Queue) -> None:
    """The timestamp lies between call and return of the send, in milliseconds, whatever the message said before.

    Rows: M5, M14. Assertions: T:7, T:246.6. Section: 3.4.4.
    """
    message = Message("a")
    message.timestamp = 1
    before = now()
    session.create_sender(queue).send(message)
    # The server's clock counts; on one machine it is ours but for the time that the question took.
    assert before - 1000 <= message.timestamp <= now() + 1000
    assert next_of(session.create_receiver(queue)).timestamp == message.timestamp


def test_hints_that_ids_and_timestamps_are_not_needed(session: Session, queue: Queue) -> None:
    """A producer may say that ids and timestamps are not needed: then there are none, on both sides.

    Rows: M4. Assertions: T:6, T:8. Section: 3.4.3, 3.4.4.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    assert (sender.disable_message_id, sender.disable_message_timestamp) == (False, False)
    for no_id, no_timestamp in ((True, False), (False, True), (True, True)):
        sender.disable_message_id, sender.disable_message_timestamp = no_id, no_timestamp
        message = Message("a")
        sender.send(message, time_to_live=60)
        for one in (message, next_of(receiver)):
            assert (one.message_id is None, one.timestamp == 0) == (no_id, no_timestamp)
            assert one.expiration > now()


def test_correlation_id(session: Session, queue: Queue) -> None:
    """The sender sets the correlation id; it may be the id of another message, ID: and all, and comes as it was.

    Rows: M6, M14. Assertions: T:11, T:246.7. Section: 3.4.5.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.send(Message("question", correlation_id="order 17"))
    question = next_of(receiver)
    assert question.correlation_id == "order 17"
    sender.send("answer", correlation_id=question.message_id)
    assert next_of(receiver).correlation_id == question.message_id
    sender.send("neither")
    assert next_of(receiver).correlation_id is None


def test_reply_to(session: Session, queue: Queue, topic: Topic) -> None:
    """The sender says where an answer goes; without it there is none.

    Rows: M7, M14. Assertions: T:12, T:246.8. Section: 3.4.6.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.send(Message("a", reply_to=queue))
    assert next_of(receiver).reply_to == queue
    sender.send("b", reply_to=topic)
    assert next_of(receiver).reply_to == topic
    sender.send("c")
    assert next_of(receiver).reply_to is None


def test_type(session: Session, queue: Queue) -> None:
    """The sender names the type, in any words.

    Rows: M9, M14. Assertions: T:14, T:246.9. Section: 3.4.8.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.send(Message("a", type="quake, strong"))
    assert next_of(receiver).type == "quake, strong"
    sender.send("b")
    assert next_of(receiver).type is None


def test_redelivered(connection: Connection, queue: Queue) -> None:
    """The provider sets the flag when a message comes again, and on no message before.

    Rows: M8, M14, M20. Assertions: T:13, T:246.10, T:34.3, T:257. Section: 3.4.7, 3.5.11.
    """
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    session.create_sender(queue).send("a")
    receiver = session.create_receiver(queue)
    for count in (1, 2, 3):
        message = next_of(receiver)
        assert (message.redelivered, message.delivery_count) == (count > 1, count)
        session.recover()
    next_of(receiver).acknowledge()


def test_redelivered_after_a_crash(tmp_path: Path, queue: Queue) -> None:
    """What was delivered and not acknowledged when the server was killed comes again with the flag, if only to be safe.

    Rows: M8, M20. Assertions: T:143, T:257. Section: 3.4.7, 9.1.
    """
    with start_server(tmp_path / "data", "--recovery-grace", "0.1") as server:
        connection = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory")).create_connection(
            "app", "", reconnect_timeout=0.1
        )
        session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
        session.create_sender(queue).send("a")
        assert not next_of(session.create_receiver(queue)).redelivered
        server.kill()
    connection.close()
    with start_server(tmp_path / "data", "--recovery-grace", "0.1") as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("app", "") as connection:
            message = next_of(connection.create_session().create_receiver(queue))
            assert (message.body, message.redelivered, message.delivery_count) == ("a", True, 2)


def test_expiration(session: Session, queue: Queue) -> None:
    """Expiration is the time of the send and the time to live together, on both sides; 0 without a time to live.

    Rows: M10, M14. Assertions: T:15, T:246.3. Section: 3.4.9.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    mortal, eternal = Message("mortal"), Message("eternal")
    eternal.expiration = 17
    sender.send(mortal, time_to_live=3600)
    sender.send(eternal)
    assert mortal.expiration == mortal.timestamp + 3_600_000
    assert eternal.expiration == 0
    assert [next_of(receiver).expiration for _ in range(2)] == [mortal.expiration, 0]


def test_expiration_in_a_transaction(connection: Connection, queue: Queue) -> None:
    """In a transaction expiration counts from the send, not from the commit.

    Rows: M10. Assertions: T:15. Section: 7.8.
    """
    session = connection.create_session(transacted=True)
    sender = session.create_sender(queue)
    dead, alive = Message("dead"), Message("alive")
    sender.send(dead, time_to_live=0.001)
    sender.send(alive, time_to_live=3600)
    wait_past(dead.expiration)
    assert alive.expiration == alive.timestamp + 3_600_000
    session.commit()
    received = next_of(connection.create_session().create_receiver(queue))
    assert (received.body, received.expiration) == ("alive", alive.expiration)


def test_an_expired_message_is_not_delivered(session: Session, queue: Queue) -> None:
    """A message whose time is over is not received; those around it are.

    Rows: M10. Assertions: T:15. Section: 3.4.9.
    """
    sender = session.create_sender(queue)
    sender.send("before")
    dead = Message("dead")
    sender.send(dead, time_to_live=0.001)
    sender.send("after")
    wait_past(dead.expiration)
    assert bodies(session.create_receiver(queue), 2) == ["before", "after"]


def test_delivery_time(session: Session, queue: Queue) -> None:
    """Delivery time is the time of the send and the delay together, on both sides, and nobody gets the message before.

    Rows: M11, M14, P7. Assertions: T:256, T:246.11, T:261. Section: 3.4.13, 7.9.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    later = Message("later")
    sender.send(later, delivery_delay=0.2)
    sender.send("at once")
    assert later.delivery_time == later.timestamp + 200
    assert next_of(receiver).body == "at once"
    received = next_of(receiver)
    # The same clock on one machine, but for the client's guess at the server's.
    assert now() >= later.delivery_time - 100
    assert (received.body, received.delivery_time) == ("later", later.delivery_time)


def test_priority(session: Session, queue: Queue) -> None:
    """Priority is the producer's or the send's, 4 unless said, and never what the message said.

    Rows: M12, M14. Assertions: T:16, T:246.4. Section: 3.4.10.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    message = Message("a")
    message.priority = 9
    sender.send(message)
    assert message.priority == next_of(receiver).priority == 4
    for priority in range(10):
        sender.send(message, priority=priority)
        assert message.priority == next_of(receiver).priority == priority
    for wrong in (-1, 10):
        with pytest.raises(MessageFormatError, match=f"priority is {wrong}"):
            sender.send(message, priority=wrong)


def test_higher_priorities_come_first(session: Session, queue: Queue) -> None:
    """What waits in a queue is delivered by priority, and within one priority in the order of its sending.

    Rows: M12, A13. Assertions: T:16. Section: 3.4.10, 6.2.9.
    """
    sender = session.create_sender(queue)
    for number, priority in enumerate([4, 0, 9, 4, 9, 5]):
        sender.send(number, priority=priority)
    assert bodies(session.create_receiver(queue), 6) == [2, 4, 5, 0, 3, 1]


def test_the_user_of_a_message(server: ServerProcess, queue: Queue) -> None:
    """Where the factory says so the provider tells with each message whose it is, and nobody can say otherwise.

    Rows: M22. Assertions: T:34.1. Section: 3.5.9.
    """
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"), user_id=True)
    with factory.create_connection("ann", "") as connection:
        session = connection.create_session()
        session.create_sender(queue).send("a", properties={"p": 1})
        with pytest.raises(MessageFormatError, match="JMSXUserID"):
            session.create_sender(queue).send("a", properties={"JMSXUserID": "bob"})
        message = next_of(session.create_receiver(queue, selector="JMSXUserID = 'ann'"))
        assert message.get_string_property("JMSXUserID") == "ann"


def test_a_message_sent_again(session: Session, queue: Queue) -> None:
    """A message can be changed after its send and sent again; what was sent before stays as it was.

    Rows: M31. Section: 3.9.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    message = Message({"n": 1}, properties={"p": 1}, type="one")
    sender.send(message)
    first = message.message_id
    message.body = {"n": 2}
    message.properties = {"p": 2}
    message.type = "two"
    sender.send(message)
    assert message.message_id != first
    found = [next_of(receiver) for _ in range(2)]
    assert [(one.body, dict(one.properties), one.type) for one in found] == [
        ({"n": 1}, {"p": 1}, "one"),
        ({"n": 2}, {"p": 2}, "two"),
    ]


def test_a_received_message_sent_on(session: Session, queue: Queue) -> None:
    """A message that was received can be sent, with headers of its own.

    Rows: M31. Section: 3.9.
    """
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.send(Message("a", properties={"p": 1}, correlation_id="c"), priority=9)
    received = next_of(receiver)
    first = received.message_id
    sender.send(received)
    again = next_of(receiver)
    assert again.message_id != first
    assert (again.body, dict(again.properties), again.correlation_id, again.priority) == ("a", {"p": 1}, "c", 4)
