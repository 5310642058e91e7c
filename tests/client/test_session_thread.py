"""Observers: a session tells them of messages, one at a time, in its own thread (Jakarta Messaging 3.1 §8.7)."""

from __future__ import annotations

import logging
import threading

import pytest
from support.fake_server import FakeServer
from support.filled import Q, fill
from support.waiting import wait_for

from rmimom.client import session_thread
from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.mode import CLIENT_ACKNOWLEDGE
from rmimom.destination import Queue
from rmimom.errors import IllegalStateError
from rmimom.message import Message


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
    assert done.wait(60)
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
    assert entered.wait(60)
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
        leave.wait(60)
        left.set()

    busy.attach(observer)
    fill(connection, 1)
    assert entered.wait(60)
    idle.close()
    assert not left.is_set()
    closing = threading.Thread(target=busy.close)
    closing.start()
    wait_for(lambda: busy._closed)
    assert busy in session._consumers
    leave.set()
    closing.join(60)
    assert left.is_set()
    assert busy not in session._consumers
