"""Sessions: modes of acknowledgement, observers, recover, durable subscriptions (Jakarta Messaging 3.1 §6.2, §8)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client import session_thread
from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import (
    AUTO_ACKNOWLEDGE,
    CLIENT_ACKNOWLEDGE,
    DUPS_OK_ACKNOWLEDGE,
    INDIVIDUAL_ACKNOWLEDGE,
    AcknowledgeMode,
)
from rmimom.destination import Queue, Topic
from rmimom.errors import IllegalStateError, InvalidDestinationError, MessageFormatError
from rmimom.message import Message

Q = Queue("q")


@pytest.fixture
def connection(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection("app", "secret") as made:
        yield made


def fill(connection: Connection, count: int) -> None:
    connection.create_session().create_sender(Q).send_many(str(number) for number in range(count))


def test_auto_acknowledges_what_receive_returned(connection: Connection, server: FakeServer) -> None:
    """§6.2.10 AUTO_ACKNOWLEDGE."""
    fill(connection, 3)
    receiver = connection.create_session(AUTO_ACKNOWLEDGE).create_receiver(Q)
    for _ in range(2):
        message = receiver.receive(5)
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
        got = [first.receive(5), first.receive(5), second.receive(5)]
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
        got = [receiver.receive(5) for _ in range(3)]
        assert got[1] is not None
        got[1].acknowledge()
        got[1].acknowledge()
        assert server.broker.acknowledged == [2]
    assert [entry.tag for entry in server.broker.boxes["queue://q"]] == [1, 3]


def test_dups_ok_acknowledges_late_but_does(connection: Connection, server: FakeServer) -> None:
    fill(connection, 150)
    receiver = connection.create_session(DUPS_OK_ACKNOWLEDGE).create_receiver(Q)
    for _ in range(150):
        receiver.receive(5)
    wait_for(lambda: len(server.broker.acknowledged) >= 100)
    receiver.close()
    assert len(server.broker.acknowledged) == 150


@pytest.mark.parametrize("mode", [CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE])
def test_nothing_is_acknowledged_after_closing(connection: Connection, mode: object) -> None:
    """§6.1.8: a message stays readable after closing, but cannot be acknowledged."""
    fill(connection, 1)
    session = connection.create_session(mode)  # type: ignore[arg-type]
    message = session.create_receiver(Q).receive(5)
    assert message is not None
    session.close()
    assert message.body == "0"
    with pytest.raises(IllegalStateError, match="went back"):
        message.acknowledge()


def test_recover_delivers_again(connection: Connection) -> None:
    """§6.2.10: recover restarts with the first message not acknowledged, flagged as redelivered."""
    fill(connection, 3)
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    first = receiver.receive(5)
    assert first is not None
    first.acknowledge()
    receiver.receive(5)
    receiver.receive(5)
    session.recover()
    again = [receiver.receive(5), receiver.receive(5)]
    assert [(message.body, message.redelivered, message.delivery_count) for message in again if message] == [
        ("1", True, 2),
        ("2", True, 2),
    ]


def test_observers_are_told_one_at_a_time(connection: Connection, server: FakeServer) -> None:
    """§8.7: a session tells its listeners serially, in one thread; each message is acknowledged after."""
    inside = threading.Lock()
    told: list[tuple[str, object, str]] = []

    class Observer:
        def __init__(self, name: str) -> None:
            self.name = name

        def on_message(self, message: Message) -> None:
            assert inside.acquire(blocking=False)
            told.append((self.name, message.body, threading.current_thread().name))
            inside.release()

    session = connection.create_session()
    first = session.create_receiver(Q)
    second = session.create_receiver(Queue("r"))
    one, two = Observer("one"), Observer("two")
    first.attach(one)
    first.attach(two)
    second.attach(lambda message: told.append(("three", message.body, threading.current_thread().name)))
    other = connection.create_session()
    other.create_sender(Q).send("a")
    other.create_sender(Queue("r")).send("b")
    wait_for(lambda: len(told) == 3)
    assert [name for name, body, _ in told if body == "a"] == ["one", "two"]
    assert {thread for _, _, thread in told} == {"rmimom-session"}
    wait_for(lambda: len(server.broker.acknowledged) == 2)
    first.detach(one)
    first.detach(one)
    other.create_sender(Q).send("c")
    wait_for(lambda: len(told) == 4)
    assert told[-1][:2] == ("two", "c")


def test_a_consumer_with_observers_cannot_receive(connection: Connection) -> None:
    receiver = connection.create_session().create_receiver(Q)
    observer = print
    receiver.attach(observer)
    with pytest.raises(IllegalStateError, match="has observers"):
        receiver.receive_no_wait()
    receiver.detach(observer)
    assert receiver.receive_no_wait() is None
    with pytest.raises(TypeError, match="no observer"):
        receiver.attach(5)  # type: ignore[arg-type]


def test_an_observer_that_fails_gets_the_message_again(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """§8.7: in AUTO_ACKNOWLEDGE a failing listener gets the message again at once, flagged, a few times."""
    monkeypatch.setattr(session_thread, "LISTENER_PAUSE", 0.001)
    seen: list[tuple[object, bool, int]] = []

    def observer(message: Message) -> None:
        seen.append((message.body, message.redelivered, message.delivery_count))
        if message.delivery_count < 3:
            raise ValueError("not yet")

    with caplog.at_level(logging.ERROR, "rmimom.client"):
        connection.create_session().create_receiver(Q).attach(observer)
        fill(connection, 2)
        wait_for(lambda: len(seen) == 6)
    assert seen == [("0", False, 1), ("0", True, 2), ("0", True, 3), ("1", False, 1), ("1", True, 2), ("1", True, 3)]
    assert "an observer of queue://q failed" in caplog.text


def test_a_message_that_no_observer_bears_becomes_a_dead_letter(
    connection: Connection, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§8.7, A20: each failure is told to the server, which counts them; then the next message follows."""
    monkeypatch.setattr(session_thread, "LISTENER_PAUSE", 0.0)
    logging.getLogger("rmimom.client").setLevel(logging.CRITICAL)
    server.broker.maximum = 3
    tries: list[tuple[object, int]] = []
    done = threading.Event()

    def observer(message: Message) -> None:
        tries.append((message.body, message.delivery_count))
        if message.body == "0":
            raise ValueError("never")
        done.set()

    connection.create_session().create_receiver(Q).attach(observer)
    fill(connection, 2)
    assert done.wait(10)
    logging.getLogger("rmimom.client").setLevel(logging.NOTSET)
    assert tries == [("0", 1), ("0", 2), ("0", 3), ("0", 4), ("1", 1)]
    assert server.broker.dead == [1]
    assert server.broker.released == [([1], {"keep": True, "reason": "ValueError: never"})] * 4


@pytest.mark.parametrize("mode", [CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE])
def test_nack_delivers_again_at_the_old_place(
    connection: Connection, server: FakeServer, mode: AcknowledgeMode
) -> None:
    """A8, A14: what is given back comes before what is younger."""
    fill(connection, 3)
    receiver = connection.create_session(mode).create_receiver(Q)
    first = receiver.receive(5)
    assert first is not None
    first.nack("busy")
    found = [receiver.receive(5) for _ in range(3)]
    assert [(message.body, message.delivery_count) for message in found if message] == [("0", 2), ("1", 1), ("2", 1)]
    assert server.broker.released == [([1], {"keep": True, "reason": "busy"})]


def test_nack_with_a_delay_or_for_good(connection: Connection, server: FakeServer) -> None:
    """A8: the server is told, and the next message follows."""
    fill(connection, 3)
    receiver = connection.create_session(CLIENT_ACKNOWLEDGE).create_receiver(Q, prefetch=1)
    first = receiver.receive(5)
    assert first is not None
    first.nack("no such customer", dead=True)
    second = receiver.receive(5)
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
        receiver.receive(5).nack(delay=-1)  # type: ignore[union-attr]


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
    message = session.create_receiver(Q).receive(5)
    assert message is not None
    with pytest.raises(IllegalStateError, match="acknowledged"):
        message.nack()
    with pytest.raises(IllegalStateError, match="not received"):
        Message("mine").nack()
    session.close()
    with pytest.raises(IllegalStateError, match="closed"):
        message.nack()


def test_recover_tells_the_server_and_forgets_what_it_buries(connection: Connection, server: FakeServer) -> None:
    """§6.2.10, A20: recover counts as a failure of everything that is not acknowledged."""
    fill(connection, 3)
    server.broker.maximum = 1
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    receiver.receive(5)
    session.recover()
    assert [message.body for message in (receiver.receive(5), receiver.receive(5)) if message] == ["0", "1"]
    session.recover()
    again = [receiver.receive(5), receiver.receive(5)]
    assert [(message.body, message.delivery_count) for message in again if message] == [("1", 2), ("2", 1)]
    assert server.broker.dead == [1]


def test_recover_works_without_the_server_too(connection: Connection, server: FakeServer) -> None:
    """Then the failures are not counted; nothing is lost."""
    fill(connection, 1)
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    receiver = session.create_receiver(Q)
    receiver.receive(5)
    server.faults["release"] = 1
    session.recover()
    again = receiver.receive(5)
    assert again is not None
    assert again.body == "0"
    assert again.redelivered
    again.acknowledge()
    wait_for(lambda: 1 in server.broker.acknowledged)


def test_what_went_back_and_came_again_is_not_tried_without_a_pause(
    connection: Connection, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_thread, "LONGEST_LISTENER_PAUSE", 3600.0)
    monkeypatch.setattr(session_thread, "LISTENER_PAUSE", 3600.0)
    logging.getLogger("rmimom.client").setLevel(logging.CRITICAL)
    tries: list[int] = []

    def observer(message: Message) -> None:
        tries.append(message.delivery_count)
        raise ValueError("never")

    connection.create_session().create_receiver(Q).attach(observer)
    fill(connection, 1)
    wait_for(lambda: server.calls["release"] == 2)
    # By the time that others had theirs it is here again.
    other = connection.create_session()
    receiver = other.create_receiver(Queue("other"))
    for _ in range(3):
        other.create_sender(Queue("other")).send("x")
        assert receiver.receive(timeout=10) is not None
    logging.getLogger("rmimom.client").setLevel(logging.NOTSET)
    assert tries == [1, 2]  # the second attempt is immediate


def test_in_client_mode_the_next_message_follows_a_failure(connection: Connection) -> None:
    """§8.7: in CLIENT_ACKNOWLEDGE the next message for the listener is delivered."""
    logging.getLogger("rmimom.client").setLevel(logging.CRITICAL)
    seen: list[object] = []
    done = threading.Event()

    def observer(message: Message) -> None:
        seen.append(message.body)
        if message.body == "0":
            raise ValueError("no")
        done.set()

    connection.create_session(CLIENT_ACKNOWLEDGE).create_receiver(Q).attach(observer)
    fill(connection, 2)
    assert done.wait(5)
    logging.getLogger("rmimom.client").setLevel(logging.NOTSET)
    assert seen == ["0", "1"]


def test_an_observer_may_send_and_close_its_consumer(connection: Connection, server: FakeServer) -> None:
    """§8.8: the listener completes, and its message is acknowledged; what was not told goes back."""
    session = connection.create_session()
    receiver = session.create_receiver(Q)
    answers = session.create_sender(Queue("answers"))
    told: list[object] = []

    def observer(message: Message) -> None:
        told.append(message.body)
        receiver.close()
        answers.send(f"got {message.body}")

    connection.stop()
    receiver.attach(observer)
    fill(connection, 2)
    connection.start()
    wait_for(lambda: server.calls["close_consumer"] == 1)
    assert told == ["0"]
    assert len(server.broker.boxes["queue://answers"]) == 1
    assert len(server.broker.acknowledged) == 1
    assert len(server.broker.boxes["queue://q"]) == 1
    with pytest.raises(IllegalStateError, match="this Receiver of queue://q is closed"):
        receiver.receive()


@pytest.mark.parametrize("what", ["session", "connection", "stop"])
def test_an_observer_cannot_close_what_waits_for_it(what: str, connection: Connection) -> None:
    """T:258, T:259, §6.1.5: a listener that closes its session or connection, or stops it, gets IllegalStateError."""
    session = connection.create_session()
    calls = {"session": session.close, "connection": connection.close, "stop": connection.stop}
    refused: list[str] = []

    def observer(_: Message) -> None:
        try:
            calls[what]()
        except IllegalStateError as error:
            refused.append(error.text)

    session.create_receiver(Q).attach(observer)
    fill(connection, 2)
    wait_for(lambda: len(refused) == 2)
    assert "would wait for the observer to return" in refused[0]


@pytest.mark.parametrize("what", ["session", "connection"])
def test_an_observer_keeps_full_service_while_its_session_is_closed(
    what: str, factory: ConnectionFactory, server: FakeServer
) -> None:
    """§6.1.8: all facilities remain available to a listener until it returns; then nothing more is told."""
    connection = factory.create_connection()
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    entered, problems = threading.Event(), []

    def observer(message: Message) -> None:
        try:
            entered.set()
            wait_for(lambda: session._closing)
            session.create_sender(Queue("answers")).send("still here")
            message.acknowledge()
        except Exception as error:  # noqa: BLE001  # shown by the test
            problems.append(error)

    fill(connection, 2)
    session.create_receiver(Q).attach(observer)
    assert entered.wait(5)
    (session if what == "session" else connection).close()
    assert problems == []
    assert len(server.broker.boxes["queue://answers"]) == 1
    assert len(server.broker.acknowledged) == 1
    assert len(server.broker.boxes["queue://q"]) == 1
    connection.close()


def test_closing_a_consumer_waits_for_its_observer_only(connection: Connection) -> None:
    """§8.8."""
    session = connection.create_session()
    busy, idle = session.create_receiver(Q), session.create_receiver(Queue("idle"))
    idle.attach(print)
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()

    def observer(_: Message) -> None:
        entered.set()
        leave.wait(5)
        left.set()

    busy.attach(observer)
    fill(connection, 1)
    assert entered.wait(5)
    idle.close()
    assert not left.is_set()
    closing = threading.Thread(target=busy.close)
    closing.start()
    wait_for(lambda: busy._closed)
    assert busy in session._consumers
    leave.set()
    closing.join(5)
    assert left.is_set()
    assert busy not in session._consumers


def test_a_session_with_observers_cannot_receive_by_any_consumer(connection: Connection) -> None:
    """§8.7: a session is used synchronously or asynchronously, until the observers are gone."""
    session = connection.create_session()
    observed, other = session.create_receiver(Q), session.create_receiver(Queue("r"))
    connection.create_session().create_sender(Queue("r")).send("x")
    wait_for(lambda: other._intake.waiting)
    observed.attach(print)
    connection.stop()
    with pytest.raises(IllegalStateError, match="has observers"):
        other.receive_no_wait()
    observed.close()
    connection.start()
    message = other.receive_no_wait()
    assert message is not None
    assert message.body == "x"


@pytest.mark.parametrize("what", ["consumer", "session", "connection"])
def test_closing_ends_a_blocked_receive(what: str, factory: ConnectionFactory) -> None:
    """T:107: a receive under way in another thread returns None."""
    with factory.create_connection() as connection:
        session = connection.create_session()
        receiver = session.create_receiver(Q)
        got: list[object] = []
        thread = threading.Thread(target=lambda: got.append(receiver.receive()))
        thread.start()
        wait_for(lambda: session._usage.owner)
        {"consumer": receiver, "session": session, "connection": connection}[what].close()
        thread.join(5)
        assert got == [None]


def test_received_messages_stay_readable_after_closing_but_cannot_be_acknowledged(connection: Connection) -> None:
    """T:108: received messages remain usable, except acknowledge."""
    fill(connection, 1)
    session = connection.create_session(CLIENT_ACKNOWLEDGE)
    message = session.create_receiver(Q).receive(5)
    assert message is not None
    connection.close()
    connection.close()
    assert message.body == "0"
    with pytest.raises(IllegalStateError, match="cannot be acknowledged any more"):
        message.acknowledge()
    with pytest.raises(IllegalStateError, match="the connection is closed"):
        session.create_receiver(Q)


def test_durable_subscriptions(factory: ConnectionFactory) -> None:
    """§8.3.3: what was sent while the subscriber was away comes when it is back, until it is unsubscribed."""
    topic = Topic("t")
    with factory.create_connection("app", "x", client_id="archive-1") as connection:
        session = connection.create_session()
        with session.create_subscriber(topic, durable="archive") as subscriber:
            assert subscriber.durable == "archive"
        session.create_publisher(topic).publish("while away")
        with session.create_subscriber(topic, durable="archive") as subscriber:
            message = subscriber.receive(5)
            assert message is not None
            assert message.body == "while away"
        session.unsubscribe("archive")
        with pytest.raises(InvalidDestinationError, match="no durable subscription"):
            session.unsubscribe("archive")


def test_iteration_and_context(connection: Connection) -> None:
    fill(connection, 3)
    with connection.create_session().create_receiver(Q) as receiver:
        got = []
        for message in receiver:
            got.append(message.body)
            if len(got) == 3:
                receiver.close()
    assert got == ["0", "1", "2"]


def test_the_refusal_of_a_consumer_reaches_the_caller(connection: Connection, server: FakeServer) -> None:
    server.broker.refuse["queue://nowhere"] = InvalidDestinationError("there is no queue 'nowhere'")
    session = connection.create_session()
    with pytest.raises(InvalidDestinationError, match="no queue 'nowhere'"):
        session.create_receiver(Queue("nowhere"))
    assert session._consumers == []
    assert connection._consumers == {}


def test_destinations_of_the_wrong_kind(connection: Connection) -> None:
    session = connection.create_session()
    for make, wrong in (
        (session.create_subscriber, Q),
        (session.create_receiver, Topic("t")),
        (session.create_publisher, Q),
        (session.create_sender, "q"),
    ):
        with pytest.raises(InvalidDestinationError, match="is not a"):
            make(wrong)  # type: ignore[operator]
    with pytest.raises(InvalidDestinationError, match="white space"):
        session.queue("a b")
    with pytest.raises(InvalidDestinationError, match="cannot be empty"):
        session.create_subscriber(Topic("t"), durable="")


def test_a_consumer_that_the_server_closes(connection: Connection, server: FakeServer) -> None:
    from rmimom.frame import ConsumerEnd

    fill(connection, 1)
    receiver = connection.create_session().create_receiver(Q)
    wait_for(lambda: receiver._intake.waiting)
    with server.broker.lock:
        end = ConsumerEnd(receiver._number, InvalidDestinationError("the queue was deleted").to_dict())
        server.connections[0].ended.append(end)
        server.broker.lock.notify_all()
    wait_for(lambda: receiver._intake.error)
    message = receiver.receive(5)
    assert message is not None
    with pytest.raises(InvalidDestinationError, match="the queue was deleted"):
        receiver.receive(5)


def test_rollback_tells_the_server_and_forgets_what_it_buries(connection: Connection, server: FakeServer) -> None:
    """§6.2.7, A20: a rollback counts as a failure of everything that the transaction received."""
    fill(connection, 2)
    server.broker.maximum = 1
    session = connection.create_session(transacted=True)
    receiver = session.create_receiver(Q)
    for expected in (["0", "1"], ["0", "1"]):
        assert [message.body for message in (receiver.receive(5), receiver.receive(5)) if message] == expected
        session.rollback()
    assert receiver.receive_no_wait() is None
    assert server.broker.dead == [1, 2]


def test_rollback_counts_for_closed_consumers_too(connection: Connection, server: FakeServer) -> None:
    """§8.8: a message of a consumer that closed meanwhile belongs to the transaction still."""
    fill(connection, 1)
    session = connection.create_session(transacted=True)
    with session.create_receiver(Q) as receiver:
        receiver.receive(5)
    session.rollback()
    assert server.broker.released == [([1], {"keep": False, "reason": "rolled back by the session"})]
    again = session.create_receiver(Q).receive(5)
    assert again is not None
    assert again.redelivered


AUTOMATIC = [AcknowledgeMode.AUTO_ACKNOWLEDGE, AcknowledgeMode.DUPS_OK_ACKNOWLEDGE]
OTHERS = [AcknowledgeMode.CLIENT_ACKNOWLEDGE, AcknowledgeMode.SESSION_TRANSACTED]


@pytest.mark.parametrize("mode", AUTOMATIC + OTHERS)
def test_receive_body(mode: AcknowledgeMode, connection: Connection) -> None:
    """A3, §8.6: the body alone, or None when the time is over."""
    sender = connection.create_session().create_sender(Q)
    receiver = connection.create_session(mode).create_receiver(Q)
    assert receiver.receive_body_no_wait(str) is None
    assert receiver.receive_body(str, timeout=0.01) is None
    for body in ("text", b"bytes", {"a": 1}):
        sender.send(body)
        assert receiver.receive_body(type(body), timeout=5) == body


@pytest.mark.parametrize("mode", AUTOMATIC)
def test_receive_body_of_another_type_is_as_if_not_called(
    mode: AcknowledgeMode, connection: Connection, server: FakeServer
) -> None:
    """§8.6: the next call gets the same message, not flagged as redelivered; one without body, too."""
    sender = connection.create_session().create_sender(Q)
    session = connection.create_session(mode)
    receiver = session.create_receiver(Q)
    sender.send("text")
    sender.send(None)
    for _ in range(2):
        with pytest.raises(MessageFormatError, match="kind text and has no body of type bytes"):
            receiver.receive_body(bytes, timeout=5)
    message = receiver.receive(5)
    assert message is not None
    assert (message.body, message.redelivered, message.delivery_count) == ("text", False, 1)
    with pytest.raises(MessageFormatError, match="kind none"):
        receiver.receive_body(str, timeout=5)
    assert receiver.receive(5) is not None
    session.close()
    assert len(server.broker.acknowledged) == 2


@pytest.mark.parametrize("mode", OTHERS)
def test_receive_body_of_another_type_counts_as_delivered_otherwise(
    mode: AcknowledgeMode, connection: Connection
) -> None:
    """§8.6: in CLIENT_ACKNOWLEDGE and transacted sessions the message was delivered; it comes again when recovered."""
    connection.create_session().create_sender(Q).send_many(["first", "second"])
    session = connection.create_session(mode)
    receiver = session.create_receiver(Q)
    with pytest.raises(MessageFormatError):
        receiver.receive_body(bytes, timeout=5)
    assert receiver.receive_body(str, timeout=5) == "second"
    if session.transacted:
        session.rollback()
    else:
        session.recover()
    message = receiver.receive(5)
    assert message is not None
    assert (message.body, message.redelivered) == ("first", True)
