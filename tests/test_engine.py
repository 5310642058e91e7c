"""The engine: records before effects, whatever the store does.

Every test runs in a simulated world (tests/support/engine_world.py): the store thread works when the test lets it, and
time passes when nothing else is left to do.
"""

from __future__ import annotations

import asyncio

import pytest
from support.engine_world import Q, Sink, T, World, run, send
from support.messages import frame_for
from support.simulated import SimulatedLoop, settle

from rmimom.commands import CloseConsumer, Connect, CreateDestination, Purge, Send, Subscribe
from rmimom.core.state import SERVER, Rules
from rmimom.effects import DestinationAdded
from rmimom.engine import IDS_RESERVED
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.frame import Delivered
from rmimom.store.memory import MemoryStore


def test_nothing_is_told_before_the_records_are_safe() -> None:
    """Promise 1: given a store that has not appended yet, when time passes, then neither answer nor delivery is out."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        world.thread.by_hand = True
        world.ask("send", send("c", "a"))
        assert await world.told() == []
        await asyncio.sleep(3)
        assert await world.told() == []
        world.thread.work()
        assert await world.told() == ["c gets a", "send: None"]

    run(scenario)


def test_what_comes_while_a_batch_is_committed_goes_into_the_next_one() -> None:
    """Rule 2: given a commit under way, when ten sends come, then one more commit carries them, told in order."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        await world.engine.submit(Subscribe("d", 1, Q))
        before = world.engine.statistics().batches
        world.thread.by_hand = True
        for number in range(3):
            world.ask(f"first {number}", send("c", f"{number}"))
        await settle()
        for number in range(3, 13):
            world.ask(f"second {number}", send("c", f"{number}"))
        assert await world.told() == []
        assert len(world.thread.waiting) == 1
        assert world.engine.statistics().committing
        world.thread.work()
        assert await world.told() == [
            "d gets 0",
            "d gets 1",
            "d gets 2",
            "first 0: None",
            "first 1: None",
            "first 2: None",
        ]
        world.thread.work()
        told = await world.told()
        assert [line for line in told if line.startswith("d")] == [f"d gets {number}" for number in range(3, 13)]
        assert [line for line in told if line.startswith("s")] == [f"second {number}: None" for number in range(3, 13)]
        assert world.engine.statistics().batches == before + 2
        assert not world.engine.statistics().committing

    run(scenario)


def test_answer_without_records_waits_for_what_was_decided_before_it() -> None:
    """Given a commit under way, when a command without records is asked, then its answer comes after the others."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(CreateDestination("c", Q))
        world.thread.by_hand = True
        world.ask("idle", CreateDestination("c", Q))
        assert await world.told() == ["idle: False"]
        world.ask("send", send("c", "a"))
        await settle()
        world.ask("create", CreateDestination("c", Q))
        world.ask("refused", Purge("c", T))
        assert await world.told() == []
        world.thread.work()
        assert await world.told() == ["send: None", "create: False", "refused: InvalidDestinationError"]

    run(scenario)


def test_repeated_send_is_answered_only_when_the_first_one_is_safe() -> None:
    """Given a send whose commit is under way, when it comes again elsewhere, then it hears nothing sooner."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        world.thread.by_hand = True
        world.ask("first", send("c", "a", producer="p", sequence=1))
        await settle()
        world.ask("again", send("d", "a", producer="p", sequence=1))
        assert await world.told() == []
        world.thread.work()
        assert await world.told() == ["first: None", "again: None"]
        assert world.store.statistics().messages == 1

    run(scenario)


def test_destinations_are_announced_when_they_are_safe() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        seen: list[object] = []
        world.engine.dispatch.watch_destinations(seen.append)
        world.thread.by_hand = True
        world.ask("create", CreateDestination("c", Q))
        await settle()
        assert seen == []
        world.thread.work()
        await settle()
        assert seen == [DestinationAdded(Q)]

    run(scenario)


def test_fault_in_the_core_ends_the_serving() -> None:
    """Given a command that the core fails on, when asked, then memory may be half changed and is served no more."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.ask("bad", "no command")  # type: ignore[arg-type]
        world.ask("later", Connect("d", "ann"))
        assert await world.told() == ["bad: StoreError", "later: StoreError"]
        (failure,) = world.failures
        assert isinstance(failure, KeyError)

    run(scenario)


def test_frames_that_rest_in_the_store_are_told_in_their_place() -> None:
    """Given a backlog over the memory budget, when a consumer comes, then all arrive in order."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop, rules=Rules(resident_bytes=100)).start("c")
        for number in range(20):
            await world.engine.submit(send("c", f"{number}"))
        await world.told()
        world.ask("subscribe", Subscribe("c", 1, Q))
        assert await world.told() == ["c gets " + " ".join(map(str, range(20))), "subscribe: []"]
        assert world.store.statistics().frames_loaded > 10

    run(scenario)


def test_frame_that_is_gone_before_it_was_told_is_not_told() -> None:
    """Given a delivery from the store and, in the same batch, its removal, when told, then no empty message arrives."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop, rules=Rules(resident_bytes=1)).start("c", "d")
        await world.engine.submit(send("c", "a"))
        world.thread.by_hand = True
        world.ask("busy", send("c", "b"))
        await settle()
        world.ask("subscribe", Subscribe("d", 1, Q, prefetch=1))
        world.ask("close", CloseConsumer("d", 1))
        world.ask("purge", Purge("c", Q))
        for _ in range(2):
            world.thread.work()
            await settle()
        told = await world.told()
        assert [line for line in told if "gets" in line] == ["d gets "]
        assert "purge: 2" in told

    run(scenario)


def test_ids_of_messages_that_never_touched_the_disk_are_not_used_again() -> None:
    """Rule 3: given a non-persistent message in a consumer's hands, when the server crashes, then its tag stays unique.

    Else the consumer could acknowledge or claim, by the old tag, a new message that it never got.
    """

    async def scenario(loop: SimulatedLoop) -> None:
        store = MemoryStore()
        world = await World(loop, store).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(Send("c", "", 0, Q, [frame_for(Q, "a", persistent=False)]))
        assert world.engine.broker.next_id == 3
        crashed = world.engine.position
        assert crashed.next_id == 2 + IDS_RESERVED
        store.close()
        again = await World(loop, store).start("c")
        assert again.engine.broker.next_id == crashed.next_id
        before = again.engine.position.sequence
        await again.engine.submit(Subscribe("c", 1, Q))
        for _ in range(5):
            await again.engine.submit(Send("c", "", 0, Q, [frame_for(Q, "a", persistent=False)]))
        assert again.engine.position.sequence == before + 1

    run(scenario)


def test_time_brings_what_was_delayed() -> None:
    """The engine looks at the clock by itself."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(Send("c", "", 0, Q, [frame_for(Q, "later", delivery_time=loop.now() + 400)]))
        await asyncio.sleep(0.399)
        assert await world.told() == []
        await asyncio.sleep(0.1)
        assert await world.told() == ["c gets later"]

    run(scenario)


def test_sink_that_fails_loses_its_connection_and_its_messages_go_to_others() -> None:
    """Promise 9: given a sink that raises, when it is told a message, then another consumer gets the message."""

    class Broken(Sink):
        def deliver(self, deliveries: list[Delivered]) -> None:
            raise RuntimeError("a fault")

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c", "d")
        world.engine.dispatch.attach("d", Broken("d", world.log))
        await world.engine.submit(Subscribe("d", 1, Q))
        await world.engine.submit(Subscribe("c", 1, Q, prefetch=1))
        world.ask("send", send("c", "a"))
        assert await world.told() == ["send: None", "c gets a"]
        world.ask("late", Subscribe("d", 2, Q))
        assert await world.told() == ["late: IllegalStateError"]
        assert world.failures == []

    run(scenario)


def test_reading_from_the_store_happens_between_commits() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(send("c", "a"))
        assert await world.engine.run_on_store(lambda store: store.statistics().messages) == 1
        with pytest.raises(ZeroDivisionError):
            await world.engine.run_on_store(lambda store: 1 / 0)
        assert world.engine.failure is None

    run(scenario)


def test_caller_that_gives_up_does_no_harm() -> None:
    """Given an answer that nobody waits for any more, when the batch is safe, then the others are told."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("first", send("c", "a")).cancel()
        world.ask("second", send("c", "b"))
        await settle()
        world.thread.work()
        assert sorted(await world.told()) == ["first: cancelled", "second: None"]
        assert world.store.statistics().messages == 2

    run(scenario)


def test_recovery_records_go_into_the_first_batch() -> None:
    """Given a message that waits nowhere any more, when the engine starts, then the store drops it."""

    async def scenario(loop: SimulatedLoop) -> None:
        store = MemoryStore()
        world = await World(loop, store, rules=Rules(resident_bytes=1)).start("c")
        await world.engine.submit(Subscribe("c", 1, T, prefetch=1))
        for body in "ab":
            await world.engine.submit(send("c", body, destination=T))
        assert store.statistics().messages == 2
        store.close()
        await World(loop, store).start()
        await settle()
        assert store.statistics().messages == 0

    run(scenario)


def test_statistics_count() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        await world.engine.submit(send("c", "a", "b"))
        with pytest.raises(InvalidDestinationError):
            await world.engine.submit(Purge("c", T))
        with pytest.raises(IllegalStateError):
            await world.engine.submit(Connect(SERVER, "x"))
        statistics = world.engine.statistics()
        assert (statistics.commands, statistics.batches, statistics.records, statistics.delivered) == (5, 2, 3, 2)
        assert not statistics.full

    run(scenario)
