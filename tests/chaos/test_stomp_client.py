"""What a STOMP client of the harness calls confirmed, refused and unknown; the server does what a test says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rmimom.stomp.codec import Frame, FrameReader, encode_frame
from rmimom_chaos import stomp_life
from rmimom_chaos.client import RefusedError, Source, UnknownError
from rmimom_chaos.recorder import Recorder
from rmimom_chaos.scene import Door, Scene
from rmimom_chaos.stomp_client import StompClient, send_headers, written

Answer = Callable[[Frame], "list[tuple[str, dict[str, str], str]] | None"]
"""What a server answers to a frame; None hangs up."""
WORK = Source("queue://work", 10)


def confirm(frame: Frame) -> list[tuple[str, dict[str, str], str]]:
    """A server that does everything."""
    if frame.command == "STOMP":
        return [("CONNECTED", {"version": "1.2", "x-rmimom-server-id": "one", "x-rmimom-epoch": "3"}, "")]
    return [("RECEIPT", {"receipt-id": frame.headers["receipt"]}, "")]


def but(command: str, answer: Answer) -> Answer:
    """The same, but for one command."""
    return lambda frame: answer(frame) if frame.command == command else confirm(frame)


def error(text: str) -> Answer:
    return lambda frame: [("ERROR", {"message": text, "receipt-id": frame.headers["receipt"]}, "")]


def message(value: str, ack: str, **headers: str) -> tuple[str, dict[str, str], str]:
    return "MESSAGE", {"destination": "/queue/work", "message-id": value, "ack": ack, **headers}, value


def delivering(*messages: tuple[str, dict[str, str], str]) -> Answer:
    return but("SUBSCRIBE", lambda frame: [*confirm(frame), *messages])


class Server:
    """One STOMP server; `answer` may be changed, `heard` are the frames that came."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.heard: list[Frame] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = ("127.0.0.1", self._door.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._door, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def commands(self) -> list[str]:
        return [frame.command for frame in self.heard]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        reader = FrameReader()
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                reader.feed(data)
                while (frame := reader.next_frame()) is not None:
                    self.heard.append(frame)
                    answers = self.answer(frame)
                    if answers is None:
                        return
                    for command, headers, body in answers:
                        connection.sendall(encode_frame(command, headers, body.encode()))


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server(confirm)) as made:
        yield made


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, told: list[str]) -> Iterator[Callable[..., StompClient]]:
    """Makes clients that are connected."""
    made: list[StompClient] = []
    with Recorder(tmp_path / "history") as recorder:

        def connected(*servers: Server, source: Source | None = None, transacted: bool = False) -> StompClient:
            door = Door("", [one.address for one in servers], "ann", "secret")
            scene = Scene(recorder, door, incarnation=1, seed=1, rate=1.0)
            client = StompClient(scene, "tom.1", "tom", told.append, transacted=transacted)
            client.open(source)
            made.append(client)
            return client

        yield connected
        for client in made:
            client.close()


def test_a_send_is_confirmed_by_its_receipt_alone(server: Server, make: Callable[..., StompClient]) -> None:
    asked, go = threading.Event(), threading.Event()

    def later(frame: Frame) -> list[tuple[str, dict[str, str], str]]:
        asked.set()
        assert go.wait(20)
        return confirm(frame)

    server.answer = but("SEND", later)
    client = make(server)
    [wait] = client.send("queue://work", [("tom.1/1-1", {"priority": 7})])
    done = threading.Event()
    threading.Thread(target=lambda: (wait(), done.set()), daemon=True).start()
    assert asked.wait(20)
    assert not done.is_set()
    go.set()
    assert done.wait(20)
    sent = server.heard[-1]
    assert (sent.body, sent.headers["persistent"], sent.headers["priority"]) == (b"tom.1/1-1", "true", "7")
    assert client.reign == ("one", 3)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (error("the disk is full"), RefusedError),
        (error("it is stopping; the outcome of this call is unknown"), UnknownError),
        (lambda frame: None, UnknownError),
    ],
    ids=["refused", "unknown", "lost"],
)
def test_what_was_not_confirmed(
    answer: Answer, outcome: type[Exception], server: Server, make: Callable[..., StompClient]
) -> None:
    server.answer = but("SEND", answer)
    [wait] = make(server).send("queue://work", [("tom.1/1-1", {})])
    with pytest.raises(outcome):
        wait()


def test_after_a_loss_it_is_another_producer_on_the_next_server(
    server: Server, told: list[str], make: Callable[..., StompClient]
) -> None:
    with closing(Server(confirm)) as second:
        client = make(server, second)
        assert client.producer == "tom.1/1"
        server.close()
        with pytest.raises((RefusedError, UnknownError)):
            client.send("queue://work", [("tom.1/1-1", {})])[0]()
        client.ready()
        assert (client.producer, told) == ("tom.1/2", ["lost", "restored"])
        client.send("queue://work", [("tom.1/2-2", {})])[0]()
        assert second.heard[-1].body == b"tom.1/2-2"


def test_a_server_that_does_not_answer_connect_is_left_for_the_next(
    server: Server, make: Callable[..., StompClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stomp_life, "GREETING", 0.1)
    server.answer = lambda frame: []
    with closing(Server(confirm)) as second:
        make(server, second).send("queue://work", [("tom.1/1-1", {})])[0]()
        # More than one try at each, if the machine is slow.
        assert set(server.commands()) == {"STOMP"}
        assert second.commands()[-1] == "SEND"


def test_a_delivery_says_what_the_checkers_want_to_know(server: Server, make: Callable[..., StompClient]) -> None:
    note = {"JMS_rmimom_original_destination": "queue://q", "JMS_rmimom_failures": "3", "JMS_rmimom_dead_at": "5"}
    server.answer = delivering(message("ann.1-1", "1-77"), message("ann.1-2", "1-78", redelivered="true", **note))
    client = make(server, source=WORK)
    first, second = client.receive(20), client.receive(20)
    assert first is not None
    assert second is not None
    first.facts.pop("released")
    assert (first.value, first.consumer) == ("ann.1-1", "tom.1/1")
    assert first.facts == {"count": 1, "counted": True, "tag": 77, "epoch": 3}
    told = {"count": 2, "counted": False, "origin": "queue://q", "failures": 3, "dead_at": 5}
    assert told.items() <= second.facts.items()
    subscribed = server.heard[1].headers
    assert (subscribed["ack"], subscribed["activemq.prefetchSize"]) == ("client-individual", "10")
    first.acknowledge()
    second.fail("for the test")
    assert [(frame.command, frame.headers["id"]) for frame in server.heard[-2:]] == [("ACK", "1-77"), ("NACK", "1-78")]
    assert server.heard[-1].headers["requeue"] == "true"


def test_an_ack_that_is_refused_costs_the_connection_so_that_the_message_comes_again(
    server: Server, told: list[str], make: Callable[..., StompClient]
) -> None:
    deliver = delivering(message("ann.1-1", "1-77"))
    server.answer = lambda frame: error("no")(frame) if frame.command == "ACK" else deliver(frame)
    client = make(server, source=WORK)
    delivery = client.receive(20)
    assert delivery is not None
    with pytest.raises(RefusedError):
        delivery.acknowledge()
    again = client.receive(20)
    assert again is not None
    assert (again.consumer, told) == ("tom.1/2", ["lost", "restored"])
    with pytest.raises(RefusedError):
        delivery.acknowledge()  # it belongs to a connection that is no more


def test_a_durable_subscription_has_a_client_id_and_a_name(server: Server, make: Callable[..., StompClient]) -> None:
    make(server, source=Source("topic://news", 10, durable="urgent", selector="JMSPriority >= 6"))
    connect, subscribe = server.heard
    assert (connect.headers["client-id"], connect.headers["login"]) == ("tom", "ann")
    wanted = {
        "destination": "/topic/news",
        "activemq.subscriptionName": "urgent",
        "selector": "JMSPriority >= 6",
    }
    assert wanted.items() <= subscribe.headers.items()


def transact(client: StompClient) -> None:
    delivery = client.receive(20)
    assert delivery is not None
    client.begin([delivery])
    assert client.send("queue://left", [("tom.1/1-1", {})]) == []
    client.commit()


def test_a_transaction_is_its_acks_and_sends(server: Server, make: Callable[..., StompClient]) -> None:
    server.answer = delivering(message("ann.1-1", "1-77"))
    transact(make(server, source=WORK, transacted=True))
    steps = server.heard[2:]
    assert [frame.command for frame in steps] == ["BEGIN", "ACK", "SEND", "COMMIT"]
    assert len({frame.headers["transaction"] for frame in steps}) == 1


@pytest.mark.parametrize(("command", "outcome"), [("SEND", RefusedError), ("COMMIT", UnknownError)])
def test_a_loss_before_commit_undoes_a_transaction_and_one_after_it_nobody_knows(
    command: str, outcome: type[Exception], server: Server, make: Callable[..., StompClient]
) -> None:
    deliver = delivering(message("ann.1-1", "1-77"))
    server.answer = lambda frame: None if frame.command == command else deliver(frame)
    client = make(server, source=WORK, transacted=True)
    with pytest.raises(outcome):
        transact(client)
    client.rollback()
    assert ("COMMIT" in server.commands()) is (command == "COMMIT")


def test_what_was_rolled_back_is_given_back(server: Server, make: Callable[..., StompClient]) -> None:
    server.answer = delivering(message("ann.1-1", "1-77"))
    client = make(server, source=WORK, transacted=True)
    delivery = client.receive(20)
    assert delivery is not None
    client.begin([delivery])
    client.rollback()
    assert server.commands()[2:] == ["BEGIN", "ACK", "ABORT", "NACK"]


def test_options_are_headers() -> None:
    assert written("topic://chaos.news") == "/topic/chaos.news"
    headers = send_headers({"delivery_delay": 0.25, "properties": {"JMSXGroupID": "ash"}})
    assert headers == {"persistent": "true", "AMQ_SCHEDULED_DELAY": "250", "JMSXGroupID": "ash"}
    assert int(send_headers({"time_to_live": 60.0})["expires"]) > 60_000
