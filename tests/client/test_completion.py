"""Completion listeners (Jakarta Messaging 3.1 §7.3; T:254, T:275)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client import connection as connection_module
from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.destination import Queue
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidDestinationError,
    JMSError,
    MessageFormatError,
    ResourceAllocationError,
)
from rmimom.message import Message

Q = Queue("q")


@pytest.fixture
def connection(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection() as made:
        yield made


class Recorder:
    """Notes what it is told, and does something in each call."""

    def __init__(self, act: Callable[[Message], object] = lambda _: None) -> None:
        self.told: list[tuple[object, JMSError | None]] = []
        self.threads: set[int] = set()
        self.problems: list[BaseException] = []
        self._act = act

    def _note(self, message: Message, error: JMSError | None) -> None:
        self.threads.add(threading.get_ident())
        try:
            self._act(message)
        except Exception as problem:  # noqa: BLE001  # shown by the test
            self.problems.append(problem)
        self.told.append((message.body, error))

    def on_completion(self, message: Message) -> None:
        self._note(message, None)

    def on_exception(self, message: Message, error: JMSError) -> None:
        self._note(message, error)


class Gate:
    """Holds a listener up."""

    def __init__(self) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()

    def __call__(self, _: object) -> None:
        self.entered.set()
        assert self.leave.wait(10)


def test_listeners_are_told_in_order_in_a_thread_of_the_session(connection: Connection, server: FakeServer) -> None:
    """T:275.5, T:275.7, T:275.8: in the order of the sends, one at a time, and not in the thread that sends."""
    session = connection.create_session()
    to_q, anywhere = session.create_sender(Q), session.create_producer()
    inside = threading.Lock()

    def alone(_: Message) -> None:
        assert inside.acquire(blocking=False)
        inside.release()

    recorder = Recorder(alone)
    for number in range(600):
        to_q.send(f"{number}", completion_listener=recorder)
        anywhere.send(f"{number}'", destination=Queue(f"r{number % 3}"), completion_listener=recorder)
    session.close()
    expected = [(f"{number}{mark}", None) for number in range(600) for mark in ("", "'")]
    assert recorder.told == expected
    assert recorder.problems == []
    assert len(recorder.threads) == 1
    assert threading.get_ident() not in recorder.threads
    assert len(server.broker.stored) == 1200


def test_the_message_is_the_one_sent_with_its_headers_set(connection: Connection) -> None:
    """T:275.3: when the listener is told, the headers are those that the send has set."""
    sent = Message("x", properties={"a": 1})
    got: list[Message] = []
    with connection.create_session() as session:
        session.create_sender(Q).send(sent, completion_listener=Recorder(got.append), priority=7)
    assert got == [sent]
    assert got[0].message_id is not None
    assert got[0].message_id.startswith("ID:")
    assert (got[0].priority, got[0].destination) == (7, Q)


def test_a_refusal_is_told_and_what_can_never_be_sent_is_raised(connection: Connection, server: FakeServer) -> None:
    """T:275.1: an error of the send itself is raised, and the listener hears nothing."""
    server.broker.refuse["queue://full"] = ResourceAllocationError("the queue is full")
    recorder = Recorder()
    with connection.create_session() as session:
        producer = session.create_producer()
        producer.send("a", destination=Queue("full"), completion_listener=recorder)
        producer.send("b", destination=Q, completion_listener=recorder)
        with pytest.raises(MessageFormatError):
            producer.send("c", destination=Q, properties={"not a name": 1}, completion_listener=recorder)
        with pytest.raises(InvalidDestinationError):
            producer.send("d", completion_listener=recorder)
        with pytest.raises(TypeError, match="no method on_completion"):
            producer.send("e", destination=Q, completion_listener=print)  # type: ignore[arg-type]
        producer.flush()  # has nothing to raise: the listener hears it
    assert [body for body, _ in recorder.told] == ["a", "b"]
    assert isinstance(recorder.told[0][1], ResourceAllocationError)
    assert recorder.told[1][1] is None


@pytest.mark.parametrize("what", ["producer", "session", "connection", "commit", "rollback"])
def test_closing_and_ending_a_transaction_wait_for_the_listeners(what: str, factory: ConnectionFactory) -> None:
    """T:275.2, §7.3.4: the call blocks until the sends are complete and every listener has returned."""
    with factory.create_connection() as connection:
        session = connection.create_session(transacted=what in {"commit", "rollback"})
        sender = session.create_sender(Q)
        gate = Gate()
        recorder = Recorder(gate)
        sender.send("x", completion_listener=recorder)
        call = {
            "producer": sender.close,
            "session": session.close,
            "connection": connection.close,
            "commit": session.commit,
            "rollback": session.rollback,
        }[what]
        waiting = threading.Thread(target=call)
        waiting.start()
        assert gate.entered.wait(10)
        waiting.join(0.02)
        assert waiting.is_alive()
        gate.leave.set()
        waiting.join(10)
        assert recorder.told == [("x", None)]


def test_a_producer_does_not_wait_for_the_sends_of_another(connection: Connection) -> None:
    session = connection.create_session()
    gate = Gate()
    first, second = session.create_sender(Q), session.create_sender(Q)
    first.send("x", completion_listener=Recorder(gate))
    assert gate.entered.wait(10)
    second.close()
    gate.leave.set()


@pytest.mark.parametrize("what", ["producer", "session", "connection", "commit", "rollback"])
def test_a_listener_cannot_wait_for_itself(what: str, connection: Connection) -> None:
    """T:275.4, §7.3.4: IllegalStateError; another producer of the session may be closed."""
    session = connection.create_session(transacted=what in {"commit", "rollback"})
    sender, other = session.create_sender(Q), session.create_sender(Q)
    calls = {
        "producer": sender.close,
        "session": session.close,
        "connection": connection.close,
        "commit": session.commit,
        "rollback": session.rollback,
    }
    recorder = Recorder(lambda _: (other.close(), calls[what]()))
    sender.send("x", completion_listener=recorder)
    wait_for(lambda: recorder.told)
    assert len(recorder.problems) == 1
    assert isinstance(recorder.problems[0], IllegalStateError)
    assert "a completion listener cannot" in str(recorder.problems[0])
    sender.send("still open", completion_listener=Recorder())


def test_a_listener_may_send(connection: Connection, server: FakeServer) -> None:
    """§7.3.6: while no other thread uses the session."""
    session = connection.create_session()
    sender, answers = session.create_sender(Q), session.create_sender(Queue("answers"))
    recorder = Recorder(lambda message: answers.send(message.body))
    sender.send("x", completion_listener=recorder)
    wait_for(lambda: recorder.told)
    assert recorder.problems == []
    assert len(server.broker.boxes["queue://answers"]) == 1


def test_observers_and_completion_listeners_take_turns(connection: Connection) -> None:
    session = connection.create_session()
    sender = session.create_sender(Queue("out"))
    inside = threading.Lock()
    clashes: list[str] = []
    told: list[object] = []

    def alone(who: object) -> None:
        if not inside.acquire(blocking=False):
            clashes.append(str(who))
            return
        inside.release()

    completed = Recorder(alone)

    def observer(message: Message) -> None:
        with inside:
            sender.send(message.body, completion_listener=completed)
        told.append(message.body)

    session.create_receiver(Q).attach(observer)
    connection.create_session().create_sender(Q).send_many(f"{number}" for number in range(200))
    wait_for(lambda: len(told) == len(completed.told) == 200)
    assert clashes == []


def test_an_observer_that_commits_lets_completion_listeners_run(connection: Connection, server: FakeServer) -> None:
    session = connection.create_session(transacted=True)
    sender = session.create_sender(Queue("out"))
    completed = Recorder()
    order: list[str] = []

    def observer(message: Message) -> None:
        sender.send(message.body, completion_listener=completed)
        session.commit()
        order.append(f"{message.body} {len(completed.told)}")

    session.create_receiver(Q).attach(observer)
    connection.create_session().create_sender(Q).send_many(["a", "b"])
    wait_for(lambda: len(order) == 2)
    assert order == ["a 1", "b 2"]
    assert len(server.broker.boxes["queue://out"]) == 2


def test_a_listener_that_fails_is_logged_and_the_next_is_told(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Recorder):
        def on_completion(self, message: Message) -> None:
            super().on_completion(message)
            raise ValueError("no")

    failing = Failing()
    with connection.create_session() as session:
        sender = session.create_sender(Q)
        sender.send("a", completion_listener=failing)
        sender.send("b", completion_listener=failing)
    assert [body for body, _ in failing.told] == ["a", "b"]
    assert "a completion listener failed" in caplog.text


def test_a_lost_server_is_told_to_the_listener(
    factory: ConnectionFactory, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """§7.3: closing lets sends complete, for as long as it waits for anything; then their outcome is unknown."""
    monkeypatch.setattr(connection_module, "CLOSE_TIMEOUT", 0.1)
    connection = factory.create_connection()
    recorder = Recorder()
    sender = connection.create_session().create_sender(Q)
    server.stop()
    sender.send("x", completion_listener=recorder)
    with pytest.raises(ConnectionFailedError):
        connection.close()
    assert [type(error) for _, error in recorder.told] == [ConnectionFailedError]


def test_no_more_than_max_in_flight(factory: ConnectionFactory) -> None:
    recorder = Recorder()
    with factory.create_connection(max_in_flight=10) as connection:
        sender = connection.create_session().create_sender(Q)
        for number in range(100):
            sender.send(f"{number}", completion_listener=recorder)
            assert connection._outbox.unconfirmed <= 10
    assert [body for body, _ in recorder.told] == [f"{number}" for number in range(100)]
