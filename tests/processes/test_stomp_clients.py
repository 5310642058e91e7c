"""stomp.py, unchanged, against a real server: the programs of the lecture and more."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stomp
from support.processes import TIME_LIMIT, ServerProcess, start_server

from rmimom import ConnectionFactory

VERSIONS = pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
KINDS = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}


class Heard(stomp.ConnectionListener):  # type: ignore[misc]  # stomp.py has no types
    """Keeps what a connection hears."""

    def __init__(self) -> None:
        self.messages: queue.Queue[Any] = queue.Queue()
        self.errors: queue.Queue[Any] = queue.Queue()
        self.receipts: queue.Queue[str] = queue.Queue()
        self.lost: queue.Queue[None] = queue.Queue()

    def on_message(self, frame: Any) -> None:
        self.messages.put(frame)

    def on_error(self, frame: Any) -> None:
        self.errors.put(frame)

    def on_receipt(self, frame: Any) -> None:
        self.receipts.put(frame.headers["receipt-id"])

    def on_disconnected(self) -> None:
        self.lost.put(None)

    def message(self) -> Any:
        return self.messages.get(timeout=TIME_LIMIT)

    def bodies(self, count: int) -> list[str]:
        return [self.message().body for _ in range(count)]

    def wait_receipt(self, receipt: str) -> None:
        assert self.receipts.get(timeout=TIME_LIMIT) == receipt


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with start_server(tmp_path / "data", "--stomp", "127.0.0.1:0") as running:
        yield running


@contextmanager
def connected(server: ServerProcess, version: str = "1.1", **options: Any) -> Iterator[tuple[Any, Heard]]:
    login = {name: options.pop(name) for name in ("username", "passcode", "headers") if name in options}
    connection = KINDS[version]([("127.0.0.1", server.stomp_port)], **options)
    heard = Heard()
    connection.set_listener("test", heard)
    connection.connect(wait=True, **login)
    try:
        yield connection, heard
    finally:
        if connection.is_connected():
            connection.disconnect()


@VERSIONS
def test_a_queue_as_in_the_lecture(version: str, server: ServerProcess) -> None:
    with connected(server, version) as (receiver, heard), connected(server, version) as (sender, _):
        receiver.subscribe(destination="/queue/test", id=1, ack="auto")
        sender.send("/queue/test", "test message")
        frame = heard.message()
        assert (frame.cmd, frame.body) == ("MESSAGE", "test message")
        assert frame.headers["destination"] == "/queue/test"


def test_a_message_waits_for_its_receiver(server: ServerProcess) -> None:
    with connected(server) as (sender, _):
        sender.send("/queue/test", "test message")
    with connected(server) as (receiver, heard):
        receiver.subscribe(destination="/queue/test", id=1, ack="auto")
        assert heard.message().body == "test message"


@VERSIONS
def test_a_topic_as_in_the_lecture(version: str, server: ServerProcess) -> None:
    with connected(server, version) as (one, first), connected(server, version) as (two, second):
        for number, (connection, heard) in enumerate([(one, first), (two, second)]):
            connection.subscribe(destination="/topic/test", id=1, ack="auto", receipt=f"r{number}")
            heard.wait_receipt(f"r{number}")
        one.send("/topic/test", "test message")
        assert first.message().body == second.message().body == "test message"


@VERSIONS
def test_transactions_as_in_the_lecture(version: str, server: ServerProcess) -> None:
    with connected(server, version) as (conn, heard):
        conn.subscribe("/queue/test", id=5)
        txid = conn.begin()
        for body in ("test1", "test2", "test3"):
            conn.send("/queue/test", body, transaction=txid)
        conn.commit(txid)
        assert heard.bodies(3) == ["test1", "test2", "test3"]
        aborted = conn.begin()
        conn.send("/queue/test", "test4", transaction=aborted)
        conn.abort(aborted)
        conn.send("/queue/test", "after")
        assert heard.bodies(1) == ["after"]


@VERSIONS
def test_what_was_not_acknowledged_comes_again_in_order(version: str, server: ServerProcess) -> None:
    with connected(server, version) as (conn, heard):
        for number in range(5):
            conn.send("/queue/work", str(number))
        conn.subscribe("/queue/work", id=1, ack="client-individual")
        frames = [heard.message() for _ in range(5)]
        _ack(conn, version, frames[1])
    with connected(server, version) as (conn, heard):
        conn.subscribe("/queue/work", id=1, ack="client")
        frames = [heard.message() for _ in range(4)]
        assert [frame.body for frame in frames] == ["0", "2", "3", "4"]
        assert {frame.headers["redelivered"] for frame in frames} == {"true"}
        _ack(conn, version, frames[2])
    with connected(server, version) as (conn, heard):
        conn.subscribe("/queue/work", id=1, ack="auto")
        assert heard.bodies(1) == ["4"]


def _ack(conn: Any, version: str, frame: Any, **headers: str) -> None:
    if version == "1.0":
        conn.ack(frame.headers["message-id"], **headers)
    elif version == "1.1":
        conn.ack(frame.headers["message-id"], frame.headers["subscription"], **headers)
    else:
        conn.ack(frame.headers["ack"], **headers)


def test_an_ack_in_a_transaction_that_is_aborted_can_be_given_again(server: ServerProcess) -> None:
    with connected(server, "1.2") as (conn, heard):
        conn.send("/queue/work", "a")
        conn.subscribe("/queue/work", id=1, ack="client-individual")
        frame = heard.message()
        conn.begin("t")
        conn.ack(frame.headers["ack"], "t")
        conn.abort("t")
        conn.ack(frame.headers["ack"], receipt="done")
        heard.wait_receipt("done")


def test_nack_makes_a_dead_letter(server: ServerProcess) -> None:
    with connected(server, "1.2") as (conn, heard):
        conn.send("/queue/work", "a", persistent="true")
        conn.subscribe("/queue/work", id=1, ack="client-individual")
        conn.subscribe("/queue/DLQ.work", id=2)
        conn.nack(heard.message().headers["ack"])
        dead = heard.message()
        assert (dead.body, dead.headers["original-destination"]) == ("a", "/queue/work")


def test_a_durable_subscription_gets_what_came_while_it_was_away(server: ServerProcess) -> None:
    durable = {"activemq.subscriptionName": "news"}
    with connected(server, headers={"client-id": "laptop"}) as (conn, heard):
        conn.subscribe("/topic/news", id=1, headers=durable, receipt="r")
        heard.wait_receipt("r")
    with connected(server) as (other, heard):
        other.send("/topic/news", "missed", persistent="true", receipt="s")
        heard.wait_receipt("s")
    with connected(server, headers={"client-id": "laptop"}) as (conn, heard):
        conn.subscribe("/topic/news", id=1, headers=durable)
        assert heard.bodies(1) == ["missed"]
        conn.unsubscribe(id=1, headers=durable, receipt="u")
        heard.wait_receipt("u")


def test_heart_beats_keep_an_idle_connection(server: ServerProcess) -> None:
    with connected(server, "1.2", heartbeats=(1000, 1000)) as (conn, heard):
        beats: queue.Queue[None] = queue.Queue()
        heard.on_heartbeat = lambda: beats.put(None)
        for _ in range(3):
            beats.get(timeout=TIME_LIMIT)
        conn.subscribe("/queue/a", id=1)
        conn.send("/queue/a", "still here")
        assert heard.bodies(1) == ["still here"]


def test_a_persistent_message_survives_a_kill(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--stomp", "127.0.0.1:0") as server, connected(server) as (conn, heard):
        conn.send("/queue/safe", "kept", persistent="true", receipt="r")
        conn.send("/queue/safe", "lost")
        heard.wait_receipt("r")
        server.kill()
    with start_server(tmp_path / "data", "--stomp", "127.0.0.1:0") as server, connected(server) as (conn, heard):
        conn.subscribe("/queue/safe", id=1)
        conn.send("/queue/safe", "new")
        assert heard.bodies(2) == ["kept", "new"]


def test_login(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--stomp", "127.0.0.1:0") as server:
        with server.administration() as administration:
            administration.put_user("ann", "secret")
        with connected(server, username="ann", passcode="secret") as (conn, heard):
            conn.send("/queue/a", "hello", receipt="r")
            heard.wait_receipt("r")
        refused = KINDS["1.2"]([("127.0.0.1", server.stomp_port)], reconnect_attempts_max=1)
        heard = Heard()
        refused.set_listener("test", heard)
        with pytest.raises(stomp.exception.ConnectFailedException):
            refused.connect("ann", "wrong", wait=True)
        assert heard.errors.get(timeout=TIME_LIMIT).headers["message"] == "User name [ann] or password is invalid."


def test_a_jms_client_and_a_stomp_client_see_each_others_messages(server: ServerProcess) -> None:
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
    with factory.create_connection("app") as jms, connected(server, "1.2") as (conn, heard):
        session = jms.create_session()
        consumer = session.create_receiver(session.queue("to-jms"))
        conn.send("/queue/to-jms", "text", content_type="text/plain", priority="7", colour="blue")
        message = consumer.receive(timeout=TIME_LIMIT)
        assert message is not None
        assert (message.kind, message.body, message.priority) == ("bytes", b"text", 7)
        assert message.properties["colour"] == "blue"
        conn.subscribe("/queue/to-stomp", id=1)
        session.create_sender(session.queue("to-stomp")).send({"name": "Ann", "age": 3})
        frame = heard.message()
        assert frame.headers["transformation"] == "jms-map-json"
        assert frame.body == '{"name":"Ann","age":3}'
