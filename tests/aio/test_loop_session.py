"""The session under an asynchronous one: what rings, and what was there before anybody waited."""

from __future__ import annotations

import asyncio
import threading

from support.loops import on_loop, started

from rmimom.aio import ConnectionFactory
from rmimom.destination import Queue


@on_loop
async def test_what_came_before_the_wait_is_seen(factory: ConnectionFactory) -> None:
    """It rang when nobody was waiting yet: whoever waits looks once more first."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        below = session._session
        assert not below._armed
        await below.arrival(lambda: True, None)
        assert below._waiting == []


@on_loop
async def test_a_ring_from_another_thread_wakes_all_that_wait(factory: ConnectionFactory) -> None:
    async with factory.create_connection() as connection, connection.create_session() as session:
        below = session._session
        waiting = [await started(below.arrival(lambda: False, None)) for _ in range(3)]

        def ring() -> None:
            with below._lock:
                below._arrived.notify_all()
                assert not below._armed  # once for all of them
                below._arrived.notify_all()

        await asyncio.to_thread(ring)
        await asyncio.gather(*waiting)


@on_loop
async def test_calls_of_one_session_follow_each_other(factory: ConnectionFactory) -> None:
    """Also when the caller of the first went away."""
    async with factory.create_connection() as connection, connection.create_session() as session:
        below = session._session
        begun, go_on, order = threading.Event(), threading.Event(), []

        def first() -> None:
            begun.set()
            go_on.wait(60)
            order.append("first")

        abandoned = await started(below.in_thread(first))
        assert await asyncio.to_thread(begun.wait, 60)
        second = await started(below.in_thread(order.append, "second"))
        abandoned.cancel()
        await asyncio.sleep(0)
        assert not second.done()
        go_on.set()
        await second
        assert order == ["first", "second"]
        await session.create_sender(Queue("q"))
