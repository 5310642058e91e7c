"""stompman and faststream-stomp, unchanged, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faststream_stomp
import pytest
import stompman
from stompman.connection_ws import WebSocketConnection
from support.processes import TIME_LIMIT, ServerProcess, start_server
from support.stomp_served import in_loop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = ["--stomp", "127.0.0.1:0", "--stomp-ws", "127.0.0.1:0"]
    with start_server(tmp_path_factory.mktemp("stompman") / "data", *options) as running:
        yield running


class Box:
    """Keeps what a subscription was given; `wait` is a handler too, and handlers may fail."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Any] = asyncio.Queue()

    async def put(self, frame: Any) -> None:
        await self.frames.put(frame)

    async def frame(self) -> Any:
        async with asyncio.timeout(TIME_LIMIT):
            return await self.frames.get()

    async def bodies(self, count: int) -> list[bytes]:
        return [(await self.frame()).body for _ in range(count)]


def made(port: int, **options: Any) -> stompman.Client:
    parameters = {name: options.pop(name) for name in ("ws_uri_path", "connect_headers") if name in options}
    return stompman.Client(
        [stompman.ConnectionParameters("127.0.0.1", port, "ann", "secret", **parameters)],
        connect_retry_attempts=100,
        connect_retry_interval=0,
        connection_confirmation_timeout=20,
        **options,
    )


@asynccontextmanager
async def connected(server: ServerProcess, **options: Any) -> AsyncIterator[stompman.Client]:
    async with made(server.stomp_port, **options) as client:
        yield client


async def listen(client: stompman.Client, place: str, **options: Any) -> tuple[Box, Any]:
    """A subscription of mode `auto` if nothing else is said, there when this returns."""
    box = Box()
    options = {"ack": "auto", "receipt_timeout": TIME_LIMIT, **options}
    found = await client.subscribe(place, box.put, on_suppressed_exception=lambda error, frame: None, **options)
    return box, found


async def sent(client: stompman.Client, place: str, body: bytes, **headers: str) -> None:
    await client.send(body, place, headers=headers, receipt_timeout=TIME_LIMIT)


@in_loop
async def test_a_queue_and_what_travels_with_a_message(server: ServerProcess) -> None:
    async with connected(server) as client:
        box, subscription = await listen(client, "/queue/man")
        await client.send(b"a\x00\xff", "/queue/man", content_type="application/x", headers={"colour": "a:b\n"})
        frame = await box.frame()
        assert (frame.body, frame.headers["content-type"], frame.headers["colour"]) == (
            b"a\x00\xff",
            "application/x",
            "a:b\n",
        )
        await subscription.unsubscribe()


@in_loop
async def test_a_topic(server: ServerProcess) -> None:
    async with connected(server) as one, connected(server) as two:
        pairs = [await listen(client, "/topic/man") for client in (one, two)]
        await sent(one, "/topic/man", b"news")
        assert [await box.bodies(1) for box, _ in pairs] == [[b"news"], [b"news"]]
        for _, subscription in pairs:
            await subscription.unsubscribe()


@pytest.mark.parametrize("mode", ["client", "client-individual"])
def test_acknowledgements(mode: stompman.AckMode, server: ServerProcess) -> None:
    @in_loop
    async def run() -> None:
        place = f"/queue/man-{mode}"
        async with connected(server) as client:
            box = Box()
            options: Any = {"ack": mode, "receipt_timeout": TIME_LIMIT}
            subscription = await client.subscribe_with_manual_ack(place, box.put, **options)
            dead, burials = await listen(client, f"/queue/DLQ.man-{mode}")
            for body in (b"a", b"b", b"c"):
                await sent(client, place, body)
            frames = [await box.frame() for _ in range(3)]
            await frames[0].ack()
            await frames[1].nack()
            assert await dead.bodies(1) == [b"b"]
            await subscription.unsubscribe()
            again, rest = await listen(client, place)
            frame = await again.frame()
            assert (frame.body, frame.headers["redelivered"]) == (b"c", "true")
            for one in (rest, burials):
                await one.unsubscribe()

    run()


@in_loop
async def test_a_handler_that_fails_makes_a_dead_letter(server: ServerProcess) -> None:
    async def fail(frame: stompman.MessageFrame) -> None:
        raise ValueError(frame.body)

    async with connected(server) as client:
        dead, burials = await listen(client, "/queue/DLQ.man-fails")
        failing = await client.subscribe("/queue/man-fails", fail, on_suppressed_exception=lambda error, frame: None)
        await sent(client, "/queue/man-fails", b"poison")
        frame = await dead.frame()
        assert (frame.body, frame.headers["original-destination"]) == (b"poison", "/queue/man-fails")
        for one in (failing, burials):
            await one.unsubscribe()


@in_loop
async def test_transactions(server: ServerProcess) -> None:
    async with connected(server) as client:
        box, subscription = await listen(client, "/queue/man-tx")
        with pytest.raises(ValueError, match="aborts"):  # noqa: PT012 - its block is what aborts
            async with client.begin() as aborted:
                await aborted.send(b"never", "/queue/man-tx")
                raise ValueError("this aborts it")
        async with client.begin() as transaction:
            await transaction.send(b"one", "/queue/man-tx")
            await transaction.send(b"two", "/queue/man-tx")
        assert await box.bodies(2) == [b"one", b"two"]
        await subscription.unsubscribe()


@in_loop
async def test_selectors_and_refusals(server: ServerProcess) -> None:
    errors: asyncio.Queue[stompman.ErrorFrame] = asyncio.Queue()
    async with connected(server, on_error_frame=errors.put_nowait) as client:
        box, subscription = await listen(client, "/queue/man-chosen", headers={"selector": "size > 5"})
        await sent(client, "/queue/man-chosen", b"small", size="3")
        await sent(client, "/queue/man-chosen", b"large", size="7")
        assert await box.bodies(1) == [b"large"]
        with pytest.raises(stompman.SubscriptionError):
            await listen(client, "/queue/man-chosen", headers={"selector": "size >"})
        async with asyncio.timeout(TIME_LIMIT):
            assert "selector" in (await errors.get()).headers["message"]
        await subscription.unsubscribe()


@in_loop
async def test_a_durable_subscription(server: ServerProcess) -> None:
    headers = {"activemq.subscriptionName": "man"}
    laptop = {"connect_headers": {"client-id": "man"}}
    with pytest.raises(KeyError, match="closes"):  # noqa: PT012
        # Left so, it unsubscribes without the name and disconnects: the subscription is offline from then on.
        async with connected(server, **laptop) as client:
            await listen(client, "/topic/man-durable", headers=headers)
            raise KeyError("an error closes the client at once")
    async with connected(server) as other:
        await sent(other, "/topic/man-durable", b"missed", persistent="true")
    async with connected(server, **laptop) as client:
        box, subscription = await listen(client, "/topic/man-durable", headers=headers)
        assert await box.bodies(1) == [b"missed"]
        await subscription.unsubscribe()


@in_loop
async def test_heart_beats_keep_an_idle_connection(server: ServerProcess) -> None:
    async with connected(server, heartbeat=stompman.Heartbeat(1000, 1000)) as client:
        box, subscription = await listen(client, "/queue/man-alive")
        state = client._connection_manager._active_connection_state
        assert state is not None
        assert state.server_heartbeat == stompman.Heartbeat(1000, 1000)
        async with asyncio.timeout(TIME_LIMIT):
            for _ in range(2):
                seen = state.connection.last_read_time
                while state.connection.last_read_time == seen:  # noqa: ASYNC110 - it has no event for a beat
                    await asyncio.sleep(0.01)
        assert client.is_alive()
        await sent(client, "/queue/man-alive", b"alive")
        assert await box.bodies(1) == [b"alive"]
        await subscription.unsubscribe()


@in_loop
async def test_over_websocket(server: ServerProcess) -> None:
    async with made(server.stomp_ws_port, ws_uri_path="/stomp", connection_class=WebSocketConnection) as client:
        box, subscription = await listen(client, "/queue/man-ws")
        await sent(client, "/queue/man-ws", b"over the web")
        assert await box.bodies(1) == [b"over the web"]
        await subscription.unsubscribe()


@in_loop
async def test_it_finds_a_server_that_was_killed_and_started_again(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", "--stomp", "127.0.0.1:0") as server:
        port = server.stomp_port
        async with connected(server) as client:
            box, subscription = await listen(client, "/queue/man-safe", ack="client-individual")
            await sent(client, "/queue/man-safe", b"before", persistent="true")
            assert await box.bodies(1) == [b"before"]
            server.kill()
            with start_server(tmp_path / "data", "--stomp", f"127.0.0.1:{port}") as again:
                while True:
                    # It makes the connection and the subscription anew; until then it raises.
                    try:
                        await sent(client, "/queue/man-safe", b"after", persistent="true")
                        break
                    except stompman.SendReceiptError:
                        continue
                bodies = set()
                while b"after" not in bodies:
                    bodies.add((await box.frame()).body)
                await subscription.unsubscribe()
                assert again.process.poll() is None


@in_loop
async def test_faststream(server: ServerProcess) -> None:
    """A service that answers: what is published comes to its subscriber, and its result goes on to another queue."""
    broker = faststream_stomp.StompBroker(made(server.stomp_port))
    got: asyncio.Queue[str] = asyncio.Queue()

    @broker.subscriber("/queue/fast-in")
    @broker.publisher("/queue/fast-out")
    def answer(text: str) -> str:
        return text.upper()

    @broker.subscriber("/queue/fast-out")
    async def keep(text: str) -> None:
        await got.put(text)

    async with broker:
        await broker.start()
        await broker.publish("quakes", "/queue/fast-in")
        async with asyncio.timeout(TIME_LIMIT):
            assert await got.get() == "QUAKES"
