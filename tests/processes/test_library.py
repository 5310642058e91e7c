"""The client library against a real server and a real name server, as an application would use it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.processes import TIME_LIMIT, ServerProcess, clean_environment, start_name_server, start_server, wait_for

from rmimom import (
    Connection,
    ConnectionFactory,
    ConnectionFailedError,
    InvalidClientIDError,
    InvalidDestinationError,
    InvalidSelectorError,
    JMSError,
    JMSSecurityError,
    Message,
    MessageFormatError,
    MessageTooLargeError,
    StoreFullError,
)
from rmimom.client.callback import CallbackServer
from rmimom.client.consumer import Consumer

WAYS = pytest.mark.parametrize("delivery", ["callback", "pull", "auto"])


@contextmanager
def connected(server: ServerProcess, user: str = "app", password: str = "", **settings: Any) -> Iterator[Connection]:
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
    with factory.create_connection(user, password, **settings) as connection:
        yield connection


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "data", "--callback-timeout", "1", "--heartbeat", "0.5") as running:
        yield running


def bodies(consumer: Consumer, count: int) -> list[object]:
    """Receive so many; None stands for one that did not come."""
    received = [consumer.receive(timeout=TIME_LIMIT) for _ in range(count)]
    return [message.body if message is not None else None for message in received]


def queue_counters(server: ServerProcess, name: str) -> dict[str, Any]:
    with server.administration() as administration:
        found: list[dict[str, Any]] = [entry for entry in administration.queues() if entry["name"] == name]
    return found[0]


@WAYS
def test_each_way_of_delivery(delivery: str, server: ServerProcess) -> None:
    with connected(server, delivery=delivery) as connection:
        session = connection.create_session()
        quakes = session.topic("earthquakes")
        subscriber = session.create_subscriber(quakes)
        assert connection.delivery == ("pull" if delivery == "pull" else "callback")
        publisher = session.create_publisher(quakes)
        publisher.publish("M 5.1, Alaska", properties={"magnitude": 5.1}, priority=7)
        message = subscriber.receive(timeout=TIME_LIMIT)
        assert message is not None
        assert (message.body, message.properties["magnitude"], message.priority) == ("M 5.1, Alaska", 5.1, 7)
        publisher.publish_many(f"{number}" for number in range(2000))
        assert bodies(subscriber, 2000) == [f"{number}" for number in range(2000)]
        heard: list[object] = []
        subscriber.attach(lambda message: heard.append(message.body))
        connection.create_session().create_publisher(quakes).publish("heard")
        wait_for(lambda: heard == ["heard"], "message")


def test_auto_takes_the_second_way_where_the_server_cannot_call(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind NAT or in a container: the address at which the client listens leads nowhere for the server."""
    offer = CallbackServer.offer

    def offer_elsewhere(*arguments: Any) -> str:
        offer(*arguments)
        return "PYRO:nobody@127.0.0.1:1"

    monkeypatch.setattr(CallbackServer, "offer", offer_elsewhere)
    with connected(server, delivery="auto") as connection:
        session = connection.create_session()
        work = session.queue("work")
        receiver = session.create_receiver(work)
        assert connection.delivery == "pull"
        session.create_sender(work).send("all the same")
        assert bodies(receiver, 1) == ["all the same"]
    with connected(server, delivery="callback") as connection:
        session = connection.create_session()
        with pytest.raises(ConnectionFailedError, match="PYRO:nobody@127"):
            session.create_receiver(work)


@WAYS
def test_a_server_that_is_killed_is_found_again(delivery: str, tmp_path: Path) -> None:
    """The application sees a pause, not an error, and nothing confirmed is lost or comes twice."""
    with start_name_server() as names:
        with start_server(tmp_path / "data", nameserver=names.location) as first:
            connection = ConnectionFactory(names.location).create_connection("app", "", delivery=delivery)
            session = connection.create_session()
            events: list[str] = []
            connection.on_event(lambda event: events.append(event.kind))
            work, news = session.queue("work"), session.topic("news")
            receiver = session.create_receiver(work)
            subscriber = session.create_subscriber(news, durable="archive")
            sender, publisher = session.create_sender(work), session.create_publisher(news)
            sender.send_many(range(100))
            publisher.publish_many(range(100))
            assert bodies(receiver, 50) == list(range(50))
            first.kill()
        receipts = [sender.send_async(number) for number in range(100, 150)]
        with start_server(tmp_path / "data", nameserver=names.location), connection:
            sender.flush(TIME_LIMIT)
            assert all(receipt.done() and receipt.exception() is None for receipt in receipts)
            assert bodies(receiver, 100) == list(range(50, 150))
            assert bodies(subscriber, 100) == list(range(100))
            assert receiver.receive_no_wait() is None
            assert subscriber.receive_no_wait() is None
            wait_for(lambda: events[:2] == ["lost", "restored"], "news")


@pytest.mark.parametrize("restart", [False, True])
def test_selectors(restart: bool, tmp_path: Path) -> None:
    """A backlog that rests on disk is examined too; what a receiver does not select stays for others."""
    data, options = tmp_path / "data", ("--resident-bytes", "0")
    magnitudes = [3.9, 4.5, 5.1, 2.0, 4.4, 6.3]
    with start_server(data, *options) as server, connected(server) as connection:
        session = connection.create_session()
        quakes, work = session.topic("quakes"), session.queue("work")
        subscriber = session.create_subscriber(quakes, selector="magnitude >= 4.5")
        durable = session.create_subscriber(quakes, durable="strong", selector="magnitude >= 4.5 AND net = 'ak'")
        durable.close()
        publisher, sender = session.create_publisher(quakes), session.create_sender(work)
        for magnitude in magnitudes:
            publisher.publish(magnitude, properties={"magnitude": magnitude, "net": "ak" if magnitude > 5 else "ci"})
            sender.send(magnitude, properties={"magnitude": magnitude})
        assert bodies(subscriber, 3) == [4.5, 5.1, 6.3]
        assert subscriber.receive_no_wait() is None
        for wrong in ("magnitude >=", "magnitude = 'a' + 1"):
            with pytest.raises(InvalidSelectorError, match="the selector is wrong at column"):
                session.create_receiver(work, selector=wrong)
        if restart:
            server.kill()
        else:
            check_backlog(server, magnitudes)
    if restart:
        with start_server(data, *options) as server:
            check_backlog(server, magnitudes)


def check_backlog(server: ServerProcess, magnitudes: list[float]) -> None:
    with connected(server) as connection:
        session = connection.create_session()
        durable = session.create_subscriber(
            session.topic("quakes"), durable="strong", selector="magnitude >= 4.5 AND net = 'ak'"
        )
        assert bodies(durable, 2) == [5.1, 6.3]
        strong = session.create_receiver(session.queue("work"), selector="magnitude >= 4.5")
        assert bodies(strong, 3) == [4.5, 5.1, 6.3]
        wait_for(lambda: queue_counters(server, "work")["pending"] == 3, "acknowledgements")
        weak = session.create_receiver(session.queue("work"), selector="magnitude < 3")
        assert bodies(weak, 1) == [2.0]
        rest = session.create_receiver(session.queue("work"))
        assert bodies(rest, 2) == [3.9, 4.4]
        assert rest.receive_no_wait() is None


WORKER = """
import sys
from rmimom import AcknowledgeMode, ConnectionFactory

connection = ConnectionFactory(uri=sys.argv[1]).create_connection("worker", "", delivery=sys.argv[2])
session = connection.create_session(AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE)
receiver = session.create_receiver(session.queue("work"))
for _ in range(3):
    message = receiver.receive()
    message.acknowledge()
    print(message.body, flush=True)
message = receiver.receive()
print("working", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("delivery", ["callback", "pull"])
@pytest.mark.parametrize("end", ["killed", "hanging"])
def test_a_worker_that_dies_or_hangs_with_a_batch(
    delivery: str, end: str, server: ServerProcess, tmp_path: Path
) -> None:
    """What it acknowledged is gone, the rest goes to another in order, what it worked on flagged."""
    with connected(server) as connection:
        session = connection.create_session()
        work = session.queue("work")
        session.create_sender(work).send_many(range(10))
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, server.uri("rmimom.ConnectionFactory"), delivery],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(tmp_path),
        )
        try:
            assert worker.stdout is not None
            assert worker.stdin is not None
            with worker.stdout as output, worker.stdin:
                assert [output.readline() for _ in range(4)] == ["0\n", "1\n", "2\n", "working\n"]
                receiver = session.create_receiver(work)
                assert receiver.receive_no_wait() is None
                worker.send_signal(signal.SIGKILL if end == "killed" else signal.SIGSTOP)
                received = [receiver.receive(timeout=TIME_LIMIT) for _ in range(7)]
                assert [message.body for message in received if message] == list(range(3, 10))
                assert received[0] is not None
                assert (received[0].redelivered, received[0].delivery_count) == (True, 2)
        finally:
            worker.kill()
            worker.wait()


def test_bad_input_is_refused_and_the_connection_stays(tmp_path: Path) -> None:
    with (
        start_server(tmp_path / "data", "--no-auto-create", "--max-message-size", "64KiB") as server,
        connected(server) as connection,
    ):
        with server.administration() as administration:
            administration.create("queue", "work")
        session = connection.create_session()
        work = session.queue("work")
        sender = session.create_sender(work)
        with pytest.raises(InvalidDestinationError, match="nothing"):
            session.create_sender(session.queue("nothing")).send("x")
        with pytest.raises(InvalidDestinationError, match="nothing"):
            session.create_receiver(session.queue("nothing"))
        with pytest.raises(InvalidDestinationError, match="nothing"):
            session.create_subscriber(session.topic("nothing"), durable="d")
        for name in ("", "a b", "a*", "x" * 256, "rmimom.mine", 'a"b', "a\nb"):
            with pytest.raises(InvalidDestinationError):
                session.create_sender(session.queue(name)).send("x")
        with pytest.raises(MessageTooLargeError, match="65536"):
            sender.send("x" * 70_000)
        with pytest.raises(MessageTooLargeError, match="65536"):
            sender.send_async("x" * 70_000).result(TIME_LIMIT)
        with pytest.raises(MessageFormatError, match="places"):
            sender.send("x", properties={"places": ["Alaska"]})
        with pytest.raises(MessageFormatError, match="priority"):
            sender.send("x", priority=10)
        with pytest.raises(MessageFormatError, match="object"):
            sender.send(object())
        receiver = session.create_receiver(work)
        sender.send("fine")
        assert bodies(receiver, 1) == ["fine"]
        assert receiver.receive_no_wait() is None


def test_while_the_reserve_of_the_disk_is_touched_only_sends_are_refused(tmp_path: Path) -> None:
    with start_server(tmp_path / "data") as server, connected(server) as connection:
        session = connection.create_session()
        session.create_sender(session.queue("work")).send_many(range(10))
        session.create_subscriber(session.topic("news"), durable="archive").close()
        server.kill()
    with start_server(tmp_path / "data", "--disk-reserve", "1000000GiB") as server, connected(server) as connection:
        server.wait_logged("sends are refused until there is room")
        session = connection.create_session()
        work, news = session.queue("work"), session.topic("news")
        for send in (session.create_sender(work).send, session.create_publisher(news).publish):
            with pytest.raises(StoreFullError, match="send again when there is room"):
                send("x")
        with pytest.raises(StoreFullError):
            session.create_sender(work).send_async("x").result(TIME_LIMIT)
        assert bodies(session.create_receiver(work), 10) == list(range(10))
        wait_for(lambda: queue_counters(server, "work")["pending"] == 0, "acknowledgements")
    with start_server(tmp_path / "data") as server:
        assert "recovered    0 messages, 1 queue, 1 topic, 1 durable subscription in" in server.output


def test_the_name_server_goes_and_those_connected_stay(tmp_path: Path) -> None:
    with start_name_server() as names, start_server(tmp_path / "data", nameserver=names.location) as server:
        factory = ConnectionFactory(names.location)
        with factory.create_connection("app", "") as connection:
            session = connection.create_session()
            work = session.queue("work")
            sender, receiver = session.create_sender(work), session.create_receiver(work)
            names.kill()
            sender.send("all the same")
            assert bodies(receiver, 1) == ["all the same"]
            with pytest.raises(ConnectionFailedError, match=names.location):
                ConnectionFactory(names.location).create_connection("other", "", connect_timeout=0.1)
            server.wait_logged("no name server answers")
        with start_name_server(port=names.port) as empty:
            wait_for(lambda: "rmimom.queue.work" in empty.names(), "name")
            with ConnectionFactory(names.location).create_connection("other", "") as other:
                assert other.server.startswith("rmimom/")


def test_a_wrong_password(server: ServerProcess) -> None:
    with server.administration() as administration:
        administration.put_user("ann", "a long password")
    with connected(server, "ann", "a long password") as connection:
        connection.create_session()
    for user, password in (("ann", "guess"), ("ann", ""), ("bob", "a long password"), ("", "")):
        with pytest.raises(JMSSecurityError):
            connected(server, user, password).__enter__()


def test_client_id_completion_listener_and_bodies(server: ServerProcess) -> None:
    """§6.1.2, §7.3, §8.6 with the real server."""

    class Listener:
        def __init__(self) -> None:
            self.told: list[object] = []

        def on_completion(self, message: Message) -> None:
            self.told.append(message.body)

        def on_exception(self, message: Message, error: JMSError) -> None:
            self.told.append(error)

    with connected(server) as first, connected(server) as second:
        first.client_id = "mine"
        with pytest.raises(InvalidClientIDError):
            second.client_id = "mine"
        second.client_id = "another"
        session = second.create_session()
        sender, receiver = session.create_sender(session.queue("work")), session.create_receiver(session.queue("work"))
        listener = Listener()
        sender.disable_message_id = True
        for number in range(100):
            sender.send(f"{number}", completion_listener=listener)
        sender.close()
        assert listener.told == [f"{number}" for number in range(100)]
        with pytest.raises(MessageFormatError):
            receiver.receive_body(bytes, timeout=TIME_LIMIT)
        assert [receiver.receive_body(str, timeout=TIME_LIMIT) for _ in range(100)] == listener.told
    with connected(server, client_id="mine"):
        pass
