"""The engine when it is paused or stopped, and what goes ahead of everything that waits."""

from __future__ import annotations

import asyncio

import pytest
from support.engine_world import Q, T, World, run, send
from support.messages import frame_for
from support.simulated import SimulatedLoop, settle

from rmimom.commands import CloseConsumer, Disconnect, Send, Subscribe
from rmimom.errors import StoreError


def test_a_pause_lets_commands_wait_and_a_resume_decides_them_in_order() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, Q))
        world.thread.by_hand = True
        world.ask("under way", send("c", "a"))
        await settle()
        world.ask("decided", send("c", "b"))
        pausing = loop.create_task(world.engine.pause())
        await settle()
        assert world.engine.is_paused
        world.ask("later", send("c", "c"))
        world.engine.tell(send("c", "d"))
        given_up = world.ask("given up", send("c", "e"))
        given_up.cancel()
        assert not pausing.done()
        world.thread.by_hand = False
        world.thread.work()
        # What was decided is told, what came later is not even decided.
        position = await pausing
        assert await world.told() == ["given up: cancelled", "c gets a", "under way: None", "c gets b", "decided: None"]
        assert position == world.engine.position == world.store.load().position
        assert await world.engine.pause() == position
        world.engine.resume()
        assert not world.engine.is_paused
        assert await world.told() == ["c gets c", "c gets d", "later: None"]
        world.engine.resume()
        assert await world.told() == []

    run(scenario)


def test_an_engine_that_stops_while_it_is_paused_decides_nothing_more() -> None:
    """After a switchover its log must end where the other server's begins, whatever its clients' end would change."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, T, durable="x"))
        await world.engine.submit(send("c", "a", destination=T))
        position = await world.engine.pause()
        world.ask("waits", send("c", "b"))
        stopping = loop.create_task(world.engine.stop())
        world.ask("comes late", send("c", "c"))
        world.engine.tell(Disconnect("c"))
        await stopping
        told = await world.told()
        assert sorted(told) == ["c gets a", "comes late: StoreError", "waits: StoreError"]
        world.store.open()
        assert world.store.load().position == position

    run(scenario)


def test_what_waits_in_a_pause_hears_of_a_failure() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("under way", send("c", "a"))
        await settle()
        pausing = loop.create_task(world.engine.pause())
        await settle()
        world.ask("waits", send("c", "b"))
        world.store.append = None  # type: ignore[method-assign,assignment]  # it is broken
        world.thread.by_hand = False
        world.thread.work()
        with pytest.raises(StoreError, match="cannot go on"):
            await pausing
        assert await world.told() == ["under way: StoreError", "waits: StoreError"]

    run(scenario)


def test_what_is_told_at_once_goes_ahead_of_what_waits_for_the_disk() -> None:
    """A heartbeat says that the server lives, not that its disk is quick; a paused server sends none."""

    def beat(body: str, *, persistent: bool = False) -> Send:
        return Send("c", "", 0, T, [frame_for(T, body, persistent=persistent)])

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, T))
        world.thread.by_hand = True
        world.ask("send", send("c", "a"))
        await settle()
        world.engine.tell_at_once(beat("1"))
        assert await world.told() == ["c gets 1"]
        world.thread.by_hand = False
        world.thread.work()
        await world.told()
        await world.engine.pause()
        world.engine.tell_at_once(beat("2"))
        world.engine.resume()
        assert await world.told() == []
        await world.engine.stop()
        world.engine.tell_at_once(beat("3"))
        assert await world.told() == []

    run(scenario)


def test_what_is_told_at_once_waits_if_it_has_to_be_safe() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        await world.engine.submit(Subscribe("c", 1, T, durable="x"))
        world.thread.by_hand = True
        world.engine.tell_at_once(Send("c", "", 0, T, [frame_for(T, "kept")]))
        assert await world.told() == []
        world.thread.by_hand = False
        world.thread.work()
        assert await world.told() == ["c gets kept"]

    run(scenario)


def test_stop_makes_safe_and_tells_what_was_decided() -> None:
    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("first", send("c", "a"))
        await settle()
        world.ask("second", send("c", "b"))
        stopping = loop.create_task(world.engine.stop())
        await settle()
        assert not stopping.done()
        world.thread.by_hand = False
        world.thread.work()
        await stopping
        assert await world.told() == ["first: None", "second: None"]
        assert world.thread.stopped
        await world.engine.stop()
        world.ask("late", send("c", "c"))
        world.engine.tell(Disconnect("c"))
        assert await world.told() == ["late: ConnectionFailedError"]
        world.store.open()
        assert world.store.statistics().messages == 2

    run(scenario)


def test_pause_and_stop_do_not_wait_for_answers_that_needed_no_commit() -> None:
    """Given an answer without records behind a commit, when both are told, then nothing is under way any more."""

    async def scenario(loop: SimulatedLoop) -> None:
        world = await World(loop).start("c")
        world.thread.by_hand = True
        world.ask("stored", send("c", "a"))
        await settle()
        world.ask("closed", CloseConsumer("c", 7))
        world.thread.by_hand = False
        world.thread.work()
        assert await world.told() == ["stored: None", "closed: None"]
        async with asyncio.timeout(1):
            await world.engine.pause()
            await world.engine.stop()

    run(scenario)
