"""The callback object in the client: what the server and what strangers can do with it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from Pyro5 import protocol, serializers
from Pyro5.callcontext import current_context
from Pyro5.client import Proxy
from Pyro5.errors import CommunicationError, DaemonError, PyroError
from support.waiting import wait_for

from rmimom.client.callback import CallbackServer
from rmimom.errors import MessageFormatError
from rmimom.frame import ANNOTATION
from rmimom.rmi.exceptions import register_errors


class Taker:
    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.silences = 0

    def take(self, batch: memoryview) -> int:
        self.batches.append(bytes(batch))
        return len(self.batches)

    def silence(self) -> None:
        self.silences += 1


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def callbacks(taker: Taker) -> Iterator[CallbackServer]:
    made = CallbackServer("127.0.0.1", taker.silence)
    yield made
    made.stop()


def push(proxy: Proxy, sequence: int, batch: bytes) -> object:
    current_context.annotations = {ANNOTATION: batch}
    try:
        return proxy.new_messages(sequence)
    finally:
        current_context.annotations = {}


@pytest.mark.parametrize("serializer", ["serpent", "json", "msgpack"])
def test_the_server_pushes_batches(callbacks: CallbackServer, taker: Taker, serializer: str) -> None:
    with Proxy(callbacks.offer("client", taker.take)) as proxy:
        proxy._pyroSerializer = serializer
        assert proxy.get_client_id() == "client"
        assert push(proxy, 1, b"small") == 1
        assert push(proxy, 2, b"x" * 3_000_000) == 2
        assert proxy.new_message({"body": "x"}) is False
    assert taker.batches == [b"small", b"x" * 3_000_000]


def test_a_push_without_a_batch(callbacks: CallbackServer, taker: Taker) -> None:
    register_errors()
    with (
        Proxy(callbacks.offer("client", taker.take)) as proxy,
        pytest.raises(MessageFormatError, match="no annotation"),
    ):
        proxy.new_messages(1)


def test_only_the_latest_object_is_there(callbacks: CallbackServer, taker: Taker) -> None:
    first = callbacks.offer("client", taker.take)
    second = callbacks.offer("client", taker.take)
    assert first != second
    with Proxy(second) as proxy:
        proxy.get_client_id()
    with Proxy(first) as proxy, pytest.raises(PyroError):
        proxy.get_client_id()
    callbacks.withdraw()
    with Proxy(second) as proxy, pytest.raises(PyroError):
        proxy.get_client_id()


def test_strangers_are_not_told_the_id_of_the_object(callbacks: CallbackServer, taker: Taker) -> None:
    uri = callbacks.offer("client", taker.take)
    place = uri.rpartition("@")[2]
    with Proxy(f"PYRO:Pyro.Daemon@{place}") as proxy:
        assert proxy.registered() == []
        proxy.ping()
        with pytest.raises(DaemonError):
            proxy.get_metadata("rmimom.client")
    assert len(uri.partition("@")[0]) >= len("PYRO:rmimom.client.") + 32


def test_marshal_is_refused_before_it_is_read(
    callbacks: CallbackServer, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both in the handshake and in a call on a connection that was let in."""
    read: list[object] = []
    monkeypatch.setattr(serializers.MarshalSerializer, "loads", lambda self, data: read.append(data))
    monkeypatch.setattr(serializers.MarshalSerializer, "loadsCall", lambda self, data: read.append(data))
    uri = callbacks.offer("client", taker.take)
    with Proxy(uri) as proxy:
        proxy._pyroSerializer = "marshal"
        with pytest.raises(CommunicationError):
            proxy.get_client_id()
    with Proxy(uri) as proxy:
        proxy.get_client_id()
        proxy._pyroSerializer = "marshal"
        with pytest.raises(CommunicationError):
            proxy.get_client_id()
    assert read == []


@pytest.mark.parametrize("junk", [b"", b"GET / HTTP/1.1\r\n\r\n", b"PYRO", b"\0" * 100])
def test_garbage_hurts_nobody_else(callbacks: CallbackServer, taker: Taker, junk: bytes) -> None:
    uri = callbacks.offer("client", taker.take)
    host, _, port = uri.rpartition("@")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        sock.sendall(junk)
        with Proxy(uri) as proxy:
            assert push(proxy, 1, b"batch") == 1
    assert taker.batches == [b"batch"]


def test_a_message_that_stops_in_the_middle(callbacks: CallbackServer, taker: Taker) -> None:
    uri = callbacks.offer("client", taker.take)
    with Proxy(uri) as proxy:
        proxy.get_client_id()
        message = protocol.SendingMessage(
            protocol.MSG_INVOKE, 0, 1, 1, b"x" * 10, annotations={ANNOTATION: b"y" * 100_000}
        )
        proxy._pyroConnection.sock.sendall(message.data[:50_000])
    wait_for(lambda: taker.silences)
    assert taker.batches == []


def test_the_end_of_the_servers_connection_is_noticed(callbacks: CallbackServer, taker: Taker) -> None:
    with Proxy(callbacks.offer("client", taker.take)) as proxy:
        proxy.get_client_id()
        assert taker.silences == 0
    wait_for(lambda: taker.silences == 1)


def test_idle_connections_outlive_the_global_time_limit(taker: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pyro5's COMMTIMEOUT, which an application may have set, is for requests, not for the time between them."""
    from Pyro5 import config

    monkeypatch.setattr(config, "COMMTIMEOUT", 0.05)
    callbacks = CallbackServer("127.0.0.1", taker.silence)
    with Proxy(callbacks.offer("client", taker.take)) as proxy:
        proxy._pyroTimeout = 5
        proxy.get_client_id()
        idle = threading.Event()
        assert not idle.wait(0.15)
        assert proxy.get_client_id() == "client"
    callbacks.stop()


def test_stopping_closes_connections(taker: Taker) -> None:
    callbacks = CallbackServer("127.0.0.1", taker.silence)
    with Proxy(callbacks.offer("client", taker.take)) as proxy:
        proxy.get_client_id()
        callbacks.stop()
        with pytest.raises(PyroError):
            proxy.get_client_id()
    callbacks.stop()
