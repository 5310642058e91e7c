"""The engine and its disk: full, short of room, broken, and looked after."""

from __future__ import annotations

import asyncio
import gc

import pytest
from support.engine_world import Q, T, World, run, send
from support.messages import frame_for
from support.simulated import SimulatedLoop, settle

from rmimom.commands import Acknowledge, Commit, CreateDestination, Disconnect, Subscribe
from rmimom.engine import RETRY_WHEN_FULL
from rmimom.errors import StoreDamagedError, StoreError, StoreFullError
from rmimom.records import Batch
from rmimom.store.memory import MemoryStore


def test_full_disk_refuses_sends_keeps_what_was_decided_and_recovers() -> None:
    """Rule 4: given a disk that fills up, then goes empty again, when sends come, then none is lost or told early."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q, prefetch=1))
        await world.engine.submit(send("c", "old"))
        await world.told()
        world.store.capacity = 50
        world.ask("stuck", send("c", "stuck", producer="p", sequence=1))
        world.ask("ack", Acknowledge("c", 1, tags=(2,)))
        assert await world.told() == []
        assert world.engine.statistics().full
        world.ask("refused", send("c", "new", producer="p", sequence=2))
        assert await world.told() == ["refused: StoreFullError"]
        world.ask("nothing new", CreateDestination("c", Q))
        await asyncio.sleep(10 * RETRY_WHEN_FULL)
        assert await world.told() == []
        assert world.failures == []
        world.store.capacity = None
        await asyncio.sleep(2 * RETRY_WHEN_FULL)
        assert await world.told() == ["c gets stuck", "stuck: None", "ack: None", "nothing new: False"]
        assert not world.engine.statistics().full
        world.ask("accepted", send("c", "new", producer="p", sequence=2))
        assert await world.told() == ["accepted: None"]

    run(scenario)


def test_send_that_repeats_what_waits_for_room_is_not_refused() -> None:
    """Promise 3: given a send stuck on a full disk, when its client asks again, then it is not told that it failed.

    Told so, the client would use the number for its next message, which would be dropped as a repetition later.
    """

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        world.store.capacity = 10
        world.ask("stuck", send("c", "a", producer="p", sequence=1))
        await settle()
        world.ask("again", send("d", "a", producer="p", sequence=1))
        world.ask("another", send("d", "b", producer="r", sequence=1))
        world.ask("transaction", Commit("d", "t", 1, [(Q, [frame_for(Q)])], []))
        assert await world.told() == ["another: StoreFullError", "transaction: StoreFullError"]
        world.store.capacity = None
        await asyncio.sleep(2 * RETRY_WHEN_FULL)
        assert await world.told() == ["stuck: None", "again: None"]
        assert world.store.statistics().messages == 1

    run(scenario)


def test_sends_are_refused_while_little_room_is_left() -> None:
    """Given less room than the reserve, when a send comes, then it is refused, so that acknowledgements find room."""

    async def scenario(loop: SimulatedLoop) -> None:
        free = [1000]
        world = await World(loop, free_bytes=lambda: free[0], reserve=100).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(send("c", "a"))
        free[0] = 99
        await world.engine.submit(send("c", "b"))
        await world.told()
        world.ask("send", send("c", "c"))
        world.ask("ack", Acknowledge("c", 1, tags=(2,)))
        assert await world.told() == ["send: StoreFullError", "ack: None"]
        free[0] = 100
        await asyncio.sleep(1.5)
        world.ask("send", send("c", "c"))
        assert await world.told() == ["c gets c", "send: None"]

    run(scenario)


class FailingStore(MemoryStore):
    """Fails when it is told to."""

    error: Exception | None = None

    def append(self, batch: Batch) -> None:
        if self.error is not None:
            raise self.error
        super().append(batch)


@pytest.mark.parametrize("error", [StoreError("the disk is gone"), StoreDamagedError("bad page"), OSError("I/O error")])
def test_any_other_failure_of_a_commit_ends_the_serving(error: Exception) -> None:
    """Given a commit that fails, when more is asked, then all hear so and nothing is told."""

    async def scenario(loop: SimulatedLoop) -> None:
        store = FailingStore()
        world = await World(loop, store).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        world.thread.by_hand = True
        store.error = error
        world.ask("in the batch", send("c", "a"))
        await settle()
        world.ask("in the next one", send("c", "b"))
        world.thread.work()
        assert await world.told() == ["in the batch: StoreError", "in the next one: StoreError"]
        assert world.failures == [error]
        assert world.engine.failure is error
        world.ask("later", CreateDestination("c", T))
        world.engine.tell(Disconnect("c"))
        assert await world.told() == ["later: StoreError"]
        await asyncio.sleep(5)
        assert world.failures == [error]
        world.thread.by_hand = False
        await world.engine.stop()
        assert world.thread.stopped

    run(scenario)


def test_text_of_the_error_says_that_the_outcome_is_unknown() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        store = FailingStore()
        world = await World(loop, store).start("c")
        store.error = OSError("I/O error")
        with pytest.raises(StoreError, match="I/O error; the outcome of this call is unknown"):
            await world.engine.submit(send("c", "a"))

    run(scenario)


def test_what_is_asked_after_the_end_and_not_waited_for_is_no_fault() -> None:
    """Given an engine that failed, or stopped, when clients that leave are reported to it, then nobody complains."""

    async def scenario(loop: SimulatedLoop) -> None:
        failed = await World(loop).start("c")
        failed.ask("bad", "no command")  # type: ignore[arg-type]
        assert await failed.told() == ["bad: StoreError"]
        stopped = await World(loop).start("c")
        await stopped.engine.stop()
        for world in (failed, stopped):
            world.engine.submit(Disconnect("c"))
        gc.collect()
        await settle()
        assert loop.failures == []

    run(scenario)


def test_stop_gives_up_what_finds_no_room() -> None:
    """Given a batch that waits for room, when the server stops, then it stops, and nobody was told of the batch."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.store.capacity = 1
        world.ask("send", send("c", "a"))
        world.ask("create", CreateDestination("c", T))
        await asyncio.sleep(1)
        await world.engine.stop()
        assert await world.told() == ["send: StoreError", "create: StoreError"]
        assert world.failures == []
        assert isinstance(world.engine.failure, StoreFullError)

    run(scenario)


def test_stop_tries_once_more_to_find_room() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.store.capacity = 1
        world.ask("send", send("c", "a"))
        await settle()
        world.store.capacity = None
        await world.engine.stop()
        assert await world.told() == ["send: None"]
        assert world.engine.failure is None

    run(scenario)


def test_store_that_cannot_be_opened_is_closed_again() -> None:
    class Damaged(MemoryStore):
        closed = False

        def open(self) -> None:
            raise StoreDamagedError("bad page")

        def close(self) -> None:
            self.closed = True

    async def scenario(loop: SimulatedLoop) -> None:
        store = Damaged()
        world = World(loop, store)
        with pytest.raises(StoreDamagedError):
            await world.start()
        assert store.closed
        assert world.thread.stopped

    run(scenario)


class UpkeptStore(MemoryStore):
    """Counts its upkeep, and fails in it if told to."""

    left = 0
    done = 0
    error: Exception | None = None

    def maintain(self) -> bool:
        if self.error is not None:
            raise self.error
        self.done += 1
        self.left -= 1
        return self.left > 0


def test_upkeep_goes_on_while_there_is_some_and_nothing_else_to_do() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        store = UpkeptStore()
        store.left = 5
        await World(loop, store).start()
        await asyncio.sleep(1.5)
        assert store.done == 5

    run(scenario)


@pytest.mark.parametrize(("error", "ends"), [(StoreFullError("full"), False), (StoreError("gone"), True)])
def test_upkeep_that_fails(error: Exception, ends: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk only puts upkeep off, which is said once; any other failure ends the serving."""

    async def scenario(loop: SimulatedLoop) -> None:
        store = UpkeptStore()
        store.error = error
        world = await World(loop, store).start()
        await asyncio.sleep(3.5)
        assert world.failures == ([error] if ends else [])

    run(scenario)
    assert caplog.text.count("upkeep of the store waits for room on disk") == (0 if ends else 1)
