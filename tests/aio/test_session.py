"""Sessions on an event loop: transactions and cancelled calls (Jakarta Messaging 3.1 §6.2)."""

from __future__ import annotations

import asyncio

import pytest
from support.fake_server import FakeServer
from support.loops import cancelled, on_loop, started, until

from rmimom import TextMessage
from rmimom.aio import ConnectionFactory
from rmimom.destination import Queue, TemporaryQueue, Topic
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.frame import decode_frame

Q = Queue("q")


def bodies(server: FakeServer) -> list[str]:
    return [decode_frame(frame).body.decode() for frame in server.broker.stored]


@on_loop
async def test_a_cancelled_commit_goes_on_and_the_rest_waits(factory: ConnectionFactory, server: FakeServer) -> None:
    """What is sent after it belongs to the next transaction, and never gets into the middle of the one that commits."""
    async with factory.create_connection() as connection, connection.create_session(transacted=True) as session:
        sender = await session.create_sender(Q)
        await sender.send("1")
        with server.broker.lock:
            committing = await started(session.commit())
            await until(lambda: session._session._transaction is not None and session._session._transaction.request)
            assert await cancelled(committing)
            sending = await started(sender.send("2"))
            assert not sending.done()
        await sending
        assert bodies(server) == ["1"]
        await session.rollback()
        await session.commit()
        assert bodies(server) == ["1"]


@on_loop
async def test_what_a_cancelled_call_made_is_closed(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        with server.broker.lock:

            async def create() -> None:
                await session.create_receiver(Q)

            creating = await started(create())
            await until(lambda: session._session._consumers)
            assert await cancelled(creating)
        await until(lambda: server.calls["close_consumer"] == 1)
        assert server.broker.consumers == []


@on_loop
async def test_what_is_entered_is_closed(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection:
        async with connection.create_session() as session:
            async with session.create_receiver(Q):
                assert len(session._session._consumers) == 1
            assert session._session._consumers == []
        with pytest.raises(IllegalStateError, match="session is closed"):
            await session.create_sender(Q)
        await session.close()


@on_loop
async def test_temporary_destinations(factory: ConnectionFactory) -> None:
    """§6.2.2: equal to what a peer gets in reply_to, and deleting one is awaited."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        queue, topic = await session.create_temporary_queue(), await session.create_temporary_topic()
        assert queue == TemporaryQueue(queue.name)
        await queue.delete()
        await topic.delete()
        with pytest.raises(IllegalStateError, match="made by another connection"):
            TemporaryQueue("x").delete()


@on_loop
async def test_requests(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        answering = await connection.create_session()

        async def answer(request):  # type: ignore[no-untyped-def]
            if request.body != "nobody knows":
                await answering.reply(request, request.body + "!", priority=7)

        (await answering.create_receiver(Q)).attach(answer)
        async with session.create_requestor(Q) as requestor:
            assert requestor.destination == Q
            pending = await requestor.ask("a")
            reply = await requestor.request("b", timeout=60)
            assert reply is not None
            assert (reply.body, reply.priority) == ("b!", 7)
            first = await pending
            assert first is not None
            assert (first.body, pending.done()) == ("a!", True)
            assert await requestor.request("nobody knows", timeout=0.01) is None
            given_up = await started(requestor.request("nobody knows", timeout=60))
            await cancelled(given_up)
            assert requestor._requestor._pending == {}
            waiting = await started(requestor.request("nobody knows", timeout=60))
            await until(lambda: requestor._requestor._pending)
            await asyncio.sleep(0.01)
        with pytest.raises(IllegalStateError, match="was closed"):
            await waiting
        with pytest.raises(InvalidDestinationError, match="no reply_to"):
            await session.reply(TextMessage("x"), "y")


@on_loop
async def test_sessions_for_one_kind_of_destination(factory: ConnectionFactory) -> None:
    """§9.2: they refuse the other kind."""
    async with factory.create_connection() as connection:
        async with connection.create_queue_session() as session:
            await session.create_receiver(session.queue("q"))
            with pytest.raises(IllegalStateError, match="a QueueSession has no create_subscriber"):
                await session.create_subscriber(Topic("t"))
        async with connection.create_topic_session() as session:
            await session.create_subscriber(session.topic("t"))
            with pytest.raises(IllegalStateError, match="a TopicSession has no queue"):
                session.queue("q")
            assert isinstance(session.create_text_message("x"), TextMessage)
