"""Tests that are coroutines: each runs on an event loop of its own, with a limit, and leaves no task behind."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

LIMIT = 60.0
"""Seconds for a test: far more than it takes on a busy machine."""

_P = ParamSpec("_P")


def on_loop(test: Callable[_P, Coroutine[Any, Any, None]]) -> Callable[_P, None]:
    """Run the test on a loop in debug mode; AssertionError for tasks that it leaves behind."""

    @functools.wraps(test)
    def run(*arguments: _P.args, **named: _P.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(LIMIT):
                await test(*arguments, **named)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left

        asyncio.run(limited())

    return run


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Return as soon as the condition holds, which a thread or a task will see to."""
    try:
        async with asyncio.timeout(LIMIT):
            while not condition():  # noqa: ASYNC110  # what it looks at belongs to a thread
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not come true in {LIMIT} s") from None


async def until_nothing_runs() -> None:
    """Return when the test's own task is the only one left; AssertionError names the others after 20 s."""
    try:
        async with asyncio.timeout(20.0):
            while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110  # each ends for itself
                await asyncio.sleep(0.002)
    except TimeoutError:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        raise AssertionError(f"these run on: {left}") from None


async def started(awaited: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task that has run until it waits for something."""
    task = asyncio.get_running_loop().create_task(awaited)
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def cancelled(task: asyncio.Task[Any]) -> bool:
    """Cancel a task; whether that ended it."""
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()
