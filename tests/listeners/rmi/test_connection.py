"""Peers that are no proxies, or bad ones: each costs only itself."""

from __future__ import annotations

import socket
import struct
import zlib

import pytest
from support.rmi import PICKLE, RawClient, Served
from support.waiting import wait_for

from rmimom.listeners.rmi.listener import RmiLimits
from rmimom.rmi import serializers, wire


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.listener.port), 20)


def read_all(peer: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            data = peer.recv(65536)
        except ConnectionResetError:
            return found
        if not data:
            return found
        found += data


def still_serves(served: Served) -> None:
    with RawClient(served.listener.port) as client:
        client.send(client.call("echo", "still"))
        assert client.answer() == ("still", 0)


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "pickle": PICKLE,
    "zeros": bytes(100_000),
    "old pyro": b"PYRO\x00\x30" + bytes(100),
    "one byte": b"x",
    "bad magic": wire.HEADER.pack(b"PYRO", 502, 1, 1, 0, 0, 0, 0, bytes(16), 0, 0),
    "bad annotations": wire.HEADER.pack(b"PYRO", 502, 4, 1, 0, 0, 0, 4, bytes(16), 0, 0x4DC5) + b"abcd",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=list(GARBAGE))
@pytest.mark.parametrize("greet", [False, True])
def test_garbage_ends_its_connection_only(served: Served, garbage: bytes, greet: bool) -> None:
    with RawClient(served.listener.port, greet=greet) as client:
        client.send(garbage)
        if not greet and garbage is GARBAGE["bad annotations"]:
            client.socket.shutdown(socket.SHUT_WR)  # annotations are not looked at in a handshake
        read_all(client.socket)
    wait_for(lambda: served.connections == 0)
    still_serves(served)


def test_a_stranger_of_another_version_can_read_why(served: Served) -> None:
    with connect(served) as peer:
        peer.sendall(b"PYRO\x01\xf5" + bytes(34))
        answer = read_all(peer)
    assert b"version 501 of Pyro's protocol, must be 502" in answer


@pytest.mark.parametrize("greet", [False, True])
def test_half_a_message_is_waited_for_and_then_cut_off(served: Served, greet: bool) -> None:
    with RawClient(served.listener.port, greet=greet) as client:
        data = client.call("echo", "x" * 100) if greet else client.handshake()
        client.send(data[:60])
        wait_for(lambda: served.do(lambda: sum(c.received for c in served.listener._connections)) >= 60)
        served.pass_time(5)
        assert served.connections == 1
        served.pass_time(31)
        assert client.receive() is None
    assert served.listener.statistics().timeouts == 1
    still_serves(served)


def test_the_time_for_a_message_begins_anew_with_progress(served: Served, client: RawClient) -> None:
    data = client.call("size", "x" * 100_000)
    start = served.do(served.loop.time)

    def received() -> int:
        return served.do(lambda: next(iter(served.listener._connections)).received)

    before = received()
    client.send(data[:100])
    wait_for(lambda: received() == before + 100)
    client.send(data[100:50_000])
    wait_for(lambda: received() == before + 50_000)
    served.do(served.listener.sweep, start + 31)  # nearly 50 kB came since it began
    assert served.connections == 1
    client.send(data[50_000:50_100])
    wait_for(lambda: received() == before + 50_100)
    served.do(served.listener.sweep, start + 40)
    assert served.connections == 1
    served.do(served.listener.sweep, start + 62)  # 100 bytes in half a minute
    assert client.receive() is None
    assert served.listener.statistics().timeouts == 1


def test_an_idle_connection_has_all_the_time_of_the_world(served: Served, client: RawClient) -> None:
    client.send(client.call("echo", 1))
    assert client.answer() == (1, 0)
    served.pass_time(1_000_000)
    client.send(client.call("echo", 2))
    assert client.answer() == (2, 0)


def test_a_message_that_was_completed_is_not_cut_off_while_its_call_is_under_way(
    served: Served, client: RawClient
) -> None:
    data = client.call("wait")
    client.send(data[:50])
    wait_for(lambda: served.do(lambda: len(served.listener._incomplete)) == 1)
    client.send(data[50:])
    wait_for(lambda: served.thing.waiting)
    served.pass_time(1_000_000)
    served.do(served.thing.waiting[0].set_result, "done")
    assert client.answer() == ("done", 0)


def test_a_call_under_way_is_not_taken_for_half_a_message(served: Served, client: RawClient) -> None:
    client.send(client.call("wait"))
    wait_for(lambda: served.thing.waiting)
    client.send(client.call("echo", "next")[:50])
    served.pass_time(1_000_000)
    served.do(served.thing.waiting[0].set_result, "done")
    assert client.answer() == ("done", 0)


def test_who_says_nothing_is_cut_off(served: Served) -> None:
    with connect(served) as peer:
        wait_for(lambda: served.connections == 1)
        served.pass_time(5)
        assert served.connections == 1
        served.pass_time(11)
        assert read_all(peer) == b""
    assert served.listener.statistics().timeouts == 1


def test_four_gigabytes_are_refused_at_the_header(served: Served, client: RawClient) -> None:
    client.send(wire.HEADER.pack(b"PYRO", 502, wire.INVOKE, 1, 0, 9, 0xFFFF_FFFF, 0, bytes(16), 0, 0x4DC5))
    message = client.receive()
    assert message is not None
    assert (message.type, message.sequence, message.flags) == (wire.RESULT, 9, wire.EXCEPTION)
    assert b"4294967295 bytes" in message.payload
    client.send(b"x" * 1_000_000)
    still_serves(served)
    wait_for(lambda: served.connections == 1)
    (connection,) = served.do(lambda: list(served.listener._connections))
    assert connection._reader.buffered == 0


def test_four_gigabytes_are_refused_in_the_handshake(served: Served) -> None:
    with connect(served) as peer:
        peer.sendall(wire.HEADER.pack(b"PYRO", 502, wire.CONNECT, 1, 0, 9, 0xFFFF_FFFF, 0, bytes(16), 0, 0x4DC5))
        assert b"4294967295 bytes" in read_all(peer)


def test_a_handshake_is_small(served: Served) -> None:
    with RawClient(served.listener.port, greet=False) as client:
        client.send(client.handshake(handshake="x" * 100_000)[:60_000])
        message = client.receive()
        assert message is not None
        assert message.type == wire.CONNECT_FAIL
        assert b"65536 are allowed" in message.payload


@pytest.mark.parametrize("flags", [wire.ONEWAY, 0])
@pytest.mark.parametrize("type", [0, 2, 3, 5, 99])
def test_a_message_type_out_of_place_ends_the_connection(
    served: Served, client: RawClient, type: int, flags: int
) -> None:
    client.send(wire.encode_message(type, flags, 1, 1, b""))
    assert client.receive() is None
    wait_for(lambda: served.listener.statistics().protocol_errors == 1)


@pytest.mark.parametrize("type", [wire.INVOKE, wire.PING])
def test_nothing_is_served_before_the_handshake(served: Served, type: int) -> None:
    with RawClient(served.listener.port, greet=False) as client:
        payload = serializers.dumps_call(serializers.SERPENT, "thing", "hear", ("early",), {})
        client.send(wire.encode_message(type, 0, 1, serializers.SERPENT, payload))
        assert client.receive() is None
    assert served.thing.heard == []


def test_a_second_handshake_ends_the_connection(client: RawClient) -> None:
    client.send(client.handshake())
    assert client.receive() is None


@pytest.mark.parametrize("payload", [b"", b"5", b"{}", b"{'object': 5}", b"[", b"\xff", b"{'handshake': 1}"])
def test_a_malformed_handshake_is_refused(served: Served, payload: bytes) -> None:
    with RawClient(served.listener.port, greet=False) as client:
        client.send(wire.encode_message(wire.CONNECT, 0, 0, serializers.SERPENT, payload))
        message = client.receive()
        assert message is not None
        assert message.type == wire.CONNECT_FAIL
        assert client.receive() is None


def test_a_compressed_bomb_is_refused(client: RawClient) -> None:
    bomb = zlib.compress(bytes(200 * 1024 * 1024), 9)
    client.send(wire.encode_message(wire.INVOKE, wire.COMPRESSED, 1, serializers.SERPENT, bomb))
    value, flags = client.answer()
    assert flags == wire.EXCEPTION
    assert value["attributes"]["code"] == "message-too-large"
    client.send(client.call("echo", 1))
    assert client.answer() == (1, 0)


@pytest.mark.parametrize("step", [1, 30, 1000])
def test_calls_come_in_pieces_of_any_size(client: RawClient, step: int) -> None:
    data = b"".join(client.call("echo", number) for number in range(10))
    for start in range(0, len(data), step):
        client.send(data[start : start + step])
    assert [client.answer()[0] for _ in range(10)] == list(range(10))


def test_many_calls_at_once_are_answered_in_order(served: Served, client: RawClient) -> None:
    client.send(b"".join(client.call(("echo", "later", "done")[n % 3], n) for n in range(1000)))
    assert [client.answer()[0] for _ in range(1000)] == list(range(1000))


def test_the_next_call_waits_for_the_answer_of_the_one_before(served: Served, client: RawClient) -> None:
    client.send(client.call("wait") + client.call("hear", "second", flags=wire.ONEWAY) + client.call("echo", "third"))
    wait_for(lambda: served.thing.waiting)
    still_serves(served)
    assert served.thing.heard == []
    served.do(served.thing.waiting[0].set_result, "first")
    assert [client.answer()[0], client.answer()[0]] == ["first", "third"]
    assert served.thing.heard == ["second"]


def test_who_leaves_during_a_call_is_noticed_at_once(served: Served, client: RawClient) -> None:
    client.send(client.call("tell_when_gone", "it left") + client.call("wait"))
    wait_for(lambda: served.thing.waiting)
    client.socket.close()
    wait_for(lambda: served.thing.closed == ["it left"])
    served.do(served.thing.waiting[0].set_exception, ValueError("nobody is left to hear it"))
    still_serves(served)


def test_a_peer_can_be_closed_by_a_method_and_gets_its_answer(served: Served, client: RawClient) -> None:
    client.send(client.call("end_me") + client.call("hear", "too late", flags=wire.ONEWAY))
    assert client.answer() == ("bye", 0)
    assert client.receive() is None
    assert served.thing.heard == []


def test_a_peer_that_sends_ahead_is_held_back(served: Served, client: RawClient) -> None:
    client.send(client.call("wait"))
    wait_for(lambda: served.thing.waiting)
    ahead = client.call("hear", "x" * 1000, flags=wire.ONEWAY) * 100
    client.socket.setblocking(False)
    (connection,) = served.do(lambda: list(served.listener._connections))
    data = memoryview(ahead * 10_000)
    sent = 0

    def stuck() -> bool:
        nonlocal sent
        try:
            while sent < len(data):
                sent += client.socket.send(data[sent : sent + 1_000_000])
        except BlockingIOError:
            pass
        return bool(served.do(lambda: connection._reading_paused))

    wait_for(stuck)
    assert served.do(lambda: connection._reader.buffered) < 1024 * 1024
    client.socket.setblocking(True)
    served.do(served.thing.waiting[0].set_result, "go on")
    assert client.answer()[0] == "go on"
    wait_for(lambda: len(served.thing.heard) >= 1000)


def test_a_peer_that_does_not_read_is_not_served_any_further(served: Served) -> None:
    with RawClient(served.listener.port) as client:
        client.send(client.call("large", 20_000_000) + client.call("hear", "next", flags=wire.ONEWAY))
        wait_for(lambda: served.do(lambda: len(served.listener._unread)) == 1)
        still_serves(served)
        assert served.thing.heard == []
        assert len(client.answer()[0]) == 20_000_000
        wait_for(lambda: served.thing.heard == ["next"])
        for hours in (1, 2, 3):
            served.pass_time(hours * 3600)
        client.send(client.call("echo", "still"))
        assert client.answer() == ("still", 0)


def test_a_peer_that_never_reads_is_cut_off(served: Served) -> None:
    with RawClient(served.listener.port) as client:
        client.send(client.call("large", 20_000_000))
        wait_for(lambda: served.do(lambda: len(served.listener._unread)) == 1)
        (connection,) = served.do(lambda: list(served.listener._connections))
        settled = -1
        while settled != (settled := served.do(lambda: connection.unsent)):
            pass
        served.do(lambda: served.listener._unread.update({connection: (served.loop.time(), settled)}))
        served.pass_time(59)
        assert served.connections == 1
        served.pass_time(61)
        wait_for(lambda: served.connections == 0)


def test_a_peer_for_which_too_much_waits_is_cut_off() -> None:
    with Served(limits=RmiLimits(unsent_bytes=10_000_000)) as served, RawClient(served.listener.port) as client:
        client.send(client.call("large", 20_000_000))
        wait_for(lambda: served.connections == 0)


def test_a_refused_peer_that_does_not_read_does_not_stay(served: Served) -> None:
    with RawClient(served.listener.port) as client:
        client.send(client.call("large", 20_000_000) + client.call("end_me"))
        wait_for(lambda: served.do(lambda: len(served.listener._unread)) == 1)
        stopping = served.do(lambda: [connection.shut("enough") for connection in served.listener._connections])
        assert stopping
        served.pass_time(31)
        wait_for(lambda: served.connections == 0)


def test_a_reset_in_the_middle_of_everything_is_survived(served: Served) -> None:
    for cut in (0, 10, 45):
        client = RawClient(served.listener.port)
        client.send(client.call("wait") + client.call("echo", "x")[:cut])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()
    wait_for(lambda: served.connections == 0)
    still_serves(served)
