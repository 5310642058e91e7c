"""Sending, Jakarta Messaging 3.1 §7: rows P1 to P7, and sends to several destinations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.processes import start_server
from support.spec import bodies, next_of, wait_past
from support.waiting import wait_for

from rmimom import (
    Connection,
    ConnectionFactory,
    IllegalStateError,
    InvalidDestinationError,
    JMSError,
    Message,
    Queue,
    Session,
    Topic,
)


def test_a_send_returns_when_the_message_is_there(connect: Callable[..., Connection], queue: Queue) -> None:
    """When send has returned, another connection finds the message in the queue at once.

    Rows: P1. Assertions: T:253. Section: 7.2.
    """
    sender = connect().create_session().create_sender(queue)
    looking = connect().create_session()
    for count in range(1, 4):
        sender.send("a")
        assert len(list(looking.create_browser(queue))) == count


def test_a_producer_without_a_destination(session: Session, queue: Queue, topic: Topic) -> None:
    """A producer without a destination sends to the one that each send names, and needs one.

    Rows: P2. Assertions: T:139. Section: 7.1.
    """
    subscriber = session.create_subscriber(topic)
    producer = session.create_producer()
    producer.send("to the queue", destination=queue)
    producer.send("to the topic", destination=topic)
    assert next_of(session.create_receiver(queue)).body == "to the queue"
    assert next_of(subscriber).body == "to the topic"
    with pytest.raises(InvalidDestinationError, match="has no destination of its own"):
        producer.send("to nobody")


def test_a_producer_with_a_destination_has_that_one(session: Session, queue: Queue) -> None:
    """A producer that was made for one destination refuses another at the send.

    Rows: P2. Assertions: T:139. Section: 7.1.
    """
    with pytest.raises(IllegalStateError, match=f"sends to queue://{queue.name} only"):
        session.create_sender(queue).send("a", destination=Queue("elsewhere"))


def test_defaults_of_a_producer(session: Session, queue: Queue) -> None:
    """Mode, priority, time to live and delay of a producer are those of its sends; at first 2, 4, none and none.

    Rows: P3. Assertions: T:140, T:261. Section: 7.4.
    """
    sender = session.create_sender(queue)
    assert (sender.persistent, sender.priority, sender.time_to_live, sender.delivery_delay) == (True, 4, 0, 0)
    sender.persistent, sender.priority = False, 7
    sender.time_to_live, sender.delivery_delay = 60, timedelta(milliseconds=20)
    message = Message("a")
    sender.send(message)
    received = next_of(session.create_receiver(queue))
    for one in (message, received):
        assert (one.delivery_mode, one.priority) == (1, 7)
        assert (one.expiration - one.timestamp, one.delivery_time - one.timestamp) == (60_000, 20)


def test_a_send_overrides_the_defaults(session: Session, queue: Queue) -> None:
    """What a send says for itself counts for this message only.

    Rows: P3. Assertions: T:140, T:261. Section: 7.4.
    """
    sender = session.create_sender(queue)
    sender.persistent, sender.priority, sender.time_to_live = False, 7, 60
    special, plain = Message("special"), Message("plain")
    sender.send(special, persistent=True, priority=1, time_to_live=5, delivery_delay=0.02)
    sender.send(plain)
    assert (special.delivery_mode, special.priority) == (2, 1)
    assert (special.expiration - special.timestamp, special.delivery_time - special.timestamp) == (5000, 20)
    assert (plain.delivery_mode, plain.priority, plain.delivery_time) == (1, 7, 0)
    assert plain.expiration - plain.timestamp == 60_000
    sender.send(plain, time_to_live=0)
    assert plain.expiration == 0


def test_persistent_messages_survive_a_crash_once(tmp_path: Path, queue: Queue) -> None:
    """Of what was sent before the server was killed each persistent message comes once, each other at most once.

    Rows: P5, P6. Assertions: T:141, T:142, T:135. Section: 7.7, 6.2.12.
    """
    data = tmp_path / "data"
    with start_server(data) as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("app", "", reconnect_timeout=0.1) as connection:
            sender = connection.create_session().create_sender(queue)
            for number in range(10):
                sender.send(number, persistent=number % 2 == 0)
            server.kill()
    with start_server(data) as server:
        factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
        with factory.create_connection("app", "") as connection:
            session = connection.create_session()
            session.create_sender(queue).send("last", priority=0)
            receiver = session.create_receiver(queue)
            found: list[object] = []
            while not found or found[-1] != "last":
                found.append(next_of(receiver).body)
    assert [number for number in found if number in range(0, 10, 2)] == [0, 2, 4, 6, 8]
    assert len(set(found)) == len(found)


def test_nothing_is_delivered_twice(connect: Callable[..., Connection], queue: Queue) -> None:
    """However many receivers there are, each message comes once, persistent or not.

    Rows: P5, P6. Assertions: T:135, T:141, T:142. Section: 6.2.12, 7.7.
    """
    session = connect().create_session()
    receivers = [connect().create_session().create_receiver(queue, prefetch=3) for _ in range(3)]
    sender = session.create_sender(queue)
    for number in range(60):
        sender.send_async(number, persistent=number % 3 > 0)
    sender.flush()
    found: list[object] = []
    while len(found) < 60:
        for receiver in receivers:
            message = receiver.receive(timeout=0.005)
            if message is not None:
                found.append(message.body)
    assert sorted(found, key=str) == sorted(range(60), key=str)
    assert list(session.create_browser(queue)) == []


def test_a_send_after_a_lost_answer_is_no_second_message(tmp_path: Path, queue: Queue) -> None:
    """Sends under way when the server is killed are repeated when it is back, and none is there twice.

    Rows: P6. Assertions: T:135. Section: 6.2.12.
    """
    data = tmp_path / "data"
    with start_server(data) as first:
        factory = ConnectionFactory(uri=first.uri("rmimom.ConnectionFactory"))
        connection = factory.create_connection("app", "")
        session = connection.create_session()
        sender = session.create_sender(queue)
        for number in range(300):
            sender.send_async(number)
        first.kill()
        port = first.port
    with start_server(data, port=port), connection:
        sender.flush()
        assert [message.body for message in session.create_browser(queue)] == list(range(300))


def test_a_delay_counts_from_the_send(connection: Connection, queue: Queue) -> None:
    """In a transaction the delay counts from the send, not from the commit.

    Rows: P7, P3. Assertions: T:261. Section: 7.9.
    """
    session = connection.create_session(transacted=True)
    delayed = Message("delayed")
    sender = session.create_sender(queue)
    sender.send(delayed, delivery_delay=0.05)
    wait_past(delayed.delivery_time)
    session.commit()
    assert delayed.delivery_time == delayed.timestamp + 50
    # Due when it was committed, so it is there at once: a browser shows no delayed message.
    shown = [message.body for message in connection.create_session().create_browser(queue)]
    assert shown == ["delayed"]


def test_a_browser_does_not_show_what_is_delayed(session: Session, queue: Queue) -> None:
    """A message is not seen in its queue before its delivery time.

    Rows: P7, D12. Assertions: T:261, T:148. Section: 7.9, 4.1.6.
    """
    sender = session.create_sender(queue)
    sender.send("tomorrow", delivery_delay=86_400)
    sender.send("today")
    assert [message.body for message in session.create_browser(queue)] == ["today"]


def test_a_delayed_copy_goes_to_subscriptions_of_the_time(session: Session, topic: Topic) -> None:
    """A subscription that was made after the send gets no copy of it, though the delivery time is later still.

    Rows: P7. Assertions: T:261. Section: 7.9.
    """
    early = session.create_subscriber(topic)
    publisher = session.create_publisher(topic)
    publisher.publish("delayed", delivery_delay=0.1)
    late = session.create_subscriber(topic)
    assert next_of(early).body == "delayed"
    publisher.publish("next")
    assert next_of(late).body == "next"
    assert next_of(early).body == "next"


def test_asynchronous_sends_keep_their_order(session: Session, queue: Queue) -> None:
    """Sends of one producer, waited for or not, arrive in the order of the calls.

    Rows: P4, A13. Assertions: T:275.2, T:127. Section: 7.3.3, 6.2.9.
    """
    sender = session.create_sender(queue)
    for number in range(100):
        if number % 10 == 0:
            sender.send(number)
        else:
            sender.send_async(number)
    sender.flush()
    assert bodies(session.create_receiver(queue), 100) == list(range(100))


class Listener:
    """A completion listener that notes what it is told, and in which thread."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.threads: set[int] = set()
        self.inside = self.most = 0

    def on_completion(self, message: Message) -> None:
        self._note("sent", message)

    def on_exception(self, message: Message, error: JMSError) -> None:
        self._note(type(error).__name__, message)

    def _note(self, what: str, message: Message) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.threads.add(threading.get_ident())
        threading.Event().wait(0.001)  # another call would come in now
        self.told.append((what, message.body))
        self.inside -= 1


def test_a_completion_listener_is_told(session: Session, queue: Queue) -> None:
    """A send with a completion listener returns at once; the listener hears when the message is there, and not before.

    Rows: P4. Assertions: T:254, T:275.1. Section: 7.3, 7.3.1.
    """
    seen: list[int] = []
    looking = session

    class Looks(Listener):
        def on_completion(self, message: Message) -> None:
            with looking.create_browser(queue) as browser:
                seen.append(len(list(browser)))
            super().on_completion(message)

    listener = Looks()
    session.create_sender(queue).send("a", completion_listener=listener)
    wait_for(lambda: listener.told)
    assert (listener.told, seen) == ([("sent", "a")], [1])


def test_a_completion_listener_is_told_of_a_refusal(connect: Callable[..., Connection]) -> None:
    """If the message could not be sent the listener hears the error.

    Rows: P4. Assertions: T:254. Section: 7.3.2.
    """
    own = connect()
    queue = own.create_session().create_temporary_queue()
    own.close()
    listener = Listener()
    connect().create_session().create_sender(queue).send("a", completion_listener=listener)
    wait_for(lambda: listener.told)
    assert listener.told == [("InvalidDestinationError", "a")]


def test_completion_listeners_are_called_in_order(session: Session, queue: Queue) -> None:
    """Listeners are called one at a time, in the order of the sends, in a thread that is not the sender's.

    Rows: P4. Assertions: T:275.7, T:275.2. Section: 7.3.3, 7.3.8.
    """
    listener = Listener()
    sender = session.create_sender(queue)
    for number in range(30):
        if number % 10 == 9:
            sender.send(number)
        else:
            sender.send(number, completion_listener=listener)
    wait_for(lambda: len(listener.told) == 27)
    assert listener.told == [("sent", number) for number in range(30) if number % 10 != 9]
    assert listener.most == 1
    assert len(listener.threads) == 1
    assert threading.get_ident() not in listener.threads
    assert [message.body for message in session.create_browser(queue)] == list(range(30))


@pytest.mark.parametrize("what", ["producer", "session", "connection"])
def test_close_waits_for_completion_listeners(what: str, connect: Callable[..., Connection], queue: Queue) -> None:
    """close of the producer, session or connection returns when all listeners have been called and have returned.

    Rows: P4. Assertions: T:275.3. Section: 7.3.4.
    """
    connection = connect()
    session = connection.create_session()
    producer = session.create_sender(queue)
    listener = Listener()
    for number in range(10):
        producer.send(number, completion_listener=listener)
    {"producer": producer, "session": session, "connection": connection}[what].close()
    assert listener.told == [("sent", number) for number in range(10)]
    assert len(list(connect().create_session().create_browser(queue))) == 10


@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_the_end_of_a_transaction_waits_for_completion_listeners(
    how: str, connection: Connection, queue: Queue
) -> None:
    """commit and rollback return when the listeners of all sends have been called and have returned.

    Rows: P4. Assertions: T:275.3. Section: 7.3.4.
    """
    work = connection.create_session(transacted=True)
    producer = work.create_sender(queue)
    listener = Listener()
    for number in range(5):
        producer.send(number, completion_listener=listener)
    getattr(work, how)()
    assert [body for _, body in listener.told] == list(range(5))
    assert len(list(connection.create_session().create_browser(queue))) == (5 if how == "commit" else 0)


def test_a_completion_listener_does_not_close_or_commit(connection: Connection, queue: Queue) -> None:
    """In a listener, close of its producer, session and connection, commit and rollback raise IllegalStateError.

    Rows: P4, C11. Assertions: T:275.3, T:171. Section: 7.3.4.
    """
    for transacted in (False, True):
        session = connection.create_session(transacted=transacted)
        producer = session.create_sender(queue)
        calls: list[Callable[[], object]] = [producer.close, session.close, connection.close]
        calls += [session.commit, session.rollback] if transacted else []
        refused: list[bool] = []

        class Closes(Listener):
            def on_completion(self, message: Message, calls: Any = calls, refused: list[bool] = refused) -> None:
                for call in calls:
                    try:
                        call()
                        refused.append(False)
                    except IllegalStateError:
                        refused.append(True)

        producer.send("a", completion_listener=Closes())
        wait_for(lambda calls=calls, refused=refused: len(refused) == len(calls))
        assert all(refused)


def test_headers_are_set_when_the_listener_is_called(session: Session, queue: Queue) -> None:
    """When the listener is called the message has all headers that the send sets, and is the one that was given.

    Rows: P4. Assertions: T:275.5, T:275.8. Section: 7.3.6, 7.3.9.
    """
    found: list[tuple[Message, object, bool, int]] = []

    class Notes(Listener):
        def on_completion(self, message: Message) -> None:
            found.append((message, message.destination, bool(message.message_id), message.priority))

    message = Message("a")
    session.create_sender(queue).send(message, priority=7, completion_listener=Notes())
    wait_for(lambda: found)
    assert found == [(message, queue, True, 7)]
    assert message.timestamp > 0


def test_the_session_goes_on_after_an_asynchronous_send(session: Session, queue: Queue) -> None:
    """A completion listener does not bind the session to its thread: the sender's thread goes on using it.

    Rows: P4. Assertions: T:275.6. Section: 7.3.7.
    """
    listener = Listener()
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    for number in range(10):
        sender.send(number, completion_listener=listener)
        assert next_of(receiver).body == number
    session.create_sender(Queue(f"{queue.name}.other")).send("b")
    wait_for(lambda: len(listener.told) == 10)
