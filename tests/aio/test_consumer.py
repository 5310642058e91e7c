"""Consumers on an event loop: receiving, cancelling, observers (Jakarta Messaging 3.1 §8)."""

from __future__ import annotations

import asyncio

import pytest
from support.fake_server import FakeServer
from support.loops import cancelled, on_loop, started, until

from rmimom import TextMessage
from rmimom.aio import Connection, ConnectionFactory, Message
from rmimom.client import session_thread
from rmimom.client.mode import (
    AUTO_ACKNOWLEDGE,
    CLIENT_ACKNOWLEDGE,
    DUPS_OK_ACKNOWLEDGE,
    INDIVIDUAL_ACKNOWLEDGE,
    SESSION_TRANSACTED,
    AcknowledgeMode,
)
from rmimom.destination import Queue, Topic
from rmimom.errors import ConnectionFailedError, IllegalStateError, InvalidDestinationError, MessageFormatError

Q = Queue("q")


async def fill(connection: Connection, count: int, queue: Queue = Q) -> None:
    async with connection.create_session() as session, session.create_sender(queue) as sender:
        await sender.send_many(str(number) for number in range(count))


def tags(server: FakeServer, name: str = "queue://q") -> list[int]:
    return [entry.tag for entry in server.broker.boxes[name]]


@on_loop
async def test_receive(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        async with session.create_receiver(Q) as receiver:
            assert receiver.destination == Q
            assert await receiver.receive(0.01) is None
            assert await receiver.receive_no_wait() is None
            waiting = await started(receiver.receive())
            await fill(connection, 2)
            message = await waiting
            assert isinstance(message, Message)
            assert message.body == "0"
            message = await receiver.receive(60)
            assert message is not None
            await message.acknowledge()  # nothing to do
            await until(lambda: server.broker.acknowledged == [1, 2])
        with pytest.raises(IllegalStateError, match="is closed"):
            await receiver.receive()


@on_loop
async def test_iteration_ends_with_the_consumer(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver = await session.create_receiver(Q)
        seen: list[object] = []

        async def read() -> None:
            async for message in receiver:
                seen.append(message.body)  # noqa: PERF401  # seen as it grows

        reading = await started(read())
        await fill(connection, 250)
        await until(lambda: len(seen) == 250)
        assert seen == [str(number) for number in range(250)]
        waiting = await started(receiver.receive())
        await receiver.close()
        await reading
        assert await waiting is None


@on_loop
async def test_a_cancelled_receive_takes_nothing(factory: ConnectionFactory, server: FakeServer) -> None:
    """Whenever it is cancelled, every message is received once: by it, or by who asks next."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver = await session.create_receiver(Q)
        sender = await session.create_sender(Q)
        seen: list[object] = []
        for number in range(100):
            task = await started(receiver.receive())
            await sender.send_async(str(number))
            # From cancelling at once to cancelling after the message has come.
            for _ in range(number % 10):
                await asyncio.sleep(0.0003 * (number % 3))
            if not await cancelled(task):
                message = task.result()
                seen.append(message.body)
        await sender.flush()
        while len(seen) < 100:
            message = await receiver.receive(60)
            assert message is not None
            seen.append(message.body)
        assert seen == [str(number) for number in range(100)]
        assert await receiver.receive_no_wait() is None


@on_loop
async def test_a_receive_that_was_woken_and_cancelled_leaves_it_to_the_next(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver = await session.create_receiver(Q)
        first, second = await started(receiver.receive()), await started(receiver.receive())
        await fill(connection, 1)
        await until(lambda: receiver._consumer._intake.waiting or second.done() or first.done())
        if await cancelled(first):
            message = await second
            assert message is not None
        else:
            assert await cancelled(second)


@on_loop
async def test_a_timeout_around_receive_loses_nothing(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver = await session.create_receiver(Q)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receiver.receive(), 0.01)  # noqa: TID251  # programs of others have it
        await fill(connection, 1)
        async with asyncio.timeout(60):
            assert await receiver.receive() is not None


@on_loop
async def test_tasks_share_a_consumer(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver = await session.create_receiver(Q)
        waiting = [await started(receiver.receive()) for _ in range(10)]
        await fill(connection, 10)
        messages = await asyncio.gather(*waiting)
        assert sorted(message.body for message in messages) == [str(number) for number in range(10)]


@on_loop
async def test_a_busy_receiver_lets_others_have_their_turn(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver = await session.create_receiver(Q)
        await fill(connection, 300)
        await until(lambda: len(receiver._consumer._intake.waiting) == 300)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = await started(other())
        before = turns
        for _ in range(300):
            assert await receiver.receive(60) is not None
        assert turns >= before + 3
        await cancelled(task)


@on_loop
async def test_client_acknowledge(factory: ConnectionFactory, server: FakeServer) -> None:
    """§6.2.10: one acknowledge covers what the session delivered before; when it returns the server has it."""
    async with factory.create_connection() as connection:
        await fill(connection, 3)
        async with connection.create_session(CLIENT_ACKNOWLEDGE) as session:
            assert session.mode is CLIENT_ACKNOWLEDGE
            receiver = await session.create_receiver(Q)
            first, second = await receiver.receive(60), await receiver.receive(60)
            assert first is not None
            assert second is not None
            await receiver.acknowledge(first)
            assert server.broker.acknowledged == [1, 2]
            await second.acknowledge()
            third = await receiver.receive(60)
            await session.recover()
            again = await receiver.receive(60)
            assert third is not None
            assert again is not None
            assert (again.body, again.delivery_count, isinstance(again, Message)) == ("2", 2, True)
            assert isinstance(again, TextMessage)
        assert tags(server) == [3]
        with pytest.raises(IllegalStateError, match="cannot be acknowledged any more"):
            await again.acknowledge()


@on_loop
async def test_individual_acknowledge_of_many_tasks(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection:
        await fill(connection, 20)
        async with connection.create_session(INDIVIDUAL_ACKNOWLEDGE) as session:
            receiver = await session.create_receiver(Q)
            messages = [await receiver.receive(60) for _ in range(20)]
            await asyncio.gather(*(message.acknowledge() for message in messages[1::2] if message is not None))
            assert sorted(server.broker.acknowledged) == list(range(2, 21, 2))
        assert tags(server) == list(range(1, 21, 2))


@on_loop
async def test_dups_ok_acknowledges_later(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection:
        await fill(connection, 5)
        async with connection.create_session(DUPS_OK_ACKNOWLEDGE) as session:
            receiver = await session.create_receiver(Q)
            for _ in range(5):
                assert await receiver.receive(60) is not None
        assert server.broker.acknowledged == [1, 2, 3, 4, 5]


@on_loop
@pytest.mark.parametrize("mode", [CLIENT_ACKNOWLEDGE, INDIVIDUAL_ACKNOWLEDGE, SESSION_TRANSACTED])
async def test_a_closed_receiver_leaves_its_message_to_the_session(
    mode: AcknowledgeMode, factory: ConnectionFactory, server: FakeServer
) -> None:
    """§6.2.10, §8.8: others get the rest at once, and the message is acknowledged or committed without it."""
    async with factory.create_connection() as connection, connection.create_session(mode) as session:
        await fill(connection, 2)
        async with session.create_receiver(Q) as receiver:
            message = await receiver.receive(60)
            assert message is not None
        assert tags(server) == [2]
        await (session.commit() if session.transacted else message.acknowledge())
        assert server.broker.acknowledged == [1]
        assert server.broker.consumers == []
        await message.acknowledge()  # twice is harmless


@on_loop
async def test_a_closed_receiver_delivers_nothing_again(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session(CLIENT_ACKNOWLEDGE) as session:
        await fill(connection, 2)
        async with session.create_receiver(Q) as receiver:
            first, second = await receiver.receive(60), await receiver.receive(60)
            assert first is not None
            assert second is not None
        await first.nack("no good")
        assert tags(server) == [1]
        await session.recover()
        assert tags(server) == [2, 1]
        assert server.broker.consumers == []


@on_loop
async def test_nack(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session(CLIENT_ACKNOWLEDGE) as session:
        receiver = await session.create_receiver(Q)
        await fill(connection, 1)
        message = await receiver.receive(60)
        assert message is not None
        await message.nack("no good")
        again = await receiver.receive(60)
        assert again is not None
        assert again.redelivered
        await receiver.nack(again, "no good", None, dead=False)
        with pytest.raises(IllegalStateError, match="has it no more"):
            await again.nack()


@on_loop
async def test_a_message_of_ones_own_has_nobody_to_acknowledge_it() -> None:
    with pytest.raises(IllegalStateError, match="was not received"):
        await Message("x").acknowledge()
    with pytest.raises(IllegalStateError, match="was not received"):
        await Message("x").nack()


@on_loop
async def test_a_server_that_stays_away(factory: ConnectionFactory, server: FakeServer) -> None:
    server.heartbeat = 0.05
    connection = await factory.create_connection(reconnect_timeout=0.05)
    session = await connection.create_session()
    receiver = await session.create_receiver(Q)
    waiting = await started(receiver.receive())
    server.stop()
    with pytest.raises(ConnectionFailedError):
        await waiting
    sender = await session.create_sender(Q)
    with pytest.raises(ConnectionFailedError):
        await sender.send("x")
    await connection.close()


@on_loop
async def test_subscribers(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        subscriber = await session.create_subscriber(Topic("t"), durable="d", selector="x = 1", prefetch=5)
        assert subscriber.durable == "d"
        assert subscriber._consumer._options == {"selector": "x = 1", "prefetch": 5, "durable": "d"}
        await subscriber.close()
        await session.unsubscribe("d")
        with pytest.raises(InvalidDestinationError):
            await session.unsubscribe("d")


@on_loop
async def test_bodies(factory: ConnectionFactory, server: FakeServer) -> None:
    """§8.6: a body of another type is as if nobody had asked; cancelled, nothing is taken."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver = await session.create_receiver(Q)
        assert await receiver.receive_body_no_wait(str) is None
        assert await cancelled(await started(receiver.receive_body(str)))
        waiting = await started(receiver.receive_body(str, 60))
        await fill(connection, 2)
        assert await waiting == "0"
        with pytest.raises(MessageFormatError, match="no body of type dict"):
            await receiver.receive_body(dict, 60)
        assert await receiver.receive_body(str, 60) == "1"
        await until(lambda: server.broker.acknowledged == [1, 2])


# Observers.


class Observer:
    """Keeps what it was told of, and fails as often as it is to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.told: list[tuple[object, int]] = []
        self.running = 0
        self.together = 0

    async def on_message(self, message: Message) -> None:
        self.running += 1
        self.together = max(self.together, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        self.told.append((message.body, message.delivery_count))
        if self.failures:
            self.failures -= 1
            raise ValueError("not today")


@on_loop
async def test_observers_are_awaited_one_at_a_time(factory: ConnectionFactory, server: FakeServer) -> None:
    """§8.7, §6.2.13: one at a time in the whole session; acknowledged when they have returned."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        observer = Observer()
        first, second = await session.create_receiver(Q), await session.create_receiver(Queue("r"))
        first.attach(observer)
        second.attach(observer)
        await fill(connection, 10)
        await fill(connection, 10, Queue("r"))
        await until(lambda: len(observer.told) == 20)
        assert observer.together == 1
        await until(lambda: len(server.broker.acknowledged) == 20)
        with pytest.raises(IllegalStateError, match="has observers"):
            await first.receive(0)
        first.detach(observer)
        second.detach(observer)
        await fill(connection, 1)
        assert await first.receive(60) is not None


@on_loop
async def test_an_observer_may_be_any_callable(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        told: list[object] = []
        receiver = await session.create_receiver(Q)
        receiver.attach(lambda message: told.append(message.body))
        await fill(connection, 2)
        await until(lambda: told == ["0", "1"])
        with pytest.raises(TypeError, match="no observer"):
            receiver.attach(17)  # type: ignore[arg-type]


@on_loop
async def test_an_observer_that_fails_gets_the_message_again(
    factory: ConnectionFactory, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_thread, "LISTENER_PAUSE", 0.001)
    async with factory.create_connection() as connection, connection.create_session() as session:
        observer = Observer(failures=2)
        (await session.create_receiver(Q)).attach(observer)
        await fill(connection, 2)
        await until(lambda: len(observer.told) == 4)
        assert observer.told == [("0", 1), ("0", 2), ("0", 3), ("1", 1)]
        await until(lambda: server.broker.acknowledged == [1, 2])


@on_loop
async def test_an_observer_whose_await_was_cancelled_has_failed(
    factory: ConnectionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_thread, "LISTENER_PAUSE", 0.001)
    async with factory.create_connection() as connection, connection.create_session() as session:
        counts: list[int] = []

        async def observer(message: Message) -> None:
            counts.append(message.delivery_count)
            if len(counts) == 1:
                future = asyncio.get_running_loop().create_future()
                future.cancel()
                await future

        (await session.create_receiver(Q)).attach(observer)
        await fill(connection, 1)
        await until(lambda: counts == [1, 2])


@pytest.mark.parametrize("mode", [AUTO_ACKNOWLEDGE, CLIENT_ACKNOWLEDGE])
@on_loop
async def test_closing_waits_for_the_observer(factory: ConnectionFactory, mode: AcknowledgeMode) -> None:
    """§6.1.8: what runs has full service until it returns; then the observer's task is gone."""
    async with factory.create_connection() as connection:
        session = await connection.create_session(mode)
        begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def observer(message: Message) -> None:
            begun.set()
            await go_on.wait()
            done.set()

        (await session.create_receiver(Q)).attach(observer)
        await fill(connection, 1)
        await begun.wait()
        closing = await started(session.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        go_on.set()
        await closing
        assert done.is_set()


@on_loop
async def test_stop_waits_for_the_observer(factory: ConnectionFactory) -> None:
    """§6.1.5: `stop` returns when no observer runs, and nothing is delivered after it until `start`."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        begun, go_on = asyncio.Event(), asyncio.Event()
        told: list[object] = []

        async def observer(message: Message) -> None:
            begun.set()
            await go_on.wait()
            told.append(message.body)

        (await session.create_receiver(Q)).attach(observer)
        await fill(connection, 2)
        await begun.wait()
        stopping = await started(connection.stop())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        go_on.set()
        await stopping
        assert told == ["0"]
        await connection.start()
        await until(lambda: told == ["0", "1"])


@on_loop
async def test_an_observer_may_commit(factory: ConnectionFactory, server: FakeServer) -> None:
    async with factory.create_connection() as connection, connection.create_session(transacted=True) as session:
        receiver, sender = await session.create_receiver(Q), await session.create_sender(Queue("r"))
        done: list[object] = []

        async def observer(message: Message) -> None:
            await sender.send(message.body)
            await session.commit()
            done.append(message.body)

        receiver.attach(observer)
        await fill(connection, 3)
        await until(lambda: done == ["0", "1", "2"])
        assert len(tags(server, "queue://r")) == 3
        assert len(server.broker.acknowledged) == 3


@on_loop
async def test_an_observer_may_close_its_own_consumer_and_no_more(
    factory: ConnectionFactory, server: FakeServer
) -> None:
    """§8.8; §6.1.8: what would wait for the observer itself is refused."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        receiver, other = await session.create_receiver(Q), await session.create_receiver(Queue("r"))
        refused: list[str] = []
        done = asyncio.Event()

        async def observer(message: Message) -> None:
            for call in (session.close, connection.close, connection.stop):
                with pytest.raises(IllegalStateError, match="an observer cannot") as caught:
                    await call()
                refused.append(str(caught.value))
            await other.close()
            await receiver.close()
            done.set()

        receiver.attach(observer)
        await fill(connection, 1)
        await done.wait()
        assert len(refused) == 3
        await until(lambda: session._session._consumers == [])
        await until(lambda: server.broker.acknowledged == [1])
