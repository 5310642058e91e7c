"""Receiving and acknowledging, Jakarta Messaging 3.1 §6.2 and §8: rows A1 to A7, A10, A12, A13, A18."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from support.spec import PATIENCE, bodies, next_of
from support.waiting import wait_for

from rmimom import (
    AcknowledgeMode,
    Connection,
    IllegalStateError,
    Message,
    MessageFormatError,
    Queue,
    Session,
    Topic,
)


def test_receive_waits(connection: Connection, session: Session, queue: Queue) -> None:
    """receive returns the next message, waiting for it if it must; with a limit it returns nothing when that is over.

    Rows: A1. Assertions: T:138. Section: 8.5.
    """
    receiver = session.create_receiver(queue)
    assert receiver.receive(timeout=0.01) is None
    sender = connection.create_session().create_sender(queue)
    sender.send("a")
    assert next_of(receiver).body == "a"
    waiting = threading.Timer(0.02, sender.send, ["b"])
    waiting.start()
    message = receiver.receive()
    assert message is not None
    assert message.body == "b"
    waiting.join()


def test_receive_no_wait(session: Session, queue: Queue) -> None:
    """receive_no_wait returns a message that is here, and nothing if none is.

    Rows: A1. Assertions: T:138. Section: 8.5.
    """
    receiver = session.create_receiver(queue)
    assert receiver.receive_no_wait() is None
    session.create_sender(queue).send("a")
    found: list[Message] = []
    wait_for(lambda: found.extend(filter(None, [receiver.receive_no_wait()])) or found)
    assert found[0].body == "a"


def test_close_ends_a_receive(connection: Connection, queue: Queue) -> None:
    """A receive that waits returns nothing when the consumer is closed.

    Rows: A1. Assertions: T:138. Section: 8.5, 8.8.
    """
    receiver = connection.create_session().create_receiver(queue)
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(receiver.receive()))
    thread.start()
    receiver.close()
    thread.join(PATIENCE)
    assert results == [None] or isinstance(results[0], IllegalStateError)


def test_a_listener_gets_messages(connection: Connection, queue: Queue) -> None:
    """An object with on_message, registered with a consumer, is called with every message that arrives.

    Rows: A2. Assertions: T:137. Section: 8.7.
    """

    class Observer:
        def __init__(self) -> None:
            self.heard: list[object] = []

        def on_message(self, message: Message) -> None:
            self.heard.append(message.body)

    observer = Observer()
    connection.create_session().create_receiver(queue).attach(observer)
    connection.create_session().create_sender(queue).send_many(range(5))
    wait_for(lambda: observer.heard == [0, 1, 2, 3, 4])


def test_listeners_of_a_session_take_turns(connection: Connection, queue: Queue, topic: Topic) -> None:
    """One thread calls all listeners of a session: while one is at work, no other is called.

    Rows: A2. Assertions: T:136. Section: 6.2.13.
    """
    session, sending = connection.create_session(), connection.create_session()
    inside, most, threads, heard = 0, 0, set(), []

    def listen(message: Message) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        threads.add(threading.get_ident())
        threading.Event().wait(0.001)  # another one would come in now
        heard.append(message.body)
        inside -= 1

    connection.stop()
    session.create_receiver(queue).attach(listen)
    session.create_subscriber(topic).attach(listen)
    connection.start()
    sending.create_sender(queue).send_many(range(10))
    sending.create_publisher(topic).send_many(range(10, 20))
    wait_for(lambda: len(heard) == 20)
    assert (most, len(threads)) == (1, 1)
    assert sorted(heard) == list(range(20))


def test_a_session_with_a_listener_does_not_receive(session: Session, queue: Queue) -> None:
    """A consumer with a listener refuses receive.

    Rows: A2. Assertions: T:136. Section: 8.7.
    """
    receiver = session.create_receiver(queue)
    receiver.attach(lambda message: None)
    with pytest.raises(IllegalStateError, match="observers"):
        receiver.receive(timeout=0)


def test_auto_acknowledges_what_receive_returned(connect: Callable[..., Connection], queue: Queue) -> None:
    """A message that receive returned in AUTO_ACKNOWLEDGE does not come again, whatever becomes of the session.

    Rows: A4, A10. Assertions: T:132, T:133. Section: 6.2.10.
    """
    connection = connect()
    session = connection.create_session(AcknowledgeMode.AUTO_ACKNOWLEDGE)
    session.create_sender(queue).send_many(["a", "b"])
    assert next_of(session.create_receiver(queue, prefetch=1)).body == "a"
    session.close()
    other = connect().create_session().create_receiver(queue)
    assert next_of(other).body == "b"


def test_auto_acknowledges_when_the_listener_returns(connect: Callable[..., Connection], queue: Queue) -> None:
    """With a listener a message is acknowledged when the listener has returned, and not before.

    Rows: A4. Assertions: T:132. Section: 6.2.10.
    """
    connection = connect()
    listening, looking = connection.create_session(), connect().create_session()
    looking.create_sender(queue).send("a")
    entered, leave = threading.Event(), threading.Event()

    def listen(message: Message) -> None:
        entered.set()
        leave.wait(PATIENCE)

    listening.create_receiver(queue).attach(listen)
    assert entered.wait(PATIENCE)
    leave.set()
    listening.close()
    looking.create_sender(queue).send("b")
    assert next_of(looking.create_receiver(queue)).body == "b"


def test_client_acknowledges_all_so_far(connect: Callable[..., Connection], queue: Queue, topic: Topic) -> None:
    """acknowledge of one message acknowledges all that its session delivered so far, of every consumer, and no more.

    Rows: A5. Assertions: T:131. Section: 6.2.10.
    """
    connection = connect()
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(queue)
    subscriber = session.create_subscriber(topic, durable=topic.name)
    sending = connect().create_session()
    sending.create_sender(queue).send_many(["q1", "q2", "q3"])
    sending.create_publisher(topic).send_many(["t1", "t2"])
    assert bodies(subscriber, 1) == ["t1"]
    first, _ = next_of(receiver), next_of(receiver)
    first.acknowledge()
    assert bodies(receiver, 1) == ["q3"]
    session.close()
    again = connection.create_session()
    left = next_of(again.create_receiver(queue))
    assert (left.body, left.redelivered) == ("q3", True)
    assert next_of(again.create_subscriber(topic, durable=topic.name)).body == "t2"


def test_client_does_not_acknowledge_by_itself(connect: Callable[..., Connection], queue: Queue) -> None:
    """Without a call of acknowledge nothing is acknowledged, and all comes again to the next.

    Rows: A5, A12. Assertions: T:131, T:145. Section: 6.2.10.
    """
    session = connect().create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    session.create_sender(queue).send_many(["a", "b"])
    assert bodies(session.create_receiver(queue), 2) == ["a", "b"]
    session.close()
    receiver = connect().create_session().create_receiver(queue)
    assert [(message.body, message.redelivered) for message in (next_of(receiver), next_of(receiver))] == [
        ("a", True),
        ("b", True),
    ]


def test_dups_ok(connect: Callable[..., Connection], queue: Queue) -> None:
    """DUPS_OK_ACKNOWLEDGE acknowledges by itself, later: an orderly close leaves nothing behind.

    Rows: A6. Section: 6.2.10.
    """
    session = connect().create_session(AcknowledgeMode.DUPS_OK_ACKNOWLEDGE)
    session.create_sender(queue).send_many(range(50))
    assert bodies(session.create_receiver(queue), 50) == list(range(50))
    session.close()
    looking = connect().create_session()
    looking.create_sender(queue).send("last")
    assert next_of(looking.create_receiver(queue)).body == "last"


def test_individual(connect: Callable[..., Connection], queue: Queue) -> None:
    """INDIVIDUAL_ACKNOWLEDGE acknowledges the one message; the others come again.

    Rows: A7. Section: 6.2.10.
    """
    session = connect().create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
    session.create_sender(queue).send_many(range(4))
    receiver = session.create_receiver(queue)
    messages = [next_of(receiver) for _ in range(4)]
    messages[2].acknowledge()
    messages[0].acknowledge()
    session.close()
    assert bodies(connect().create_session().create_receiver(queue), 2) == [1, 3]


def test_what_was_acknowledged_never_comes_again(connect: Callable[..., Connection], queue: Queue) -> None:
    """After acknowledge neither recover, nor a close, nor another consumer brings the message again.

    Rows: A10. Assertions: T:133. Section: 6.2.11.
    """
    connection = connect()
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    session.create_sender(queue).send_many(["a", "b"])
    receiver = session.create_receiver(queue)
    next_of(receiver).acknowledge()
    assert next_of(receiver).body == "b"
    session.recover()
    assert next_of(receiver).body == "b"
    connection.close()
    other = connect().create_session()
    other.create_sender(queue).send("c")
    assert bodies(other.create_receiver(queue), 2) == ["b", "c"]


def test_messages_of_a_closed_durable_subscriber_come_again(connect: Callable[..., Connection], topic: Topic) -> None:
    """What a durable subscriber received and did not acknowledge is kept for the next one, and flagged.

    Rows: A12. Assertions: T:156. Section: 4.2.2.
    """
    session = connect().create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    subscriber = session.create_subscriber(topic, durable=topic.name)
    session.create_publisher(topic).send_many(["a", "b"])
    assert bodies(subscriber, 2) == ["a", "b"]
    session.close()
    again = connect().create_session().create_subscriber(topic, durable=topic.name)
    assert [(message.body, message.redelivered) for message in (next_of(again), next_of(again))] == [
        ("a", True),
        ("b", True),
    ]


def test_order_of_one_session(connect: Callable[..., Connection], queue: Queue) -> None:
    """Messages of one session to one destination come in the order of their sends, through several producers too.

    Rows: A13. Assertions: T:127. Section: 6.2.9.
    """
    session = connect().create_session()
    producers = [session.create_sender(queue), session.create_producer()]
    receiver = connect().create_session().create_receiver(queue)
    for number in range(40):
        if number % 2:
            producers[1].send(number, destination=queue)
        else:
            producers[0].send(number)
    assert bodies(receiver, 40) == list(range(40))


def test_order_of_each_mode(session: Session, queue: Queue) -> None:
    """Among messages of one delivery mode the order is that of the sends, when modes are mixed as well.

    Rows: A13. Assertions: T:128. Section: 6.2.9.
    """
    sender = session.create_sender(queue)
    for number in range(40):
        sender.send(number, persistent=number % 3 == 0)
    found = [next_of(receiver) for receiver in [session.create_receiver(queue)] for _ in range(40)]
    for persistent in (True, False):
        assert [one.body for one in found if one.persistent is persistent] == [
            number for number in range(40) if (number % 3 == 0) is persistent
        ]


def test_prefetch_limits_what_a_consumer_holds(connect: Callable[..., Connection], queue: Queue) -> None:
    """A consumer holds at most its prefetch of messages that are not acknowledged; the rest is for others.

    Rows: A18. Section: 8.5.
    """
    connection = connect()
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE)
    greedy = session.create_receiver(queue, prefetch=2)
    session.create_sender(queue).send_many(range(5))
    assert bodies(greedy, 2) == [0, 1]
    assert bodies(connection.create_session().create_receiver(queue), 3) == [2, 3, 4]


def test_receive_body(session: Session, queue: Queue) -> None:
    """A consumer returns the body of the next message as the type asked for, waiting or not, or nothing.

    Rows: A3. Section: 8.6.
    """
    receiver = session.create_receiver(queue)
    assert receiver.receive_body(str, timeout=0) is None
    assert receiver.receive_body_no_wait(str) is None
    sender = session.create_sender(queue)
    for body in ("text", b"bytes", {"a": 1}):
        sender.send(body)
    assert receiver.receive_body(str, timeout=PATIENCE) == "text"
    assert receiver.receive_body(bytes, timeout=PATIENCE) == b"bytes"
    assert receiver.receive_body(dict, timeout=PATIENCE) == {"a": 1}


@pytest.mark.parametrize("mode", [AcknowledgeMode.AUTO_ACKNOWLEDGE, AcknowledgeMode.DUPS_OK_ACKNOWLEDGE])
def test_receive_body_of_a_wrong_type_changes_nothing(
    mode: AcknowledgeMode, connect: Callable[..., Connection], queue: Queue
) -> None:
    """In AUTO and DUPS_OK a wrong type is as if nobody had asked: the message is still the next, and not redelivered.

    Rows: A3, C11. Assertions: T:177. Section: 8.6.
    """
    session = connect().create_session(mode)
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.send("first")
    sender.send(Message())
    sender.send("last")
    for _ in range(2):
        with pytest.raises(MessageFormatError, match="bytes"):
            receiver.receive_body(bytes, timeout=PATIENCE)
    message = next_of(receiver)
    assert (message.body, message.redelivered, message.delivery_count) == ("first", False, 1)
    with pytest.raises(MessageFormatError):
        receiver.receive_body(str, timeout=PATIENCE)
    assert next_of(receiver).body is None
    assert receiver.receive_body(str, timeout=PATIENCE) == "last"
    session.close()
    again = connect().create_session()
    again.create_sender(queue).send("new")
    assert next_of(again.create_receiver(queue)).body == "new"


@pytest.mark.parametrize("transacted", [False, True])
def test_receive_body_of_a_wrong_type_counts_as_received(
    transacted: bool, connection: Connection, queue: Queue
) -> None:
    """In CLIENT_ACKNOWLEDGE and in a transaction a message of a wrong type counts as delivered, as the others do.

    Rows: A3, C11. Assertions: T:177. Section: 8.6.
    """
    session = connection.create_session(AcknowledgeMode.CLIENT_ACKNOWLEDGE, transacted=transacted)
    connection.create_session().create_sender(queue).send_many(["a", "b", "c"])
    receiver = session.create_receiver(queue)
    with pytest.raises(MessageFormatError, match="bytes"):
        receiver.receive_body(bytes, timeout=PATIENCE)
    assert next_of(receiver).body == "b"
    session.rollback() if transacted else session.recover()
    again = next_of(receiver)
    assert (again.body, again.redelivered) == ("a", True)
    with pytest.raises(MessageFormatError, match="bytes"):
        receiver.receive_body(bytes, timeout=PATIENCE)
    third = next_of(receiver)
    session.commit() if transacted else third.acknowledge()
    session.close()
    looking = connection.create_session()
    looking.create_sender(queue).send("new")
    assert next_of(looking.create_receiver(queue)).body == "new"


@pytest.mark.parametrize("mode", [AcknowledgeMode.CLIENT_ACKNOWLEDGE, AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE])
def test_acknowledging_is_the_sessions(
    mode: AcknowledgeMode, connection: Connection, session: Session, queue: Queue
) -> None:
    """A message received from a consumer that is closed can be acknowledged; what it had not received goes to others.

    Rows: A5, A7, A10. Assertions: T:131, T:133. Section: 6.2.10, 8.8.
    """
    session.create_sender(queue).send_many(["a", "b"])
    own = connection.create_session(mode)
    with own.create_receiver(queue) as receiver:
        message = next_of(receiver)
    session.create_sender(queue).send("c")
    other = session.create_receiver(queue)
    assert bodies(other, 2) == ["b", "c"]
    message.acknowledge()
    own.close()
    assert other.receive_no_wait() is None
    other.close()
    assert list(session.create_browser(queue)) == []
