"""Calls to remote objects: time limits, whose errors they are, and sockets that two threads know."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from Pyro5 import protocol
from Pyro5.callcontext import current_context
from Pyro5.errors import PyroError
from Pyro5.server import Daemon, expose

from rmimom.client import transport
from rmimom.client.transport import Channel, call_once, local_address
from rmimom.errors import ConnectionFailedError, IllegalStateError, JMSError, StoreError, StoreFullError
from rmimom.frame import ANNOTATION, AckBatch, Request, SendBatch, encode
from rmimom.outgoing import make_frame
from rmimom.rmi.exceptions import register_errors


class Remote:
    """Does what its methods say; remembers the annotations of the last call."""

    def __init__(self) -> None:
        self.annotations: dict[str, bytes] = {}
        self.answer: object = b"answer"
        self.hold = threading.Event()

    def _note(self) -> None:
        self.annotations = {name: bytes(data) for name, data in current_context.annotations.items()}

    @expose
    def echo(self, value: object) -> object:
        self._note()
        return value

    @expose
    def exchange(self) -> None:
        self._note()
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, bytes):
            current_context.response_annotations = {ANNOTATION: self.answer}

    @expose
    def fetch(self, wait: float, after: int) -> None:
        self._note()
        if after == 0:
            current_context.response_annotations = {ANNOTATION: b"x" * 300_000}

    @expose
    def wait(self) -> None:
        self.hold.wait(10)

    @expose
    def refuse(self, what: str) -> None:
        raise {
            "full": StoreFullError("no room", free=0),
            "closed": IllegalStateError("this connection is closed", connection="closed"),
            "store": StoreError("the disk is gone; the outcome of this call is unknown"),
            "bug": ZeroDivisionError("oops"),
        }[what]


class Scene:
    def __init__(self) -> None:
        register_errors()
        self.remote = Remote()
        self.daemon = Daemon(host="127.0.0.1")
        self.uri = str(self.daemon.register(self.remote))
        self.thread = threading.Thread(target=self.daemon.requestLoop, daemon=True)
        self.thread.start()
        self.channel = Channel(self.uri)

    def stop(self) -> None:
        self.remote.hold.set()
        self.channel.close()
        self.daemon.shutdown()
        self.thread.join(60)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.stop()


def test_calls_and_exchanges_take_turns(scene: Scene) -> None:
    channel = scene.channel
    assert channel.call("echo", {"a": (1, 2)}) == {"a": (1, 2)}
    frames = [make_frame("queue://q", "ID:1", 0, 1, b"x" * 100_000) for _ in range(10)]
    request = Request([SendBatch("p", 1, "queue://q", frames)], [AckBatch(1, 0, [5])])  # type: ignore[arg-type]
    for _ in range(2):
        channel.send_exchange(request)
        assert bytes(channel.receive_exchange()) == b"answer"
        assert scene.remote.annotations == {ANNOTATION: encode(request)}
    channel.send_exchange(Request([], []))
    assert bytes(channel.receive_exchange()) == b"answer"
    assert channel.call("echo", 5) == 5
    batch = channel.fetch(0, 0)
    assert batch is not None
    assert len(batch) == 300_000
    assert channel.fetch(0, 1) is None


def test_annotations_of_the_application_stay_here(scene: Scene) -> None:
    current_context.annotations = {"XYZW": b"mine"}
    try:
        scene.channel.call("echo", 1)
        assert scene.remote.annotations == {}
        call_once(scene.uri, "echo", 1)
        assert scene.remote.annotations == {}
        scene.channel.fetch(0, 0)
        assert scene.remote.annotations == {}
        assert current_context.annotations == {"XYZW": b"mine"}
    finally:
        current_context.annotations = {}


def test_an_answer_that_is_an_error_leaves_the_channel_open(scene: Scene) -> None:
    with pytest.raises(StoreFullError, match="no room") as caught:
        scene.channel.call("refuse", "full")
    assert caught.value.facts == {"free": 0}
    scene.remote.answer = StoreFullError("no room for these")
    scene.channel.send_exchange(Request([], []))
    with pytest.raises(StoreFullError, match="no room for these"):
        scene.channel.receive_exchange()
    assert not scene.channel.closed
    assert scene.channel.call("echo", 1) == 1


def test_an_error_that_is_none_of_ours(scene: Scene) -> None:
    with pytest.raises(JMSError, match="failed: ZeroDivisionError: oops"):
        scene.channel.call("refuse", "bug")
    with pytest.raises(JMSError, match="ZeroDivisionError"):
        call_once(scene.uri, "refuse", "bug")
    assert not scene.channel.closed


def test_a_connection_that_the_server_closed_is_lost(scene: Scene) -> None:
    with pytest.raises(ConnectionFailedError, match="this connection is closed"):
        scene.channel.call("refuse", "closed")
    assert scene.channel.closed


def test_a_server_whose_store_failed_is_lost(scene: Scene) -> None:
    """It is ending, and nobody knows what it did: the same as if it had been killed."""
    with pytest.raises(ConnectionFailedError, match="the outcome of this call is unknown"):
        scene.channel.call("refuse", "store")
    assert scene.channel.closed


def test_an_answer_without_a_batch_is_no_answer(scene: Scene) -> None:
    scene.remote.answer = None
    scene.channel.send_exchange(Request([], []))
    with pytest.raises(ConnectionFailedError, match="no annotation"):
        scene.channel.receive_exchange()
    assert scene.channel.closed


def test_every_call_has_a_time_limit(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionFailedError, match="timeout"):
        scene.channel.call("wait", time_limit=0.02)
    assert scene.channel.closed
    with pytest.raises(ConnectionFailedError):
        scene.channel.call("echo", 1)
    with pytest.raises(ConnectionFailedError, match="timeout"):
        call_once(scene.uri, "wait", time_limit=0.02)


def test_an_exchange_has_a_time_limit(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CALL_TIMEOUT", 0.02)
    monkeypatch.setattr(Remote, "exchange", Remote.wait)
    scene.channel.send_exchange(Request([], []))
    with pytest.raises(ConnectionFailedError, match="timed out"):
        scene.channel.receive_exchange()


def test_closing_in_another_thread_ends_a_call_and_keeps_the_descriptor(scene: Scene) -> None:
    """A descriptor closed under a waiting thread may become that of another connection, and the thread waits on it."""
    sock = scene.channel._proxy._pyroConnection.sock
    outcome: list[BaseException] = []

    def call() -> None:
        try:
            scene.channel.call("wait")
        except ConnectionFailedError as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    descriptor = sock.fileno()
    scene.channel.close()
    thread.join(10)
    assert len(outcome) == 1
    other = Channel(scene.uri)
    other.close()
    other.close()
    kept = other._proxy._pyroConnection.sock.fileno()
    assert kept != -1
    assert other.closed
    with pytest.raises(ConnectionFailedError):
        other.call("echo", 1)
    assert descriptor != -1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 40,
        b"PYRO",
        protocol.SendingMessage(protocol.MSG_RESULT, 0, 1, 3, b"null").data + b"more",
        protocol.SendingMessage(protocol.MSG_RESULT, 0, 1, 3, b"null").data[:-2],
    ],
)
def test_answers_that_make_no_sense(answer: bytes) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(answer)
        far.shutdown(socket.SHUT_WR)
        with pytest.raises(PyroError):
            transport._read_message(near, 5)


def test_the_answer_to_another_call(scene: Scene) -> None:
    scene.channel.send_exchange(Request([], []))
    scene.channel._proxy._pyroSeq += 1
    with pytest.raises(ConnectionFailedError, match="is not the answer to call"):
        scene.channel.receive_exchange()
    assert scene.channel.closed


def test_a_large_answer_in_small_pieces() -> None:
    near, far = socket.socketpair()
    data = protocol.SendingMessage(
        protocol.MSG_RESULT, 0, 1, 3, b"null", annotations={ANNOTATION: bytes(range(256)) * 2000}
    ).data

    def send() -> None:
        for start in range(0, len(data), 7001):
            far.sendall(data[start : start + 7001])

    thread = threading.Thread(target=send)
    thread.start()
    with near, far:
        message = transport._read_message(near, 5)
        thread.join(60)
    assert bytes(message.annotations[ANNOTATION]) == bytes(range(256)) * 2000
    assert bytes(message.data) == b"null"


def test_the_address_by_which_the_server_is_reached(scene: Scene) -> None:
    assert local_address(scene.channel) == "127.0.0.1"


def test_nobody_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        uri = f"PYRO:secret@127.0.0.1:{sock.getsockname()[1]}"
    for attempt in (lambda: Channel(uri), lambda: call_once(uri, "echo")):
        with pytest.raises(ConnectionFailedError, match=r"the server at 127\.0\.0\.1:\d+ cannot be reached") as caught:
            attempt()
        # The id of the object is the key to a connection; it does not belong into a text that is logged.
        assert "secret" not in str(caught.value)
