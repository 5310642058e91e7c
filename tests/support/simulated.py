"""A world in which time passes only when nothing else is left to do, and in which there is one thread.

    with SimulatedLoop() as loop:
        loop.run_until_complete(scenario())

`asyncio.sleep(3600)` in it costs nothing, and the same scenario always runs in the same order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from rmimom.store.thread import StoreThread

T = TypeVar("T")

START = 1_700_000_000_000


class DeadlockError(AssertionError):
    """Somebody waits for something that can never happen."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """An event loop without sockets and threads, whose clock jumps to the next timer when all else is done."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._selector = self  # asked by BaseEventLoop how long it may sleep
        self.failures: list[dict[str, object]] = []
        self.set_exception_handler(lambda loop, context: self.failures.append(context))

    def __enter__(self) -> SimulatedLoop:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        if error[0] is None:
            assert not self.failures, self.failures

    def time(self) -> float:
        """Seconds since the world began."""
        return self._seconds

    def now(self) -> int:
        """Milliseconds since 1970 UTC: the loop is also the clock of the world."""
        return START + round(self._seconds * 1000)

    def select(self, timeout: float | None) -> list[object]:
        """Nothing comes from outside: let the time pass."""
        if timeout is None:
            raise DeadlockError("every task waits and no timer is set")
        self._seconds += max(0.0, timeout)
        return []

    def _process_events(self, event_list: list[object]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class HandThread(StoreThread):
    """A store thread that does its next piece of work when a test says so."""

    def __init__(self) -> None:
        self._futures_of = asyncio.get_running_loop()
        self.waiting: deque[tuple[Callable[[], object], asyncio.Future[object]]] = deque()
        self.by_hand = False
        self.stopped = False

    def run(self, function: Callable[[], T], *, small: bool = False) -> asyncio.Future[T]:
        """Run `function`, small or not, at once or when `work` is called."""
        future: asyncio.Future[T] = self._futures_of.create_future()
        self.waiting.append((function, future))  # type: ignore[arg-type]  # one queue carries futures of every type
        if not self.by_hand:
            self.work()
        return future

    def work(self) -> None:
        """Do the next piece of work; IndexError if there is none."""
        function, future = self.waiting.popleft()
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            future.set_exception(error)
        else:
            future.set_result(result)

    async def stop(self) -> None:
        """End the thread after all that was asked before."""
        while self.waiting:
            self.work()
        self.stopped = True


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)
