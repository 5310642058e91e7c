"""What strangers may send to a real server: each costs only its own connection, and the server goes on."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import psutil
import Pyro5.api
import pytest
from Pyro5 import serializers as pyro_serializers
from support.processes import TIME_LIMIT, ServerProcess, start_server
from support.rmi import RawClient

from rmimom.errors import JMSError
from rmimom.rmi import serializers, wire
from rmimom.rmi.exceptions import register_errors

register_errors()
FACTORY = "rmimom.ConnectionFactory"
# What unpickling this would do is in no test's interest: it says so on the standard output.
PICKLED = b"cposix\nsystem\n(S'echo unpickled >&2'\ntR."
MARSHALLED = pyro_serializers.serializers["marshal"].dumpsCall(FACTORY, "create_connection", ("a", "b"), {})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("hostile") / "data") as running:
        with running.administration() as administration:
            administration.create("queue", "work")
        yield running
        assert running.process.poll() is None
        assert "Traceback" not in running.log
        assert "unpickled" not in running.log


def works(server: ServerProcess) -> bool:
    with Pyro5.api.Proxy(server.uri("rmimom.queue.work")) as queue:
        queue._pyroTimeout = TIME_LIMIT
        return bool(queue.send({"body": "fine"}, "bob"))


def header(*, serializer: int = serializers.SERPENT, size: int = 0, type: int = wire.CONNECT) -> bytes:
    """A message of Pyro5's that announces `size` bytes and has none."""
    whole = bytearray(wire.encode_message(type, 0, 0, serializer, b""))
    whole[12:16] = struct.pack("!I", size)
    return bytes(whole)


@pytest.mark.parametrize("greeted", [False, True])
@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"\x00" * 64, id="zeros"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b" " * 64, id="http"),
        pytest.param(bytes(range(256)) * 64, id="every byte"),
        pytest.param(PICKLED * 3, id="pickle"),
        pytest.param(header(size=2**32 - 1), id="4 GiB"),
    ],
)
def test_garbage(greeted: bool, junk: bytes, server: ServerProcess) -> None:
    with RawClient(server.port, greet=False) as client:
        if greeted:
            client.send(client.handshake(FACTORY))
            answer = client.receive()
            assert answer is not None
            assert answer.type == wire.CONNECT_OK
        client.send(junk)
        while client.receive() is not None:
            pass
    assert works(server)


def test_four_gigabytes_are_not_waited_or_made_room_for(server: ServerProcess) -> None:
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    clients = []
    for _ in range(20):
        client = RawClient(server.port, greet=False)
        client.send(header(size=2**32 - 1))
        clients.append(client)
    for client in clients:
        while client.receive() is not None:
            pass
        client.socket.close()
    assert process.memory_info().rss - before < 50_000_000
    assert works(server)


@pytest.mark.parametrize("greeted", [False, True])
def test_half_a_frame_holds_nobody_up(greeted: bool, server: ServerProcess) -> None:
    with RawClient(server.port, greet=False) as client:
        if greeted:
            client.send(client.handshake(FACTORY))
            assert client.receive() is not None
            client.send(client.call("create_connection", "a", "b", object_id=FACTORY)[:-5])
        else:
            client.send(client.handshake(FACTORY)[:20])
        assert works(server)


@pytest.mark.parametrize(
    ("payload", "serializer"),
    [
        pytest.param(MARSHALLED, serializers.MARSHAL, id="marshal"),
        pytest.param(PICKLED, serializers.SERPENT, id="pickle as serpent"),
        pytest.param(PICKLED, 77, id="pickle as something"),
        pytest.param(PICKLED, serializers.JSON, id="pickle as json"),
        pytest.param(PICKLED, serializers.MSGPACK, id="pickle as msgpack"),
    ],
)
def test_payloads_that_are_not_read(payload: bytes, serializer: int, server: ServerProcess) -> None:
    with RawClient(server.port, greet=False) as client:
        client.send(client.handshake(FACTORY))
        assert client.receive() is not None
        client.send(wire.encode_message(wire.INVOKE, 0, 1, serializer, payload))
        answer = client.receive()
        assert answer is None or answer.flags & wire.EXCEPTION
    assert works(server)


def test_a_stock_client_with_marshal_is_told_why(server: ServerProcess) -> None:
    with Pyro5.api.Proxy(server.uri(FACTORY)) as factory:
        factory._pyroSerializer = "marshal"
        with pytest.raises(Pyro5.errors.CommunicationError, match="marshal is not accepted, choose one of: serpent"):
            factory.create_connection("a", "b")


def test_one_that_never_reads(server: ServerProcess) -> None:
    """It asks for answers without end and takes none; the server holds only so many for it."""
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    with RawClient(server.port, greet=False) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(client.handshake("Pyro.Daemon"))
        assert client.receive() is not None
        client.socket.settimeout(0.5)
        request = client.call("get_metadata", FACTORY, object_id="Pyro.Daemon") * 1000
        with pytest.raises(TimeoutError):
            client.send(request * 1000)
        assert works(server)
        assert process.memory_info().rss - before < 50_000_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("a",) * 9,
        (b"\x00", 5),
        ("x" * 10_000, "y"),
        ("a", "b", {"client_id": 7}),
        ("a", "b", {"nonsense": 1}),
        (["a"],),
    ],
)
def test_calls_that_cannot_be(arguments: tuple[Any, ...], server: ServerProcess) -> None:
    with Pyro5.api.Proxy(server.uri(FACTORY)) as factory:
        with pytest.raises((TypeError, JMSError)):
            factory.create_connection(*arguments)
        assert factory.create_connection("a", "b")["connection"].startswith("PYRO:rmimom.connection.")


def test_a_connection_is_only_for_who_has_its_key(server: ServerProcess) -> None:
    with Pyro5.api.Proxy(server.uri("rmimom.connection." + "0" * 32)) as guess:
        guess._pyroTimeout = TIME_LIMIT
        with pytest.raises(Pyro5.errors.CommunicationError, match="unknown object"):
            guess.ping()
