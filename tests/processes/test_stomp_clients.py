"""stomp.py, unchanged, against a real server: the programs of the lecture and more.

`test_stomp_py_8.py` runs this file once more, with the version before.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stomp
from support.processes import ROOT, TIME_LIMIT, ServerProcess, start_server, wait_for

from rmimom import ConnectionFactory, Message, Queue, Topic
from rmimom.values import Float, Int

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("stomp") / "data", "--stomp", "127.0.0.1:0") as running:
        yield running


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """A name for the test's own queue or topic."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name)


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
def test_a_queue_as_in_the_lecture(version: str, server: ServerProcess, place: str) -> None:
    with connected(server, version) as (receiver, heard), connected(server, version) as (sender, _):
        receiver.subscribe(destination=f"/queue/{place}", id=1, ack="auto")
        sender.send(f"/queue/{place}", "test message")
        frame = heard.message()
        assert (frame.cmd, frame.body) == ("MESSAGE", "test message")
        assert frame.headers["destination"] == f"/queue/{place}"


def test_a_message_waits_for_its_receiver(server: ServerProcess, place: str) -> None:
    with connected(server) as (sender, _):
        sender.send(f"/queue/{place}", "test message")
    with connected(server) as (receiver, heard):
        receiver.subscribe(destination=f"/queue/{place}", id=1, ack="auto")
        assert heard.message().body == "test message"


@VERSIONS
def test_a_topic_as_in_the_lecture(version: str, server: ServerProcess, place: str) -> None:
    with connected(server, version) as (one, first), connected(server, version) as (two, second):
        for number, (connection, heard) in enumerate([(one, first), (two, second)]):
            connection.subscribe(destination=f"/topic/{place}", id=1, ack="auto", receipt=f"r{number}")
            heard.wait_receipt(f"r{number}")
        one.send(f"/topic/{place}", "test message")
        assert first.message().body == second.message().body == "test message"


@VERSIONS
def test_transactions_as_in_the_lecture(version: str, server: ServerProcess, place: str) -> None:
    with connected(server, version) as (conn, heard):
        conn.subscribe(f"/queue/{place}", id=5)
        txid = conn.begin()
        for body in ("test1", "test2", "test3"):
            conn.send(f"/queue/{place}", body, transaction=txid)
        conn.commit(txid)
        assert heard.bodies(3) == ["test1", "test2", "test3"]
        aborted = conn.begin()
        conn.send(f"/queue/{place}", "test4", transaction=aborted)
        conn.abort(aborted)
        conn.send(f"/queue/{place}", "after")
        assert heard.bodies(1) == ["after"]


@VERSIONS
def test_what_was_not_acknowledged_comes_again_in_order(version: str, server: ServerProcess, place: str) -> None:
    with connected(server, version) as (conn, heard):
        for number in range(5):
            conn.send(f"/queue/{place}", str(number))
        conn.subscribe(f"/queue/{place}", id=1, ack="client-individual")
        frames = [heard.message() for _ in range(5)]
        _ack(conn, version, frames[1])
    with connected(server, version) as (conn, heard):
        conn.subscribe(f"/queue/{place}", id=1, ack="client")
        frames = [heard.message() for _ in range(4)]
        assert [frame.body for frame in frames] == ["0", "2", "3", "4"]
        assert {frame.headers["redelivered"] for frame in frames} == {"true"}
        _ack(conn, version, frames[2])
    with connected(server, version) as (conn, heard):
        conn.subscribe(f"/queue/{place}", id=1, ack="auto")
        assert heard.bodies(1) == ["4"]


def _ack(conn: Any, version: str, frame: Any, **headers: str) -> None:
    if version == "1.0":
        conn.ack(frame.headers["message-id"], **headers)
    elif version == "1.1":
        conn.ack(frame.headers["message-id"], frame.headers["subscription"], **headers)
    else:
        conn.ack(frame.headers["ack"], **headers)


def test_an_ack_in_a_transaction_that_is_aborted_can_be_given_again(server: ServerProcess, place: str) -> None:
    with connected(server, "1.2") as (conn, heard):
        conn.send(f"/queue/{place}", "a")
        conn.subscribe(f"/queue/{place}", id=1, ack="client-individual")
        frame = heard.message()
        conn.begin("t")
        conn.ack(frame.headers["ack"], "t")
        conn.abort("t")
        conn.ack(frame.headers["ack"], receipt="done")
        heard.wait_receipt("done")


def test_nack_makes_a_dead_letter(server: ServerProcess, place: str) -> None:
    with connected(server, "1.2") as (conn, heard):
        conn.send(f"/queue/{place}", "a", persistent="true")
        conn.subscribe(f"/queue/{place}", id=1, ack="client-individual")
        conn.subscribe(f"/queue/DLQ.{place}", id=2)
        conn.nack(heard.message().headers["ack"])
        dead = heard.message()
        assert (dead.body, dead.headers["original-destination"]) == ("a", f"/queue/{place}")


def test_a_durable_subscription_gets_what_came_while_it_was_away(server: ServerProcess, place: str) -> None:
    durable = {"activemq.subscriptionName": "news"}
    with connected(server, headers={"client-id": "laptop"}) as (conn, heard):
        conn.subscribe(f"/topic/{place}", id=1, headers=durable, receipt="r")
        heard.wait_receipt("r")
    with connected(server) as (other, heard):
        other.send(f"/topic/{place}", "missed", persistent="true", receipt="s")
        heard.wait_receipt("s")
    with connected(server, headers={"client-id": "laptop"}) as (conn, heard):
        conn.subscribe(f"/topic/{place}", id=1, headers=durable)
        assert heard.bodies(1) == ["missed"]
        conn.unsubscribe(id=1, headers=durable, receipt="u")
        heard.wait_receipt("u")


def test_heart_beats_keep_an_idle_connection(server: ServerProcess, place: str) -> None:
    with connected(server, "1.2", heartbeats=(1000, 1000)) as (conn, heard):
        beats: queue.Queue[None] = queue.Queue()
        heard.on_heartbeat = lambda: beats.put(None)
        for _ in range(3):
            beats.get(timeout=TIME_LIMIT)
        conn.subscribe(f"/queue/{place}", id=1)
        conn.send(f"/queue/{place}", "still here")
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


def test_a_client_finds_a_server_that_was_killed_and_started_again(tmp_path: Path) -> None:
    """Programs of stomp.py connect again in `on_disconnected`, as its documentation shows."""
    with start_server(tmp_path / "data", "--stomp", "127.0.0.1:0") as server:
        port = server.stomp_port
        conn = stomp.Connection12([("127.0.0.1", port)], reconnect_attempts_max=-1, reconnect_sleep_max=0.1)
        heard = Heard()
        conn.set_listener("test", heard)
        conn.connect(wait=True)
        conn.subscribe("/queue/safe", id=1, ack="client-individual")
        conn.send("/queue/safe", "kept", persistent="true", receipt="sent")
        assert heard.bodies(1) == ["kept"]
        heard.wait_receipt("sent")
        server.kill()
        heard.lost.get(timeout=TIME_LIMIT)
        with start_server(tmp_path / "data", "--stomp", f"127.0.0.1:{port}"):
            conn.connect(wait=True)
            conn.subscribe("/queue/safe", id=1, ack="client-individual")
            frame = heard.message()
            assert (frame.body, frame.headers["redelivered"]) == ("kept", "true")
            conn.ack(frame.headers["ack"], receipt="done")
            heard.wait_receipt("done")
            conn.disconnect()


def test_a_durable_subscription_is_used_by_one_protocol_after_the_other(server: ServerProcess, place: str) -> None:
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
    subscribed = {"activemq.subscriptionName": "urgent", "selector": "JMSPriority >= 6"}
    with factory.create_connection("app", client_id=place) as jms:
        session = jms.create_session()
        topic = session.topic(place)
        session.create_subscriber(topic, durable="urgent", selector="JMSPriority >= 6").close()
        session.create_publisher(topic).publish("of JMS", priority=7)
    with connected(server, headers={"client-id": place}) as (conn, heard):
        conn.subscribe(f"/topic/{place}", id=1, headers=subscribed)
        assert heard.bodies(1) == ["of JMS"]
        conn.unsubscribe(id=1, receipt="closed")
        heard.wait_receipt("closed")
        conn.send(f"/topic/{place}", "of STOMP", headers={"priority": "8"}, receipt="sent")
        heard.wait_receipt("sent")
    with factory.create_connection("app", client_id=place) as jms:
        session = jms.create_session()
        subscriber = session.create_subscriber(session.topic(place), durable="urgent", selector="JMSPriority >= 6")
        message = subscriber.receive(timeout=TIME_LIMIT)
        assert message is not None
        assert message.body == b"of STOMP"


@VERSIONS
def test_selectors(version: str, server: ServerProcess, place: str) -> None:
    with connected(server, version) as (conn, heard):
        conn.subscribe(f"/queue/{place}", id=1, headers={"selector": "size > 5 AND colour = 'blue'"})
        for body, size, colour in (("small", 3, "blue"), ("red", 9, "red"), ("right", 9, "blue")):
            conn.send(f"/queue/{place}", body, headers={"size": str(size), "colour": colour})
        assert heard.bodies(1) == ["right"]


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


STOMP_TO_JMS: list[tuple[dict[str, str], dict[str, object]]] = [
    ({}, {"kind": "text", "priority": 4, "persistent": False, "expiration": 0}),
    ({"content-length": "5"}, {"kind": "bytes", "body": b"hello"}),
    ({"persistent": "true", "priority": "7"}, {"persistent": True, "priority": 7}),
    ({"correlation-id": "c", "type": "t", "timestamp": "5"}, {"correlation_id": "c", "type": "t", "timestamp": 5}),
    ({"reply-to": "/topic/answers"}, {"reply_to": Topic("answers")}),
    ({"expires": "4102444800000"}, {"expiration": 4102444800000}),
    (
        {"JMSXGroupID": "g", "JMSXGroupSeq": "3"},
        {"properties": {"JMSXGroupID": "g", "JMSXGroupSeq": 3, "JMSXGroupFirstForConsumer": True}},
    ),
    (
        {"content-type": "text/plain", "colour": "blue"},
        {"properties": {"content-type": "text/plain", "colour": "blue"}},
    ),
    ({"reply-to": "no such place"}, {"reply_to": None, "properties": {"reply-to": "no such place"}}),
    ({"transformation": "jms-map-json"}, {"kind": "text"}),
    ({"expiration": "3600000", "timestamp": "5"}, {"timestamp": 5}),
    ({"amq-msg-type": "bytes"}, {"kind": "bytes", "body": b"hello"}),
    ({"amq-msg-type": "text", "content-length": "5"}, {"kind": "text"}),
    ({"JMS_rmimom_max_redeliveries": "2"}, {"properties": {"JMS_rmimom_max_redeliveries": "2"}}),
    ({"JMSXUserID": "bob", "redelivered": "true", "message-id": "x"}, {"properties": {}, "redelivered": False}),
]
STOMP_BODIES_TO_JMS: list[tuple[str, str, str, object]] = [
    ("jms-map-json", '{"map":{"entry":[{"string":"n","int":1},{"string":["s","x"]}]}}', "map", {"n": 1, "s": "x"}),
    ("jms-map-json", '{"n":1,"deep":[1]}', "text", '{"n":1,"deep":[1]}'),
    ("jms-object-json", '{"deep":[1,2.5,null]}', "object", {"deep": [1, 2.5, None]}),
    ("unknown", "text", "text", "text"),
]


@pytest.mark.parametrize(("transformation", "sent", "kind", "body"), STOMP_BODIES_TO_JMS)
def test_json_of_a_stomp_client_is_a_body_of_a_jms_client(
    transformation: str, sent: str, kind: str, body: object, server: ServerProcess, place: str
) -> None:
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
    with (
        factory.create_connection("app") as jms,
        connected(server, "1.2", auto_content_length=False) as (conn, _),
    ):
        conn.send("/queue/bodies", sent, headers={"transformation": transformation})
        session = jms.create_session()
        message = session.create_receiver(session.queue("bodies")).receive(timeout=TIME_LIMIT)
        assert message is not None
        assert (message.kind, message.body) == (kind, body)


def test_a_delay_is_one_for_both(server: ServerProcess, place: str) -> None:
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
    with factory.create_connection("app") as jms, connected(server, "1.2") as (conn, heard):
        session = jms.create_session()
        conn.send(f"/queue/{place}", "of STOMP", headers={"AMQ_SCHEDULED_DELAY": "40"})
        with session.create_receiver(session.queue(place)) as receiver:
            message = receiver.receive(timeout=TIME_LIMIT)
        assert message is not None
        assert message.timestamp is not None
        assert message.delivery_time == message.timestamp + 40
        session.create_sender(session.queue(place)).send("of JMS", delivery_delay=0.04)
        conn.subscribe(f"/queue/{place}", id=1)
        frame = heard.message()
        assert (frame.body, "AMQ_SCHEDULED_DELAY" in frame.headers) == ("of JMS", False)
        assert time.time() * 1000 >= int(frame.headers["timestamp"]) + 40


def test_a_sender_says_how_often_its_message_comes_again(server: ServerProcess, place: str) -> None:
    """The same words for both: here JMS sends, and STOMP fails on it."""
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
    with factory.create_connection("app") as jms, connected(server, "1.2") as (conn, heard):
        session = jms.create_session()
        conn.subscribe(f"/queue/{place}", id=1, ack="client-individual")
        conn.subscribe(f"/queue/DLQ.{place}", id=2)
        session.create_sender(session.queue(place)).send(Message("once", properties={"JMS_rmimom_max_redeliveries": 0}))
        conn.nack(heard.message().headers["ack"], requeue="true")
        assert heard.message().headers["destination"] == f"/queue/DLQ.{place}"
        headers = {"JMS_rmimom_max_redeliveries": "1", "JMS_rmimom_redelivery_delay": "0"}
        conn.send(f"/queue/{place}", "twice", headers=headers)
        for _ in range(2):
            frame = heard.message()
            assert frame.headers["destination"] == f"/queue/{place}"
            conn.nack(frame.headers["ack"], requeue="true")
        frame = heard.message()
        assert (frame.body, frame.headers["JMS_rmimom_failures"]) == ("twice", "2")


def test_what_a_stomp_client_sends_is_what_a_jms_client_receives(server: ServerProcess) -> None:
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"))
    with (
        factory.create_connection("app") as jms,
        connected(server, "1.2", auto_content_length=False) as (conn, _),
    ):
        session = jms.create_session()
        receiver = session.create_receiver(session.queue("to-jms"))
        for headers, expected in STOMP_TO_JMS:
            conn.send("/queue/to-jms", "hello", headers=headers)
            message = receiver.receive(timeout=TIME_LIMIT)
            assert message is not None
            assert message.destination == Queue("to-jms")
            found = {name: getattr(message, name) for name in {"body": "hello", **expected}}
            assert found == {"body": "hello", **expected}


JMS_TO_STOMP: list[tuple[Message, dict[str, str | None], str]] = [
    (Message("text"), {"content-length": None, "persistent": "true", "priority": "4"}, "text"),
    (Message(b"bytes"), {"content-length": "5"}, "bytes"),
    (Message("nul \0"), {"content-length": "5"}, "nul \0"),
    (Message(None), {"content-length": None}, ""),
    (Message({"n": 1, "b": b"x"}), {"transformation": "jms-map-json"}, '{"n":1,"b":"eA=="}'),
    (Message([1, "a", None]), {"transformation": "jms-stream-json"}, '[1,"a",null]'),
    (Message({"deep": [1, (2.5, None)]}), {"transformation": "jms-object-json"}, '{"deep":[1,[2.5,null]]}'),
    (
        Message("x", correlation_id="c", reply_to="queue://answers", type="t"),
        {"correlation-id": "c", "reply-to": "/queue/answers", "type": "t"},
        "x",
    ),
    (Message("x", properties={"JMSXGroupID": "g", "JMSXGroupSeq": 1}), {"JMSXGroupID": "g", "JMSXGroupSeq": "1"}, "x"),
    (
        Message("x", properties={"b": True, "i": Int(3), "d": 2.5, "s": "a:b\n", "n": None, "f": Float(0.5)}),
        {"b": "true", "i": "3", "d": "2.5", "s": "a:b\n", "n": None, "f": "0.5"},
        "x",
    ),
]


def test_what_a_jms_client_sends_is_what_a_stomp_client_receives(server: ServerProcess) -> None:
    factory = ConnectionFactory(uri=server.uri("rmimom.ConnectionFactory"), user_id=True)
    with factory.create_connection("app") as jms, connected(server, "1.2") as (conn, heard):
        session = jms.create_session()
        sender = session.create_sender(session.queue("to-stomp"))
        conn.subscribe("/queue/to-stomp", id=1)
        for message, headers, body in JMS_TO_STOMP:
            sender.send(message)
            frame = heard.message()
            assert {name: frame.headers.get(name) for name in headers} == headers
            assert frame.body == body
            assert frame.headers["destination"] == "/queue/to-stomp"
            assert frame.headers["message-id"] == message.message_id
            assert frame.headers["JMSXUserID"] == "app"
        sender.send("late", priority=9, time_to_live=3600, persistent=False)
        frame = heard.message()
        assert frame.headers["priority"] == "9"
        assert int(frame.headers["expires"]) == int(frame.headers["timestamp"]) + 3_600_000
        assert "persistent" not in frame.headers


def test_the_programs_of_the_lecture(server: ServerProcess, tmp_path: Path) -> None:
    """Run as they stand but for the port, and for how long they wait."""

    def program(name: str) -> subprocess.Popen[str]:
        text = (ROOT / "examples" / "stomp" / f"{name}.py").read_text()
        text = text.replace("61613", str(server.stomp_port)).replace("time.sleep(60)", "input()")
        file = tmp_path / f"{name}.py"
        file.write_text(text.replace("time.sleep(2)", "input()"))
        return subprocess.Popen(
            [sys.executable, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def lines(process: subprocess.Popen[str], count: int) -> list[str]:
        assert process.stdout is not None
        return [process.stdout.readline().strip() for _ in range(count)]

    running: list[subprocess.Popen[str]] = []
    try:
        for receiver, sender, place in (
            ("queue_receiver", "queue_sender", "queue"),
            ("topic_subscriber", "topic_publisher", "topic"),
        ):
            running.append(program(receiver))
            wait_for(lambda place=place: consumers(server, place), f"consumer of the {place}")
            running.append(program(sender))
            assert lines(running[-2], 1) == ['received a message "test message"']
            assert running[-2].communicate("\n", TIME_LIMIT) == ("", None)
        running.append(program("transactions"))
        assert lines(running[-1], 3) == [f'received a message "test{number}"' for number in (1, 2, 3)]
        assert running[-1].communicate("\n", TIME_LIMIT) == ("", None)
        assert [process.wait(TIME_LIMIT) for process in running] == [0] * 5
    finally:
        for process in running:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def consumers(server: ServerProcess, kind: str) -> bool:
    """Whether somebody consumes from the queue or topic called test."""
    with server.administration() as administration:
        listed = administration.queues() if kind == "queue" else administration.topics()
    return any(entry["name"] == "test" and (entry.get("consumers") or entry.get("subscriptions")) for entry in listed)
