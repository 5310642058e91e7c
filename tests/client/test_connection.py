"""Connections against the fake server: delivery, start and stop, clocks, closing (Jakarta Messaging 3.1 §6.1)."""

from __future__ import annotations

import threading
import time

import pytest
from support.fake_server import FakeServer
from support.waiting import wait_for

from rmimom.client import delivery as delivery_module
from rmimom.client.connection import Connection
from rmimom.client.event import ConnectionEvent
from rmimom.client.factory import ConnectionFactory
from rmimom.destination import Queue
from rmimom.errors import (
    ConfigurationError,
    ConnectionFailedError,
    IllegalStateError,
    InvalidClientIDError,
    JMSSecurityError,
)


@pytest.mark.parametrize("delivery", ["auto", "callback", "pull"])
def test_publish_and_receive(factory: ConnectionFactory, server: FakeServer, delivery: str) -> None:
    with factory.create_connection("app", "secret", delivery=delivery) as connection:
        session = connection.create_session()
        quakes = session.topic("earthquakes")
        subscriber = session.create_subscriber(quakes)
        session.create_publisher(quakes).publish("M 5.1, Alaska", properties={"magnitude": 5.1}, priority=7)
        message = subscriber.receive(timeout=60)
        assert message is not None
        assert message.body == "M 5.1, Alaska"
        assert message.properties == {"magnitude": 5.1}
        assert message.priority == 7
        assert message.destination == quakes
        assert message.delivery_count == 1
        assert connection.delivery == ("pull" if delivery == "pull" else "callback")
        assert connection.server == "fake/1"
    assert server.broker.acknowledged == [1]


def test_auto_falls_back_to_pull(factory: ConnectionFactory, server: FakeServer) -> None:
    server.no_callbacks = True
    with factory.create_connection() as connection:
        session = connection.create_session()
        queue = session.queue("q")
        receiver = session.create_receiver(queue)
        assert connection.delivery == "pull"
        session.create_sender(queue).send("x")
        message = receiver.receive(60)
        assert message is not None
        assert message.body == "x"
    assert server.calls["deliver_to"] == 1


def test_auto_falls_back_to_pull_when_there_is_no_port(
    factory: ConnectionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_port(*_: object) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(delivery_module, "CallbackServer", no_port)
    with factory.create_connection() as connection:
        session = connection.create_session()
        session.create_receiver(session.queue("q"))
        assert connection.delivery == "pull"
    with factory.create_connection(delivery="callback") as connection:
        session = connection.create_session()
        with pytest.raises(ConnectionFailedError, match="no port for callbacks"):
            session.create_receiver(session.queue("q"))


def test_callback_that_cannot_be_is_an_error(factory: ConnectionFactory, server: FakeServer) -> None:
    server.no_callbacks = True
    with factory.create_connection(delivery="callback") as connection:
        session = connection.create_session()
        with pytest.raises(ConnectionFailedError, match="cannot be called"):
            session.create_receiver(session.queue("q"))


@pytest.mark.parametrize("delivery", ["callback", "pull"])
def test_many_messages_in_order(factory: ConnectionFactory, server: FakeServer, delivery: str) -> None:
    server.repeat_batches = 2  # each batch is pushed twice, as after a lost answer
    with factory.create_connection(delivery=delivery) as connection:
        session = connection.create_session()
        queue = session.queue("q")
        receiver = session.create_receiver(queue, prefetch=300)
        sender = session.create_sender(queue)
        assert sender.send_many(str(number) for number in range(3000)) == 3000
        got = [receiver.receive(60) for _ in range(3000)]
        assert [message.body for message in got if message] == [str(number) for number in range(3000)]
        assert receiver.receive(0.05) is None
    assert server.broker.acknowledged == sorted(server.broker.acknowledged)
    assert len(server.broker.acknowledged) == 3000


def test_a_connection_begins_started_unless_told(factory: ConnectionFactory) -> None:
    """§6.1.4: messages wait until the connection is started; sending does not."""
    with factory.create_connection(start=False) as connection:
        session = connection.create_session()
        queue = session.queue("q")
        receiver = session.create_receiver(queue)
        session.create_sender(queue).send("x")
        wait_for(lambda: receiver._intake.waiting)
        assert receiver.receive_no_wait() is None
        assert receiver.receive(0.05) is None
        connection.start()
        message = receiver.receive(60)
        assert message is not None
        connection.stop()
        session.create_sender(queue).send("y")
        wait_for(lambda: receiver._intake.waiting)
        assert receiver.receive_no_wait() is None
        waiting = threading.Timer(0.05, connection.start)
        waiting.start()
        message = receiver.receive(60)
        assert message is not None
        assert message.body == "y"
        waiting.join()


def test_stop_waits_for_a_running_observer(factory: ConnectionFactory) -> None:
    """§6.1.5: stop does not return while a listener runs."""
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()

    def slow(_: object) -> None:
        entered.set()
        leave.wait(60)
        left.set()

    with factory.create_connection() as connection:
        session = connection.create_session()
        queue = session.queue("q")
        session.create_receiver(queue).attach(slow)
        connection.create_session().create_sender(queue).send("x")
        assert entered.wait(60)
        threading.Timer(0.05, leave.set).start()
        connection.stop()
        assert left.is_set()


def test_times_are_those_of_the_server(factory: ConnectionFactory, server: FakeServer) -> None:
    server.clock_ahead = 3_600_000
    with factory.create_connection() as connection:
        session = connection.create_session()
        queue = session.queue("q")
        receiver = session.create_receiver(queue)
        session.create_sender(queue).send("x", time_to_live=10, delivery_delay=1)
        message = receiver.receive(60)
        assert message is not None
        now = time.time_ns() // 1_000_000
        assert abs(message.timestamp - now - 3_600_000) < 10_000
        assert message.expiration == message.timestamp + 10_000
        assert message.delivery_time == message.timestamp + 1000


def test_closing_settles_what_is_under_way(factory: ConnectionFactory, server: FakeServer) -> None:
    connection = factory.create_connection()
    session = connection.create_session()
    queue = session.queue("q")
    receiver = session.create_receiver(queue)
    receipts = [session.create_sender(queue).send_async(str(number)) for number in range(100)]
    message = receiver.receive(60)
    assert message is not None
    connection.close()
    connection.close()
    assert all(receipt.done() and receipt.exception() is None for receipt in receipts)
    assert 1 in server.broker.acknowledged
    assert server.calls["close"] == 1
    assert "closed" in repr(connection)


def test_what_is_closed_says_so(factory: ConnectionFactory) -> None:
    """§6.1.8: a closed object raises IllegalStateError, except that closing twice is harmless."""
    connection = factory.create_connection()
    session = connection.create_session()
    queue = session.queue("q")
    sender, receiver = session.create_sender(queue), session.create_receiver(queue)
    sender.close()
    sender.close()
    with pytest.raises(IllegalStateError, match="this Sender is closed"):
        sender.send("x")
    receiver.close()
    receiver.close()
    with pytest.raises(IllegalStateError, match="this Receiver of queue://q is closed"):
        receiver.receive()
    session.close()
    session.close()
    with pytest.raises(IllegalStateError, match="the session is closed"):
        session.create_sender(queue)
    connection.close()
    for call in (connection.create_session, connection.start, connection.stop):
        with pytest.raises(IllegalStateError, match="the connection is closed"):
            call()
    with pytest.raises(IllegalStateError, match="connection is closed"):
        session.create_receiver(queue)


def test_closing_ends_a_receive_in_another_thread(factory: ConnectionFactory) -> None:
    connection = factory.create_connection()
    session = connection.create_session()
    receiver = session.create_receiver(session.queue("q"))
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(receiver.receive()))
    thread.start()
    connection.close()
    thread.join(60)
    assert got == [None]


def test_events(factory: ConnectionFactory) -> None:
    events: list[ConnectionEvent] = []
    connection = factory.create_connection()
    connection.on_event(lambda event: 1 / 0)
    connection.on_event(events.append)
    connection.close()
    assert [event.kind for event in events] == ["closed"]


def test_an_event_names_the_server(factory: ConnectionFactory, server: FakeServer) -> None:
    events: list[ConnectionEvent] = []
    with factory.create_connection() as connection:
        connection.on_event(events.append)
        server.epoch = 2
        server.cut()
        connection.create_session().create_sender(Queue("q")).send("x")
        wait_for(lambda: events and events[-1].kind == "restored")
    here = f"127.0.0.1:{server.port}"
    told = [(event.kind, event.address, event.server_id, event.epoch, event.error is not None) for event in events]
    # The server may be lost once more before it is found again for good.
    assert told[:2] == [("lost", here, "fake", 1, True), ("restored", here, "fake", 2, False)]
    assert told[-1] == ("closed", here, "fake", 2, False)


def test_client_ids(factory: ConnectionFactory) -> None:
    """§6.1.2: a client id is connected once at a time; a user as often as it likes."""
    with factory.create_connection("app", "x", client_id="one") as connection:
        assert connection.client_id == "one"
        with pytest.raises(InvalidClientIDError):
            factory.create_connection("app", "x", client_id="one")
        with factory.create_connection("app", "x") as other, factory.create_connection("app", "x") as third:
            assert other.client_id == third.client_id == "app"


def test_a_wrong_password(factory: ConnectionFactory, server: FakeServer) -> None:
    server.passwords["app"] = "secret"
    with pytest.raises(JMSSecurityError, match="'app' is unknown, or the password is wrong"):
        factory.create_connection("app", "wrong")


def test_a_server_that_is_silent_for_long_is_pinged(factory: ConnectionFactory, server: FakeServer) -> None:
    server.heartbeat = 0.02
    with factory.create_connection():
        wait_for(lambda: server.calls["ping"] >= 2)


@pytest.mark.parametrize("settings", [{"delivery": "pigeon"}, {"max_in_flight": 0}])
def test_settings_that_cannot_be(factory: ConnectionFactory, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        factory.create_connection(**settings)  # type: ignore[arg-type]


def test_threads_end_with_the_connection(factory: ConnectionFactory) -> None:
    def ours() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("rmimom-")]

    wait_for(lambda: not ours())
    connections: list[Connection] = []
    for delivery in ("callback", "pull"):
        connection = factory.create_connection(delivery=delivery)
        session = connection.create_session()
        session.create_receiver(session.queue("q")).attach(lambda message: None)
        connections.append(connection)
    assert len(ours()) == 6
    for connection in connections:
        connection.close()
    wait_for(lambda: not ours())


def test_the_client_id_is_set_before_anything_else(factory: ConnectionFactory, server: FakeServer) -> None:
    """T:93-95, T:198: once, first thing; one in use is refused and the connection goes on."""
    with factory.create_connection("app") as connection, factory.create_connection(client_id="taken"):
        with pytest.raises(InvalidClientIDError, match="in use"):
            connection.client_id = "taken"
        with pytest.raises(InvalidClientIDError, match="at least one character"):
            connection.client_id = ""
        assert connection.client_id == "app"
        connection.client_id = "mine"
        assert connection.client_id == "mine"
        wait_for(lambda: sorted(found.client_id for found in server.connections) == ["mine", "taken"])
        with pytest.raises(IllegalStateError, match="has the client id 'mine' already"):
            connection.client_id = "other"
        connection.create_session().create_sender(Queue("q")).send("x")
    connection = factory.create_connection()
    connection.close()
    with pytest.raises(IllegalStateError, match="closed"):
        connection.client_id = "late"


@pytest.mark.parametrize("act", ["create_session", "start", "stop"])
def test_the_client_id_cannot_be_set_later(act: str, factory: ConnectionFactory) -> None:
    """T:93: IllegalStateError after any other action."""
    with factory.create_connection() as connection:
        getattr(connection, act)()
        with pytest.raises(IllegalStateError, match="before anything else"):
            connection.client_id = "late"


def test_a_client_id_of_the_factory(server: FakeServer) -> None:
    """T:95: one that was set by administration cannot be changed."""
    factory = ConnectionFactory(uri=server.uri, client_id="fixed")
    with pytest.raises(IllegalStateError, match="'fixed' and no other"):
        factory.create_connection(client_id="other")
    with factory.create_connection() as connection:
        assert connection.client_id == "fixed"
        with pytest.raises(IllegalStateError, match="already"):
            connection.client_id = "other"
        with pytest.raises(InvalidClientIDError, match="in use"):
            factory.create_connection()
