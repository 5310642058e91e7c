"""Connections on an event loop: events, a lost server, closing (Jakarta Messaging 3.1 §6.1)."""

from __future__ import annotations

import asyncio

import pytest
from support.fake_server import FakeServer
from support.loops import LIMIT, cancelled, on_loop, started, until

from rmimom.aio import Connection, ConnectionFactory, connect
from rmimom.client.event import ConnectionEvent
from rmimom.destination import Queue
from rmimom.errors import ConnectionFailedError, IllegalStateError, JMSError, JMSSecurityError
from rmimom.frame import decode_frame

Q = Queue("q")


@on_loop
async def test_events_are_awaited_one_after_the_other(factory: ConnectionFactory, server: FakeServer) -> None:
    connection = await factory.create_connection("app", "secret")
    told: list[str] = []

    async def slow(event: ConnectionEvent) -> None:
        told.append(f"{event.kind} begins")
        await asyncio.sleep(0.01)
        told.append(f"{event.kind} ends")

    def failing(event: ConnectionEvent) -> None:
        raise ValueError(event.kind)

    connection.on_event(failing)
    connection.on_event(slow)
    assert (connection.client_id, connection.server) == ("app", "fake/1")
    server.cut()
    async with connection.create_session() as session, session.create_sender(Q) as sender:
        await sender.send("x")
        async with session.create_receiver(Q):
            assert connection.delivery == "callback"
    await until(lambda: "restored ends" in told)
    await connection.close()
    await connection.close()
    kinds = [entry.split()[0] for entry in told[::2]]
    assert told == [f"{kind} {what}" for kind in kinds for what in ("begins", "ends")]
    # The server may be lost once more before it is found again for good.
    assert (kinds[:2], kinds[-1]) == (["lost", "restored"], "closed")


@on_loop
async def test_a_context_tells_of_its_connection_and_names_the_server(server: FakeServer) -> None:
    told: list[ConnectionEvent] = []
    async with connect("app", "secret", uri=server.uri) as context:
        context.on_event(told.append)
        server.epoch = 2
        server.cut()
        await context.send("queue://q", "x")
        await until(lambda: bool(told) and told[-1].kind == "restored")
    here = f"127.0.0.1:{server.port}"
    facts = [(event.kind, event.address, event.server_id, event.epoch) for event in told]
    # The server may be lost once more before it is found again for good.
    assert facts[:2] == [("lost", here, "fake", 1), ("restored", here, "fake", 2)]
    assert facts[-1] == ("closed", here, "fake", 2)


@on_loop
async def test_a_lost_reply_makes_no_duplicate(factory: ConnectionFactory, server: FakeServer) -> None:
    """Promise 3, through the failover of the synchronous client."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        sender = await session.create_sender(Q)
        server.plan_lost_reply("exchange", 2)
        await asyncio.gather(*(sender.send(str(number)) for number in range(20)))
        assert [decode_frame(frame).body.decode() for frame in server.broker.stored] == [str(n) for n in range(20)]
        receiver = await session.create_receiver(Q)
        for number in range(20):
            message = await receiver.receive(LIMIT)
            assert message is not None
            assert message.body == str(number)
            if number % 5 == 0:
                server.cut()


@on_loop
async def test_connecting_fails(factory: ConnectionFactory, server: FakeServer) -> None:
    server.passwords["app"] = "secret"
    with pytest.raises(JMSSecurityError):
        await factory.create_connection("app", "wrong")
    server.stop()
    with pytest.raises(ConnectionFailedError, match="no server within 0 s"):
        await factory.create_connection(connect_timeout=0)


@on_loop
async def test_what_a_cancelled_connect_opened_is_closed(factory: ConnectionFactory, server: FakeServer) -> None:
    async def opened() -> None:
        await factory.create_connection()

    task = await started(opened())
    await cancelled(task)
    await until(lambda: server.calls["create_connection"] == server.calls["close"])
    assert server.connections == []


@on_loop
async def test_a_stopped_connection_delivers_nothing(factory: ConnectionFactory) -> None:
    async with factory.create_connection(start=False) as connection, connection.create_context() as context:
        context.autostart = False
        await context.send("queue://q", "x")
        async with context.create_consumer("queue://q") as consumer:
            waiting = await started(consumer.receive(LIMIT))
            assert await consumer.receive(0.01) is None
            await connection.start()
            assert await waiting is not None
            await connection.stop()


@on_loop
async def test_the_last_context_closes_the_connection(factory: ConnectionFactory, server: FakeServer) -> None:
    async with connect("app", "secret", uri=server.uri) as context:
        other = await context.create_context(transacted=True)
        assert (other.transacted, other.client_id) == (True, "app")
        producer = other.create_producer().set(priority=3)
        await producer.send("queue://q", "dropped")
        await other.rollback()
        assert await producer.send_many("queue://q", ["1", "2"]) == 2
        await other.commit()
        found: list[object] = []
        while len(found) < 2:
            found += [message.body async for message in context.consume("queue://q", timeout=0.05)]
        assert found == ["1", "2"]
    await other.send("queue://q", "x")
    await other.close()
    with pytest.raises(IllegalStateError, match="connection is closed"):
        await other.create_context()


def test_a_loop_that_ends_early_leaves_no_error(factory: ConnectionFactory, server: FakeServer) -> None:
    """A program that forgets to close: what rings later finds no loop, and says nothing."""
    kept: list[Connection] = []

    async def program() -> None:
        connection = await factory.create_connection()
        kept.append(connection)
        session = await connection.create_session()
        receiver = await session.create_receiver(Q)
        receiver.attach(lambda message: None)
        await (await session.create_sender(Q)).send_async("x")

    asyncio.run(program())
    kept[0]._connection.close()


@on_loop
async def test_the_exception_listener_is_awaited(factory: ConnectionFactory, server: FakeServer) -> None:
    """§6.1.7: here too it may close the connection."""
    server.heartbeat = 0.05
    connection = await factory.create_connection(reconnect_timeout=0.05)
    assert connection.metadata.jms_version == "3.1"
    heard: list[JMSError] = []
    done = asyncio.Event()

    async def listener(error: JMSError) -> None:
        heard.append(error)
        await connection.close()
        done.set()

    connection.exception_listener = listener
    assert connection.exception_listener is listener
    with pytest.raises(TypeError):
        connection.exception_listener = 17  # type: ignore[assignment]
    server.stop()
    await done.wait()
    assert isinstance(heard[0], ConnectionFailedError)
    await until(lambda: connection._teller is None or connection._teller.done())
