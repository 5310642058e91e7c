"""Steps of a start or a stop that may take long, or fail, without spoiling the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast

T = TypeVar("T")

log = logging.getLogger(__name__)

STEP_AT_STOP: Final = 30.0
"""Seconds that any step of a stop may take: a full disk, for example, may never have room for the last batch."""


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do work that may wait for another machine in a thread of its own.

    Unlike those of `asyncio.to_thread`, it is not waited for when the process ends.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="rmimom-waits", daemon=True).start()
    return future


async def attempt(what: str, work: Awaitable[object], hurry: asyncio.Event | None = None) -> None:
    """Do one step of the stop.

    It ends with the hurry or its time limit at the latest, and its failure keeps no other step from being done.
    """
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future((hurry or asyncio.Event()).wait())
    await asyncio.wait({task, waiting}, timeout=STEP_AT_STOP, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        log.warning("the stop could not wait any longer to %s", what)
        task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception as error:  # noqa: BLE001 - the other steps must be done all the same
        log.warning("the stop failed to %s: %s", what, error)
