"""The engine and the other copies of its log: nothing is told before they have it."""

from __future__ import annotations

import asyncio

from support.engine_world import Copies, Q, Replica, T, World, run, send
from support.messages import frame_for
from support.simulated import SimulatedLoop, settle

from rmimom.commands import Acknowledge, CloseConsumer, Send, Subscribe
from rmimom.core.state import Rules
from rmimom.engine import RETRY_WHEN_FULL
from rmimom.errors import ConnectionFailedError
from rmimom.records import Batch
from rmimom.replication import NotActiveError
from rmimom.store.memory import MemoryStore


def test_nothing_is_told_before_every_replica_has_the_batch() -> None:
    """Promise 1 with standbys: given one replica that is slow, when the disk is done, then still nothing is told."""

    async def scenario(loop: SimulatedLoop) -> None:
        replicas = [Replica(), Replica()]
        world = await World(loop, replicas=replicas).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        replicas[1].open.clear()
        world.ask("send", send("c", "a"))
        assert await world.told() == []
        assert world.store.statistics().messages == 1
        assert len(replicas[0].batches) == len(replicas[1].batches) + 1
        replicas[1].open.set()
        assert await world.told() == ["c gets a", "send: None"]

    run(scenario)


def test_replica_waits_for_the_disk_too() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        world.thread.by_hand = True
        world.ask("send", send("c", "a"))
        assert await world.told() == []
        assert len(replica.batches) == 1
        world.thread.work()
        assert await world.told() == ["send: None"]

    run(scenario)


def test_a_batch_is_on_its_way_to_the_standbys_before_a_small_commit_holds_up_the_loop() -> None:
    """Given a link that waits for work, when one message is sent, then it is shipped before our own disk is asked."""

    async def scenario(loop: SimulatedLoop) -> None:
        order: list[str] = []
        work = asyncio.Event()
        shipped: asyncio.Future[None] = loop.create_future()

        class Linked(Copies):
            def offer(self, batch: Batch) -> asyncio.Future[None]:
                work.set()
                return shipped

        async def link() -> None:
            await work.wait()
            order.append("shipped")
            shipped.set_result(None)

        class Disk(MemoryStore):
            def append(self, batch: Batch) -> None:
                order.append("stored")
                super().append(batch)

        world = await World(loop, Disk()).start("c")
        await settle()
        order.clear()
        world.engine._replication = Linked(loop, [])
        linked = loop.create_task(link())
        await settle()
        world.ask("send", send("c", "a"))
        assert await world.told() == ["send: None"]
        assert order == ["shipped", "stored"]
        await linked

    run(scenario)


def test_replica_holds_the_same_state() -> None:
    """Given a replica that applied every batch, when both stores are read, then they say the same."""

    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica], rules=Rules(resident_bytes=100)).start("c")
        await world.engine.submit(Subscribe("c", 1, Q, prefetch=3))
        await world.engine.submit(Subscribe("c", 2, T, durable="x"))
        for number in range(10):
            await world.engine.submit(send("c", f"{number}", producer="p", sequence=2 * number + 1))
            await world.engine.submit(send("c", f"{number}", destination=T, producer="p", sequence=2 * number + 2))
        await world.engine.submit(Acknowledge("c", 1, up_to=6))
        await world.engine.submit(CloseConsumer("c", 1))
        states = []
        for store in (world.store, replica.store):
            snapshot = store.load()
            states.append(
                [
                    snapshot.position,
                    list(snapshot.destinations()),
                    list(snapshot.subscriptions()),
                    list(snapshot.producers()),
                    dict(snapshot.delivered_up_to()),
                    list(snapshot.messages()),
                    list(snapshot.deliveries()),
                ]
            )
        assert states[0] == states[1]
        assert len(states[0][5]) == 18

    run(scenario)


def test_failing_replica_ends_the_serving() -> None:
    """Given a replica that fails, when a batch is shipped, then nothing of it is told as done."""

    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        replica.error = ConnectionFailedError("the standby is gone")
        world.ask("send", send("c", "a"))
        assert await world.told() == ["send: StoreError"]
        assert world.failures == [replica.error]

    run(scenario)


def test_what_changes_no_disk_is_told_only_by_a_server_that_may_speak() -> None:
    """Promise 8: given a non-persistent message, when no replica confirms who speaks, then it is not told."""

    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        await world.engine.submit(Subscribe("c", 1, T))
        await world.engine.submit(Send("c", "", 0, T, [frame_for(T, "first", persistent=False)]))
        assert await world.told() == ["c gets first"]
        batches, confirmed = len(replica.batches), replica.confirmed
        replica.open.clear()
        world.ask("send", Send("c", "", 0, T, [frame_for(T, "a", persistent=False)]))
        assert await world.told() == []
        replica.open.set()
        assert await world.told() == ["c gets a", "send: None"]
        assert (len(replica.batches), replica.confirmed) == (batches, confirmed + 1)
        replica.error = ConnectionFailedError("another server is active")
        world.ask("late", Send("c", "", 0, T, [frame_for(T, "b", persistent=False)]))
        assert await world.told() == ["late: StoreError"]

    run(scenario)


class Deposed(Copies):
    """The replication of a server that is not active any more: it refuses at once."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__(loop, [])
        self.deposed = False

    def _ship(self, batch: Batch | None) -> asyncio.Future[None]:
        if not self.deposed:
            return super()._ship(batch)
        refused: asyncio.Future[None] = self._loop.create_future()
        refused.set_exception(NotActiveError("another server is active"))
        return refused


def test_a_deposed_server_writes_nothing_more() -> None:
    """Its successor goes on from where the log ended, so what came after would have to be truncated."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = World(loop)
        world.engine._replication = replication = Deposed(loop)
        await world.start("c")
        await world.engine.submit(send("c", "a"))
        end = world.store.load().position
        replication.deposed = True
        world.ask("late", send("c", "b"))
        assert await world.told() == ["late: StoreError"]
        await world.engine.stop()
        world.store.open()
        assert world.store.load().position == end
        assert [type(failure) for failure in world.failures] == [NotActiveError]

    run(scenario)


def test_full_disk_with_replicas_ships_a_batch_once() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        replica = Replica()
        world = await World(loop, replicas=[replica]).start("c")
        world.store.capacity = 1
        world.ask("send", send("c", "a"))
        await asyncio.sleep(5 * RETRY_WHEN_FULL)
        assert await world.told() == []
        world.store.capacity = None
        await asyncio.sleep(2 * RETRY_WHEN_FULL)
        assert await world.told() == ["send: None"]
        assert len({batch.sequence for batch in replica.batches}) == len(replica.batches)

    run(scenario)
