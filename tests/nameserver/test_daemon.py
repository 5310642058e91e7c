"""The guarded daemon against stock proxies and hostile peers, over real sockets in this process."""

from __future__ import annotations

import marshal  # noqa: TID251  # to be refused
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack

import Pyro5.api
import pytest
from Pyro5 import protocol, serializers
from Pyro5.errors import ConnectionClosedError, NamingError

from rmimom.nameserver import daemon as daemon_module
from rmimom.nameserver.daemon import MAX_REQUEST
from rmimom.nameserver.embedded import EmbeddedNameServer, start_embedded

MARSHAL = 2


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedNameServer]:
    """A name server in memory that waits a second for a request to arrive; one for all peers, good and bad."""
    with start_embedded(port=0, request_timeout=1.0) as running:
        yield running


@pytest.fixture
def fresh_server() -> Iterator[EmbeddedNameServer]:
    """Another one that no other test has seen."""
    with start_embedded(port=0) as running:
        yield running


@pytest.fixture
def names(server: EmbeddedNameServer) -> Iterator[Pyro5.api.Proxy]:
    """A stock proxy of the name server, which holds no names yet."""
    with Pyro5.api.Proxy(server.uri) as proxy:
        proxy._pyroTimeout = 10
        proxy.remove(regex=".*")
        yield proxy


def connect(server: EmbeddedNameServer) -> socket.socket:
    """A bare connection."""
    return socket.create_connection((server.host, server.port), timeout=10)


def read_until_closed(peer: socket.socket) -> bytes:
    """Everything the server says until it hangs up."""
    found = b""
    try:
        while chunk := peer.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


def message(kind: int, payload: bytes, *, serializer: int = 1, flags: int = 0, **annotations: bytes) -> bytes:
    """A message of Pyro5's wire, made by hand so that Pyro5's own checks do not stand in the way."""
    chunks = b"".join(name.encode() + struct.pack("!I", len(value)) + value for name, value in annotations.items())
    header = struct.pack(
        "!4sHBBHHII16sHH", b"PYRO", 502, kind, serializer, flags, 1, len(payload), len(chunks), b"\0" * 16, 0, 0x4DC5
    )
    return header + chunks + payload


HELLO = message(
    protocol.MSG_CONNECT,
    serializers.SerpentSerializer().dumps({"handshake": "hello", "object": "Pyro.NameServer"}),
)


def say_hello(peer: socket.socket) -> None:
    """Get past the handshake."""
    peer.sendall(HELLO)
    header = peer.recv(40, socket.MSG_WAITALL)
    sizes = struct.unpack("!II", header[12:20])
    assert header[6] == protocol.MSG_CONNECTOK
    peer.recv(sum(sizes), socket.MSG_WAITALL)


@pytest.fixture
def unmarshalled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Everything of ours that is unmarshalled during the test, wherever in the process (imports unmarshal too)."""
    found: list[object] = []
    original = marshal.loads

    def loads(data: bytes, /) -> object:
        value = original(data)
        if "Pyro.NameServer" in repr(value):
            found.append(value)
        return value

    monkeypatch.setattr(marshal, "loads", loads)
    assert loads(marshal.dumps("Pyro.NameServer")) == found.pop()
    return found


def test_a_stock_proxy_does_all_it_does_with_a_stock_name_server(names: Pyro5.api.Proxy) -> None:
    names._pyroBind()
    names.ping()
    names.register("a", "PYRO:a@127.0.0.1:1", metadata={"x"})
    names.set_metadata("a", {"y"})
    uri, metadata = names.lookup("a", return_metadata=True)
    assert (str(uri), set(metadata)) == ("PYRO:a@127.0.0.1:1", {"y"})
    assert names.count() == 2
    assert set(names.list(prefix="a")) == {"a"}
    assert names.remove("a") == 1
    with pytest.raises(NamingError, match="unknown name: a"):
        names.lookup("a")


def test_a_safe_name_can_be_registered_once(names: Pyro5.api.Proxy) -> None:
    names.register("once", "PYRO:a@127.0.0.1:1", safe=True)
    with pytest.raises(NamingError, match="already registered"):
        names.register("once", "PYRO:b@127.0.0.1:1", safe=True)
    assert str(names.lookup("once")) == "PYRO:a@127.0.0.1:1"


@pytest.mark.parametrize("serializer", ["serpent", "json", "msgpack"])
def test_the_safe_serializers_work(serializer: str, names: Pyro5.api.Proxy) -> None:
    names._pyroSerializer = serializer
    names.register("a", "PYRO:a@127.0.0.1:1")
    assert names.count() == 2


def test_a_handshake_in_marshal_is_refused_with_a_reason(
    server: EmbeddedNameServer, unmarshalled: list[object]
) -> None:
    with connect(server) as peer:
        hello = marshal.dumps({"handshake": "hello", "object": "Pyro.NameServer"})
        peer.sendall(message(protocol.MSG_CONNECT, hello, serializer=MARSHAL))
        assert b"marshal is refused because it is unsafe" in read_until_closed(peer)
    assert unmarshalled == []


def test_a_call_in_marshal_is_refused_with_a_reason(server: EmbeddedNameServer, unmarshalled: list[object]) -> None:
    with connect(server) as peer:
        say_hello(peer)
        call = marshal.dumps(("Pyro.NameServer", "ping", (), {}))
        peer.sendall(message(protocol.MSG_INVOKE, call, serializer=MARSHAL))
        peer.shutdown(socket.SHUT_WR)
        assert b"marshal is refused because it is unsafe" in read_until_closed(peer)
    assert unmarshalled == []


def test_a_blob_with_marshalled_data_is_refused(server: EmbeddedNameServer, unmarshalled: list[object]) -> None:
    with connect(server) as peer:
        say_hello(peer)
        blob = marshal.dumps(("info", "Pyro.NameServer", "ping"))
        peer.sendall(message(protocol.MSG_INVOKE, b"", flags=protocol.FLAGS_KEEPSERIALIZED, BLBI=blob))
        peer.shutdown(socket.SHUT_WR)
        assert b"serialized blobs are refused" in read_until_closed(peer)
    assert unmarshalled == []


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b" " * 40, id="http"),
        pytest.param(b"\0" * 200, id="zeros"),
        pytest.param(b"PYRO" + b"\xff" * 200, id="wrong version"),
        pytest.param(message(protocol.MSG_CONNECT, b"garbage", serializer=99), id="unknown serializer"),
        pytest.param(message(protocol.MSG_CONNECT, b"{'not': 'finished"), id="payload that does not parse"),
        pytest.param(message(99, b""), id="unknown message type"),
        pytest.param(HELLO[:12] + b"\xff\xff\xff\xff" + HELLO[16:], id="four gigabytes announced"),
        pytest.param(
            HELLO[:12] + struct.pack("!I", MAX_REQUEST + 1) + HELLO[16:] + b"x" * 1000, id="more than a request may be"
        ),
        pytest.param(HELLO[:3], id="part of the first word"),
        pytest.param(HELLO[:39], id="a header without its last byte"),
        pytest.param(HELLO[:-1], id="a payload without its last byte"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_request_is_hung_up_on(sent: bytes, server: EmbeddedNameServer, names: Pyro5.api.Proxy) -> None:
    with connect(server) as peer:
        peer.sendall(sent)
        answer = read_until_closed(peer)
        assert not answer or answer[6] == protocol.MSG_CONNECTFAIL
    assert names.count() == 1


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"garbage" * 20, id="garbage"),
        pytest.param(message(protocol.MSG_INVOKE, b"call", serializer=99), id="unknown serializer"),
        pytest.param(message(protocol.MSG_INVOKE, b"x" * 100)[:80], id="half a payload"),
        pytest.param(message(protocol.MSG_INVOKE, b"x" * (MAX_REQUEST + 1)), id="too large"),
    ],
)
def test_the_same_after_a_good_handshake(sent: bytes, server: EmbeddedNameServer, names: Pyro5.api.Proxy) -> None:
    with connect(server) as peer:
        say_hello(peer)
        try:
            peer.sendall(sent)
        except (ConnectionResetError, BrokenPipeError):
            pass  # it hung up before it had read all of it, as it may
        read_until_closed(peer)
    assert names.count() == 1


def test_a_peer_may_be_silent_for_longer_than_a_request_may_take(
    server: EmbeddedNameServer, names: Pyro5.api.Proxy
) -> None:
    with connect(server) as silent:
        say_hello(silent)
        # This one is hung up on because of its time limit, so that limit has passed for the silent one as well.
        with connect(server) as half:
            half.sendall(HELLO[:20])
            read_until_closed(half)
        silent.sendall(message(protocol.MSG_PING, b"ping"))
        assert silent.recv(7, socket.MSG_WAITALL)[6] == protocol.MSG_PING
    assert names.count() == 1


def test_three_hundred_proxies_at_once(server: EmbeddedNameServer) -> None:
    # Pyro5 itself refuses the 81st.
    with ExitStack() as stack:
        proxies = [stack.enter_context(Pyro5.api.Proxy(server.uri)) for _ in range(300)]
        for proxy in proxies:
            proxy._pyroTimeout = 10
            proxy._pyroBind()
        assert [proxy.count() for proxy in proxies] == [1] * 300


def test_one_connection_too_many_closes_the_one_silent_longest(
    fresh_server: EmbeddedNameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "MAX_CONNECTIONS", 3)
    with ExitStack() as stack:
        proxies = [stack.enter_context(Pyro5.api.Proxy(fresh_server.uri)) for _ in range(4)]
        for proxy in proxies:
            proxy._pyroTimeout = 10
        first, second, third, fourth = proxies
        for proxy in (first, second, third):
            proxy.ping()
        first.ping()  # so now the second is silent longest
        fourth.ping()
        with pytest.raises(ConnectionClosedError):
            second.ping()
        for proxy in (first, third, fourth):
            proxy.ping()


def test_closing_hangs_up_on_everybody_and_frees_the_port(fresh_server: EmbeddedNameServer) -> None:
    with connect(fresh_server) as peer:
        say_hello(peer)
        fresh_server.close()
        assert read_until_closed(peer) == b""
    with start_embedded(port=fresh_server.port) as again:
        assert again.port == fresh_server.port
