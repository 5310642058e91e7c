from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
import trustme
from support.loops import until
from support.stomp_served import Client, Served, frames_of, in_loop, serve

from rmimom.destination import Queue
from rmimom.errors import ConfigurationError
from rmimom.listeners.stomp.listener import StompLimits
from rmimom.stomp.codec import Limits, encode_frame
from rmimom.stomp.settings import Settings


async def works(served: Served) -> None:
    """Somebody else is served as ever."""
    client = await served.connected()
    await client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/other", "receipt": "s"})
    await client.receipt("s")
    await client.send("SEND", {"destination": "/queue/other"}, b"hello")
    assert (await client.frame()).body == b"hello"
    await client.send("DISCONNECT", {"receipt": "d"})
    await client.receipt("d")
    assert await client.closed() == b""


@in_loop
async def test_a_client_is_served_and_leaves() -> None:
    async with serve() as served:
        await works(served)
        await until(lambda: served.listener.statistics().connections == 0)
        assert served.listener.statistics().accepted == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00" + bytes(range(1, 200)),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT\n" + b"a:" + b"x" * 10_000_000,
        b"CONNECT\n" + b"a:1\n" * 100_000,
        b"SEND\ncontent-length:4294967296\n\n",
        b"\n" * 1_000_000,
        b"\x00" * 1_000_000,
        b"JUMP\n\n\x00",
        b"CONNECT\nno colon\n\n\x00",
        b"CONNECT\naccept-version:9.9\n\n\x00",
        b"CONNECT\nlogin:nobody\n\n\x00",
    ],
    ids=lambda garbage: repr(garbage[:20]),
)
@in_loop
async def test_who_talks_nonsense_is_told_and_closed_and_nobody_else_notices(garbage: bytes) -> None:
    async with serve() as served:
        client = await served.client()
        client.write(garbage)
        heard = await client.closed()
        assert [frame.command for frame in frames_of(heard)] == ["ERROR"]
        await works(served)


@in_loop
async def test_nonsense_after_connect_is_told_and_closed() -> None:
    async with serve(settings=Settings(limits=Limits(header_line=100, body=1000))) as served:
        for nonsense in (
            b"SEND\ncontent-length:1001\n\n",
            b"SEND\na:" + b"x" * 200,
            b"SEND\n\n" + b"x" * 1100,
            b"?\n\n\x00",
        ):
            client = await served.connected()
            client.write(nonsense)
            assert [frame.command for frame in frames_of(await client.closed())] == ["ERROR"]
        await works(served)


@in_loop
async def test_a_lost_connection_returns_what_it_held_at_once() -> None:
    async with serve() as served:
        client = await served.connected()
        await client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "ack": "client"})
        await client.send("SEND", {"destination": "/queue/a"}, b"a")
        assert (await client.frame()).body == b"a"
        other = await served.connected()
        await other.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "receipt": "r"})
        await other.receipt("r")
        client.writer.transport.abort()
        again = await other.frame()
        assert (again.body, again.headers["redelivered"]) == (b"a", "true")


@in_loop
async def test_five_hundred_who_never_finish_their_frame_are_cut_off_while_others_work() -> None:
    # Far more time than the test takes on any machine: only the times that it hands in count.
    async with serve(limits=StompLimits(connect_seconds=1000, frame_seconds=3000)) as served:
        slow = [await served.client() for _ in range(500)]
        for client in slow[:250]:
            client.write(b"CONN")
        for client in slow[250:]:
            await client.connect()
            client.write(b"SEND\ndestination:/queue/a\n\nhal")
        await until(lambda: len(served.listener._incomplete) == 500, "half frames noticed")
        await works(served)
        served.listener.sweep(served.listener.loop.time() + 1001)
        for client in slow[:250]:
            assert await client.closed() == b""
        served.listener.sweep(served.listener.loop.time() + 3001)
        for client in slow[250:]:
            assert await client.closed() == b""
        assert served.listener.statistics().timeouts == 500
        await works(served)


@in_loop
async def test_a_slow_but_busy_sender_is_not_cut_off() -> None:
    async with serve() as served:
        client = await served.connected()
        client.write(b"SEND\ndestination:/queue/a\n\n")
        await until(lambda: served.listener._incomplete, "the half frame")
        client.write(b"x" * 2000)
        [connection] = served.listener._connections
        await until(lambda: connection.received > 2000, "the bytes")
        served.listener.sweep(served.listener.loop.time() + 31)
        assert served.listener.statistics().timeouts == 0


@in_loop
async def test_who_never_reads_gets_no_more_than_its_prefetch_and_is_cut_off() -> None:
    settings = Settings(prefetch=50, prefetch_bytes=4 * 1024 * 1024)
    async with serve(settings=settings) as served:
        deaf = await served.client(limit=1024)
        await deaf.connect()
        deaf.writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await deaf.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "receipt": "r"})
        await deaf.receipt("r")
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a reading one, too
        sender = await served.connected()
        for _ in range(400):
            await sender.send("SEND", {"destination": "/queue/a"}, b"x" * 100_000)
        await sender.send("SEND", {"destination": "/queue/b", "receipt": "done"})
        await sender.receipt("done")
        [connection] = [one for one in served.listener._connections if one.session.subscriptions]
        await until(lambda: connection.session.paused, "the pause")
        mailbox = served.engine.broker.state.places[Queue("a")].mailboxes()[0]
        assert 0 < mailbox.held <= 50
        assert connection.unsent < 6 * 1024 * 1024
        await works(served)
        served.listener.sweep(served.listener.loop.time() + 61)
        await until(lambda: connection not in served.listener._connections, "the end")
        assert "has not read" in connection.session.closing
        assert mailbox.held == 0


@in_loop
async def test_what_waits_for_a_client_has_a_limit() -> None:
    async with serve(limits=StompLimits(unsent_bytes=1024 * 1024)) as served:
        deaf = await served.client(limit=1024)
        await deaf.connect()
        await deaf.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "receipt": "r"})
        await deaf.receipt("r")
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a reading one, too
        [connection] = served.listener._connections
        sender = await served.connected()
        for _ in range(3):
            await sender.send("SEND", {"destination": "/queue/a"}, b"x" * 8_000_000)
        await until(lambda: connection not in served.listener._connections, "the end")
        assert "wait for it to read" in connection.session.closing


@in_loop
async def test_one_connection_too_many_is_told_so() -> None:
    async with serve(limits=StompLimits(connections=2)) as served:
        await served.connected()
        await served.connected()
        third = await served.client()
        [error] = frames_of(await third.closed())
        assert "too many connections: 2 are allowed" in error.headers["message"]
        assert served.listener.statistics().refused == 1


@in_loop
async def test_heart_beats_come_and_who_is_silent_is_cut_off() -> None:
    async with serve(settings=Settings(heartbeat=20)) as served:
        client = await served.client()
        connected = await client.connect(**{"heart-beat": "40,30"})
        assert connected.headers["heart-beat"] == "30,40"
        heard = await client.closed()
        # At least one: on a busy machine the next one is due only when the client's time is over, too.
        assert set(heard) == set(b"\n")
        assert served.listener.statistics().timeouts == 1


@in_loop
async def test_any_byte_keeps_a_connection() -> None:
    async with serve(settings=Settings(heartbeat=20)) as served:
        client = await served.client()
        await client.connect(**{"heart-beat": "200,0"})
        [connection] = served.listener._connections
        before = connection._heard
        client.write(b"\n")
        await until(lambda: connection._heard > before, "the beat")


@in_loop
async def test_tls() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with serve(ssl=context) as served:
        client = await served.client(ssl=trusting, server_hostname="localhost")
        assert (await client.connect()).headers["version"] == "1.2"
        await client.send("SEND", {"destination": "/queue/a", "receipt": "r"}, b"x" * 1_000_000)
        await client.receipt("r")


@in_loop
async def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        async with serve(host="::1") as served:
            client = Client(*await asyncio.open_connection("::1", served.listener.port))
            assert (await client.connect()).command == "CONNECTED"
            await client.close()
    except ConfigurationError:
        pytest.skip("no IPv6 here")


@in_loop
async def test_a_port_in_use_names_the_setting() -> None:
    async with serve() as served:
        with pytest.raises(ConfigurationError, match=r"--stomp HOST:PORT, or do without it: --stomp off"):
            async with serve(port=served.listener.port):
                pass


@in_loop
async def test_the_last_words_of_a_listener_that_stops() -> None:
    async with serve() as served:
        client = await served.connected()
        stopping = asyncio.ensure_future(served.listener.stop())
        [error] = frames_of(await client.closed())
        assert error.headers["message"] == "the server stops"
        await stopping


@in_loop
async def test_a_large_message_goes_round() -> None:
    async with serve() as served:
        client = await served.connected()
        body = bytes(range(256)) * 65_536
        await client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a"})
        client.write(encode_frame("SEND", {"destination": "/queue/a"}, body, content_length=True))
        frame = await client.frame()
        assert frame.body == body
        assert frame.headers["content-length"] == str(len(body))


@in_loop
async def test_who_does_not_close_after_the_last_words_is_cut_off() -> None:
    async with serve() as served:
        client = await served.client()
        client.write(b"?\n\n\x00")
        await until(lambda: served.listener._finishing, "the end")
        served.listener.sweep(served.listener.loop.time() + 11)
        await until(lambda: not served.listener._connections, "the cut")
