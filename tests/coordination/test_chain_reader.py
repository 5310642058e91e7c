"""The chain is read when it is asked for, never twice at a time, and again after whatever went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from support.coordination import configuration
from support.simulated import SimulatedLoop, settle

from rmimom.cluster.configuration import Configuration
from rmimom.cluster.events import ChainRead, Event, NameServerAway
from rmimom.coordination.chain_reader import LONGEST_PAUSE, OFTEN, SELDOM, ChainReader
from rmimom.errors import ConnectionFailedError


class FakeChain:
    """A name server whose answers a test chooses."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.takes = 0.0
        self.calls: list[str] = []
        self.under_way = 0

    async def read(self) -> tuple[Configuration, ...]:
        self.calls.append("read")
        self.under_way += 1
        assert self.under_way == 1
        await asyncio.sleep(self.takes)
        self.under_way -= 1
        if self.error is not None:
            raise self.error
        return ()

    async def register(self, one: Configuration) -> None:
        self.calls.append(f"register {one.number}")
        if self.error is not None:
            raise self.error

    async def remove(self, one: Configuration) -> None:
        self.calls.append(f"remove {one.number}")
        if self.error is not None:
            raise self.error


class World:
    def __init__(self) -> None:
        self.chain = FakeChain()
        self.events: list[Event] = []
        self.presses = False
        self.reader = ChainReader(self.chain, self.events.append, lambda: self.presses)


def run(scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        world = World()
        await scenario(world)
        world.reader.close()
        await settle()

    with SimulatedLoop() as loop:
        loop.run_until_complete(whole())


def test_each_reading_has_a_seal_of_its_own() -> None:
    async def scenario(world: World) -> None:
        world.reader.read_soon()
        await asyncio.sleep(3 * SELDOM)
        seals = {event.seal for event in world.events if isinstance(event, ChainRead)}
        assert len(seals) == len(world.events) >= 3

    run(scenario)


@pytest.mark.parametrize("error", [None, ConnectionFailedError("away"), ValueError("nonsense")])
def test_a_name_is_removed_in_one_call_whatever_comes_of_it(error: Exception | None) -> None:
    async def scenario(world: World) -> None:
        world.chain.error = error
        world.reader.remove(configuration(3))
        await settle()
        assert world.chain.calls == ["remove 3"]
        assert world.events == []

    run(scenario)


def test_those_who_ask_meanwhile_get_one_more_reading_together() -> None:
    async def scenario(world: World) -> None:
        world.chain.takes = 0.1
        for _ in range(5):
            world.reader.read_soon()
        await asyncio.sleep(0.25)
        assert world.chain.calls == ["read", "read"]

    run(scenario)


@pytest.mark.parametrize(("presses", "between"), [(True, OFTEN), (False, SELDOM)])
def test_it_looks_more_often_while_something_waits(presses: bool, between: float) -> None:
    async def scenario(world: World) -> None:
        world.presses = presses
        world.reader.read_soon()
        await asyncio.sleep(10 * between + 0.01)
        assert len(world.events) == 11

    run(scenario)


@pytest.mark.parametrize("error", [ConnectionFailedError("away"), TypeError("no name server at all")])
def test_a_name_server_that_is_away_or_talks_nonsense_is_asked_again(error: Exception) -> None:
    async def scenario(world: World) -> None:
        world.chain.error = error
        world.reader.read_soon()
        await asyncio.sleep(60)
        assert all(isinstance(event, NameServerAway) for event in world.events)
        assert 60 / LONGEST_PAUSE <= len(world.events) <= 60 / (LONGEST_PAUSE / 2) + 10
        world.chain.error = None
        await asyncio.sleep(LONGEST_PAUSE)
        assert isinstance(world.events[-1], ChainRead)

    run(scenario)


@pytest.mark.parametrize("error", [None, RuntimeError("the answer was lost")])
def test_what_came_of_a_registration_is_read(error: Exception | None) -> None:
    """The call is made once, whatever becomes of it: only the list tells."""

    async def scenario(world: World) -> None:
        world.chain.error = error
        world.reader.register(configuration(7))
        await settle()
        assert world.chain.calls == ["register 7", "read"]

    run(scenario)


def test_a_closed_reader_asks_no_more() -> None:
    async def scenario(world: World) -> None:
        world.reader.read_soon()
        await settle()
        world.reader.close()
        world.reader.read_soon()
        await asyncio.sleep(10 * SELDOM)
        assert world.chain.calls == ["read"]

    run(scenario)


def test_an_answer_that_was_asked_for_before_a_registration_was_over_does_not_count() -> None:
    async def scenario(world: World) -> None:
        world.chain.takes = 1.0
        world.reader.read_soon()
        await asyncio.sleep(0.5)
        world.reader.register(configuration(2))
        await asyncio.sleep(3)
        before, after, *_ = world.events
        assert not world.reader.counts(before)
        assert world.reader.counts(after)
        assert not world.reader.counts(after)  # each is asked of once, so that nothing is kept of it

    run(scenario)


def test_an_answer_that_waited_while_a_registration_began_does_not_count() -> None:
    async def scenario(world: World) -> None:
        world.reader.read_soon()
        await asyncio.sleep(0.1)
        [waiting] = world.events
        world.reader.register(configuration(2))
        assert not world.reader.counts(waiting)
        assert world.reader.counts(NameServerAway("word"))

    run(scenario)


def test_nothing_is_kept_of_a_name_server_that_is_away() -> None:
    async def scenario(world: World) -> None:
        world.chain.error = ConnectionFailedError("away")
        world.reader.read_soon()
        await asyncio.sleep(10)
        assert len(world.events) > 3
        assert all(world.reader.counts(event) for event in world.events)
        assert not world.reader._counting

    run(scenario)
