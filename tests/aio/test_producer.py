"""Producers on an event loop: sends, receipts, room in the outbox, and what becomes of them when cancelled (§7)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from support.fake_server import FakeServer
from support.loops import LIMIT, cancelled, on_loop, started

from rmimom.aio import ConnectionFactory
from rmimom.destination import Queue, Topic
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    InvalidDestinationError,
    TransactionInProgressError,
    TransactionRolledBackError,
)
from rmimom.frame import decode_frame
from rmimom.message import Message

Q = Queue("q")


def bodies(server: FakeServer) -> list[str]:
    return [decode_frame(frame).body.decode() for frame in server.broker.stored]


@on_loop
async def test_send_returns_when_the_server_has_it(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection("app", "secret") as connection, connection.create_session() as session:
        async with session.create_sender(Q) as sender:
            sender.priority, sender.persistent = 7, False
            sender.time_to_live, sender.delivery_delay = timedelta(seconds=60), 2
            message = Message("x", correlation_id="c")
            await sender.send(message, properties={"a": 1}, type="t")
            frame = decode_frame(server.broker.stored[0])
            assert (frame.priority, frame.mode, frame.correlation_id, frame.type) == (7, 1, "c", "t")
            assert (frame.expiration - frame.timestamp, frame.delivery_time - frame.timestamp) == (60_000, 2_000)
            assert (sender.destination, sender.priority, sender.persistent) == (Q, 7, False)
            assert (sender.time_to_live, sender.delivery_delay) == (60, 2)
            assert message.message_id == frame.message_id
        with pytest.raises(IllegalStateError, match="this Sender is closed"):
            await sender.send("x")


@on_loop
async def test_each_kind_of_producer(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection:
        session = await connection.create_session()
        publisher = await session.create_publisher(Topic("t"))
        await publisher.publish("one")
        await (await publisher.publish_async("two"))
        assert await publisher.publish_many(["three"], priority=1) == 1
        anywhere = await session.create_producer()
        await anywhere.send("four", destination=Q)
        assert type(await session.create_producer(Q)).__name__ == "Sender"
        assert type(await session.create_producer(Topic("t"))).__name__ == "Publisher"
        with pytest.raises(InvalidDestinationError, match="name one at each send"):
            await anywhere.send("five")
        assert bodies(server) == ["one", "two", "three", "four"]


@on_loop
async def test_sends_of_many_tasks_share_exchanges(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        sender = await session.create_sender(Q)
        await asyncio.gather(*(sender.send(str(number)) for number in range(300)))
        assert bodies(server) == [str(number) for number in range(300)]
        assert len(server.exchanges) < 100


@on_loop
async def test_receipts(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        sender = await session.create_sender(Q)
        with server.broker.lock:
            first, second = await sender.send_async("1"), await sender.send_async("2")
            assert not first.done()
            assert repr(first) == "<Receipt: under way>"
            waiting = await started(second.result(60))
            assert await cancelled(waiting)
            with pytest.raises(ConnectionFailedError, match="no answer within"):
                await first.result(timeout=0.01)
        await first
        await second.result()
        assert (first.done(), first.exception()) == (True, None)
        assert await sender.send_many(str(number) for number in range(3, 6)) == 3
        assert bodies(server) == ["1", "2", "3", "4", "5"]


@on_loop
async def test_a_refused_send(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        server.broker.refuse["queue://refused"] = InvalidDestinationError("no such queue")
        sender = await session.create_sender(Queue("refused"))
        with pytest.raises(InvalidDestinationError):
            await sender.send("x")
        receipt = await sender.send_async("y")
        with pytest.raises(InvalidDestinationError):
            await sender.flush()
        assert isinstance(receipt.exception(), InvalidDestinationError)
        await sender.flush()  # said once


@on_loop
async def test_a_full_outbox_lets_other_tasks_work(factory: ConnectionFactory, server: FakeServer) -> None:
    """`max_in_flight` makes a task wait, never the loop."""
    async with factory.create_connection(max_in_flight=4) as connection, connection.create_session() as session:
        sender = await session.create_sender(Q)
        with server.broker.lock:
            for number in range(4):
                await sender.send_async(str(number))
            waiting = [await started(sender.send_async(str(number))) for number in range(4, 7)]
            await asyncio.sleep(0.02)  # the loop goes on
            assert not any(task.done() for task in waiting)
            assert await cancelled(waiting.pop(0))
        await asyncio.gather(*waiting)
        await sender.flush()
        assert bodies(server) == ["0", "1", "2", "3", "5", "6"]


@on_loop
async def test_the_room_of_a_cancelled_send_is_for_the_next(factory: ConnectionFactory, server: FakeServer) -> None:
    """Cancelled in the moment in which it was woken: nobody may wait for ever behind it."""
    async with factory.create_connection(max_in_flight=1) as connection, connection.create_session() as session:
        sender = await session.create_sender(Q)
        with server.broker.lock:
            await sender.send_async("0")
            first, second = await started(sender.send_async("1")), await started(sender.send_async("2"))
        connection._connection._exchange.flush(LIMIT)  # the loop stands still until there is room
        await asyncio.sleep(0)
        assert len(connection._bridge._rooms) == 1  # the first was woken, and has not run yet
        assert await cancelled(first)
        await second
        await sender.flush()
        assert bodies(server) == ["0", "2"]


@on_loop
async def test_a_cancelled_send_is_sent_all_the_same(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        sender = await session.create_sender(Q)
        with server.broker.lock:
            task = await started(sender.send("x"))
            assert await cancelled(task)
            with pytest.raises(ConnectionFailedError, match="no answer within"):
                await sender.send("y", timeout=0.01)
            with pytest.raises(ConnectionFailedError, match="no answer"):
                await sender.flush(0.01) if await sender.send_async("z") else None
        await sender.flush()
        assert bodies(server) == ["x", "y", "z"]
        assert connection._bridge._tickets == {}


@on_loop
async def test_sends_of_a_transaction(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session(transacted=True) as session:
        sender = await session.create_sender(Q)
        await sender.send("1")
        receipt = await sender.send_async("2")
        with pytest.raises(TransactionInProgressError, match="sent when its session commits"):
            await receipt
        await sender.flush()
        assert bodies(server) == []
        await session.commit()
        await receipt
        assert bodies(server) == ["1", "2"]
        dropped = await sender.send_async("3")
        await session.rollback()
        assert isinstance(dropped.exception(), TransactionRolledBackError)
        assert (session.transacted, bodies(server)) == (True, ["1", "2"])


@on_loop
async def test_a_closed_connection_fails_what_waits(factory: ConnectionFactory, server: FakeServer) -> None:
    connection = await factory.create_connection(max_in_flight=1)
    session = await connection.create_session()
    sender = await session.create_sender(Q)
    await connection.close()
    with pytest.raises(IllegalStateError, match="connection is closed"):
        await sender.send("x")
    with pytest.raises(IllegalStateError, match="connection is closed"):
        await session.create_receiver(Q)


def test_another_loop_is_refused(factory: ConnectionFactory) -> None:
    loop = asyncio.new_event_loop()
    try:
        connection = loop.run_until_complete(_opened(factory))
        session = loop.run_until_complete(_awaited(connection.create_session()))
        sender = loop.run_until_complete(_awaited(session.create_sender(Q)))
        for call in (lambda: sender.send("x"), sender.flush, lambda: _awaited(session.create_receiver(Q))):
            with pytest.raises(IllegalStateError, match="belongs to another event loop"):
                asyncio.run(call())
        loop.run_until_complete(connection.close())
    finally:
        loop.close()


async def _opened(factory):  # type: ignore[no-untyped-def]
    return await factory.create_connection()


async def _awaited(opening):  # type: ignore[no-untyped-def]
    return await opening
