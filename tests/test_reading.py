"""Reading for the core: in pieces, on the store's thread, and not after the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from support.loops import on_loop
from support.messages import frame_for

from rmimom.commands import Command, Examined, Fetched
from rmimom.destination import Queue
from rmimom.effects import Examine, Fetch
from rmimom.errors import StoreError
from rmimom.reading import READ_AT_ONCE, Reading
from rmimom.store.base import Store
from rmimom.store.thread import StoreThread


class Frames:
    """A store of which only messages are read: those with even ids have the priority 9."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.fails = False

    def frames(self, ids: list[int]) -> dict[int, bytes]:
        """The frames; how many were asked for is written down."""
        if self.fails:
            raise StoreError("it is tested")
        self.asked.append(len(ids))
        return {number: frame_for(Queue("q"), priority=4 if number % 2 else 9) for number in ids}


class Thread:
    """The store's thread, which does its work when the test says so."""

    def __init__(self) -> None:
        self._work: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    def run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Keep the work."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._work.append((function, future))
        return future

    async def work(self) -> int:
        """Do what waits, and let what comes of it happen; how many pieces that were."""
        work, self._work = self._work, []
        for function, future in work:
            try:
                future.set_result(function())
            except StoreError as error:
                future.set_exception(error)
        await asyncio.sleep(0)
        return len(work)


class Scene:
    """A reading, and what came of it."""

    def __init__(self) -> None:
        self.store = Frames()
        self.thread = Thread()
        self.told: list[Command] = []
        self.failures: list[BaseException] = []
        self.reading = Reading(
            cast(Store, self.store), cast(StoreThread, self.thread), self.told.append, self.failures.append
        )


@on_loop
async def test_what_is_fetched_is_told_in_pieces_one_at_a_time() -> None:
    scene = Scene()
    ids = list(range(2 * READ_AT_ONCE + 1))
    scene.reading.read(Fetch(ids))
    assert scene.store.asked == []
    while await scene.thread.work():
        pass
    assert scene.store.asked == [READ_AT_ONCE, READ_AT_ONCE, 1]
    told = [command for command in scene.told if isinstance(command, Fetched)]
    assert [number for command in told for number in command.ids] == ids
    assert set(told[2].frames) == {ids[-1]}


@on_loop
async def test_what_is_examined_is_told_by_selectors() -> None:
    scene = Scene()
    scene.reading.read(Examine(7, ["JMSPriority = 9", "JMSPriority = 0"], [1, 2, 3, 4]))
    await scene.thread.work()
    assert scene.told == [Examined(7, "JMSPriority = 9", [2, 4])]


@pytest.mark.parametrize("asked", [Fetch([]), Examine(7, ["TRUE"], [])])
@on_loop
async def test_nothing_is_read_of_nothing(asked: Fetch | Examine) -> None:
    scene = Scene()
    scene.reading.read(asked)
    assert await scene.thread.work() == 0


@on_loop
async def test_after_the_end_nothing_more_is_begun() -> None:
    scene = Scene()
    scene.reading.read(Fetch(list(range(READ_AT_ONCE + 1))))
    scene.reading.end()
    await scene.thread.work()
    scene.reading.read(Fetch([1]))
    assert await scene.thread.work() == 0
    assert len(scene.told) == 1


@on_loop
async def test_a_store_that_cannot_be_read_is_told_and_not_asked_again() -> None:
    scene = Scene()
    scene.store.fails = True
    scene.reading.read(Fetch(list(range(READ_AT_ONCE + 1))))
    await scene.thread.work()
    assert [str(failure) for failure in scene.failures] == ["it is tested"]
    assert scene.told == []
    assert await scene.thread.work() == 0
