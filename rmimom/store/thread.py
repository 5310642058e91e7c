"""The one thread that uses the store, seen from the event loop.

A commit of one message takes some tenths of a millisecond, and handing it to a thread and back takes as long again.  So
small work that has proved to be quick is done at once, on the loop's own thread, while the store's thread has nothing
to do: everything that the loop could do meanwhile would have to wait for the same disk.  On a slow disk nothing proves
to be quick, and the loop is never held up.  Either way the store is used by one thread at a time.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")


QUICK: Final = 0.001
"""Seconds that small work may usually take to be done on the loop's thread: what a busy loop is late by anyway."""
_MEMORY: Final = 0.1
"""How much the last duration counts in what is usual."""


class StoreThread:
    """Runs functions one after the other on a thread of its own; results come back to the loop as futures."""

    def __init__(self, name: str = "rmimom-store") -> None:
        self._loop = asyncio.get_running_loop()
        self._work: SimpleQueue[tuple[Callable[[], object], asyncio.Future[object]] | None] = SimpleQueue()
        self._under_way = 0
        self._usual = 2 * QUICK  # seconds of small work; nothing is quick until it has proved to be
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, function: Callable[[], T], *, small: bool = False) -> asyncio.Future[T]:
        """Run `function` after all that was asked before; `small` work may be done by the time this returns."""
        future: asyncio.Future[T] = self._loop.create_future()
        if small:
            function = self._timed(function)
            if not self._under_way and self._usual < QUICK:
                _attempt(function, future)()
                return future
        self._under_way += 1
        self._work.put((function, future))  # type: ignore[arg-type]  # one queue carries futures of every type
        return future

    async def stop(self) -> None:
        """End the thread after all that was asked before."""
        self._work.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        while True:
            item = self._work.get()
            if item is None:
                return
            function, future = item
            try:
                settle = _attempt(function, future)
                self._loop.call_soon_threadsafe(self._finished, settle)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _finished(self, settle: Callable[[], None]) -> None:
        # Not when the future is done: one that was cancelled is done while the thread still works for it.
        self._under_way -= 1
        settle()

    def _timed(self, function: Callable[[], T]) -> Callable[[], T]:
        def timed() -> T:
            began = time.perf_counter()
            try:
                return function()
            finally:
                self._usual += _MEMORY * (time.perf_counter() - began - self._usual)

        return timed


def _attempt(function: Callable[[], T], future: asyncio.Future[T]) -> Callable[[], None]:
    """Run a function; returns what tells its outcome to the future."""
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
        failure = error
        return lambda: None if future.cancelled() else future.set_exception(failure)
    return lambda: None if future.cancelled() else future.set_result(result)
