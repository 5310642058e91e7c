"""The one thread that uses the store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from rmimom.store.thread import QUICK, StoreThread


def run(scenario: Callable[[StoreThread], Awaitable[None]]) -> None:
    """Run a scenario with a thread of its own, which must end with it."""

    async def whole() -> None:
        thread = StoreThread("store-of-a-test")
        try:
            await scenario(thread)
        finally:
            await thread.stop()

    asyncio.run(whole())
    assert "store-of-a-test" not in [thread.name for thread in threading.enumerate()]


async def made_quick(thread: StoreThread) -> None:
    """Let small work prove to be quick."""
    while thread._usual >= QUICK:
        await thread.run(lambda: None, small=True)


def test_work_is_done_in_order_on_a_thread_of_its_own() -> None:
    async def scenario(thread: StoreThread) -> None:
        done: list[tuple[int, str]] = []
        futures = [
            thread.run(lambda number=number: done.append((number, threading.current_thread().name)))  # type: ignore[misc]
            for number in range(50)
        ]
        await asyncio.gather(*futures)
        assert done == [(number, "store-of-a-test") for number in range(50)]

    run(scenario)


def test_result_and_error_come_back() -> None:
    async def scenario(thread: StoreThread) -> None:
        assert await thread.run(lambda: 42) == 42
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 1 / 0)
        assert await thread.run(lambda: "goes on") == "goes on"

    run(scenario)


def test_loop_goes_on_while_the_thread_works() -> None:
    """Given work that waits for the loop, when the loop goes on, then the work ends."""

    async def scenario(thread: StoreThread) -> None:
        told = threading.Event()
        waiting = thread.run(lambda: told.wait(60))
        await asyncio.sleep(0)
        told.set()
        assert await waiting

    run(scenario)


def test_cancelled_work_harms_nothing_else() -> None:
    async def scenario(thread: StoreThread) -> None:
        go = threading.Event()
        first = thread.run(lambda: go.wait(60))
        second = thread.run(lambda: 1 / 0)
        third = thread.run(lambda: 3)
        first.cancel()
        second.cancel()
        go.set()
        assert await third == 3

    run(scenario)


def test_small_work_that_proved_to_be_quick_is_done_at_once() -> None:
    async def scenario(thread: StoreThread) -> None:
        first = thread.run(threading.get_ident, small=True)
        assert not first.done()
        assert await first != threading.get_ident()
        await made_quick(thread)
        again = thread.run(threading.get_ident, small=True)
        assert again.done()
        assert await again == threading.get_ident()
        failing = thread.run(lambda: 1 / 0, small=True)
        assert isinstance(failing.exception(), ZeroDivisionError)

    run(scenario)


def test_slow_small_work_goes_to_the_thread() -> None:
    async def scenario(thread: StoreThread) -> None:
        await made_quick(thread)
        thread._usual = 2 * QUICK
        assert await thread.run(threading.get_ident, small=True) != threading.get_ident()

    run(scenario)


def test_store_is_used_by_one_thread_at_a_time_even_if_somebody_gave_up() -> None:
    """Given work under way whose caller gave up, when small work comes, then it waits for its turn."""

    async def scenario(thread: StoreThread) -> None:
        await made_quick(thread)
        began, go = threading.Event(), threading.Event()
        order: list[str] = []

        def long() -> None:
            began.set()
            go.wait(60)
            order.append("long")

        given_up = thread.run(long)
        assert began.wait(60)
        given_up.cancel()
        await asyncio.sleep(0)
        small = thread.run(lambda: order.append("small"), small=True)
        assert not small.done()
        go.set()
        await small
        assert order == ["long", "small"]
        await asyncio.sleep(0)
        assert thread.run(threading.get_ident, small=True).done()

    run(scenario)


def test_thread_ends_although_its_loop_is_gone() -> None:
    """Given a loop that was closed with work under way, when the work is done, then the thread ends quietly."""
    go = threading.Event()

    async def scenario() -> StoreThread:
        thread = StoreThread("left-alone")
        thread.run(lambda: go.wait(60))
        return thread

    thread = asyncio.run(scenario())
    go.set()
    thread._thread.join(60)
    assert not thread._thread.is_alive()
