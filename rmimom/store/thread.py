"""The one thread that uses the store, seen from the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class StoreThread:
    """Runs functions one after the other on a thread of its own; results come back to the loop as futures."""

    def __init__(self, name: str = "rmimom-store") -> None:
        self._loop = asyncio.get_running_loop()
        self._work: SimpleQueue[tuple[Callable[[], object], asyncio.Future[object]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Run `function` on the thread, after all that was asked before."""
        future: asyncio.Future[T] = self._loop.create_future()
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
                result: object = function()
            except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
                self._tell(future, None, error)
            else:
                self._tell(future, result, None)

    def _tell(self, future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, future, result, error)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more


def _settle(future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
