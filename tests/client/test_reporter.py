"""The exception listener (Jakarta Messaging 3.1 §6.1.7; T:187, T:200)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.reporter import Reporter
from rmimom.destination import Queue
from rmimom.errors import ConnectionFailedError, IllegalStateError, InvalidDestinationError, JMSError
from rmimom.frame import ConsumerEnd

Q = Queue("q")


@pytest.fixture
def connection(factory: ConnectionFactory) -> Iterator[Connection]:
    with factory.create_connection(reconnect_timeout=0.1) as made:
        yield made


def close_consumer(server: FakeServer, number: int) -> None:
    with server.broker.lock:
        server.connections[0].ended.append(
            ConsumerEnd(number, InvalidDestinationError("the queue was deleted").to_dict())
        )
        server.broker.lock.notify_all()


def test_errors_are_told_one_at_a_time_in_order() -> None:
    """T:200: the listener is serialised."""
    inside, told = threading.Lock(), []

    class Listener:
        def on_exception(self, error: JMSError) -> None:
            assert inside.acquire(blocking=False)
            told.append(error.text)
            inside.release()
            if error.text == "1":
                raise ValueError("no matter")

    reporter = Reporter()
    reporter.report(JMSError("nobody listens"))
    reporter.listener = Listener()
    for number in range(100):
        reporter.report(JMSError(f"{number}"))
    wait_for(lambda: len(told) == 100)
    assert told == [f"{number}" for number in range(100)]
    reporter.end()
    reporter.report(JMSError("too late"))
    assert len(told) == 100


def test_a_server_lost_for_too_long_is_told_and_the_listener_may_close(
    connection: Connection, server: FakeServer
) -> None:
    """T:187: the provider tells of a problem that it cannot resolve itself."""
    told: list[JMSError] = []
    closed = threading.Event()

    def listener(error: JMSError) -> None:
        told.append(error)
        connection.close()
        closed.set()

    connection.exception_listener = listener
    assert connection.exception_listener is listener
    server.stop()
    connection._keeper.suspect()
    assert closed.wait(20)
    assert isinstance(told[0], ConnectionFailedError)


def test_a_consumer_with_observers_that_the_server_closed_is_told(connection: Connection, server: FakeServer) -> None:
    """And one without is not: its `receive` raises the error."""
    told: list[JMSError] = []
    connection.exception_listener = told.append
    observed = connection.create_session().create_receiver(Q)
    observed.attach(print)
    plain = connection.create_session().create_receiver(Q)
    close_consumer(server, plain._number)
    with pytest.raises(InvalidDestinationError):
        plain.receive(60)
    assert told == []
    close_consumer(server, observed._number)
    wait_for(lambda: told)
    assert isinstance(told[0], InvalidDestinationError)


def test_an_acknowledgement_that_nobody_waits_for(connection: Connection) -> None:
    told: list[JMSError] = []
    connection.exception_listener = told.append
    connection._exchange.on_refusal(IllegalStateError("no such consumer"))
    wait_for(lambda: told)


def test_what_cannot_be_told(connection: Connection) -> None:
    with pytest.raises(TypeError, match="no exception listener"):
        connection.exception_listener = 5  # type: ignore[assignment]
    connection.exception_listener = None
    connection.close()
    with pytest.raises(IllegalStateError, match="the connection is closed"):
        connection.exception_listener = print
