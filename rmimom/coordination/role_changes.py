"""The changes of a server's role: they take long, and are made one after the other, in the order of the decisions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from rmimom.errors import JMSError

log = logging.getLogger(__name__)

Change: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class RoleChanges:
    """Makes changes until it is closed; `failed` is told of an error, after which this server cannot go on."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._changes: asyncio.Queue[Change] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def add(self, change: Change) -> None:
        """Make a change after all others."""
        self._changes.put_nowait(change)

    async def wait_until_made(self) -> None:
        """Return when no change is left to be made."""
        await self._changes.join()

    def close(self) -> None:
        """Make no more.  Twice is harmless."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            change = await self._changes.get()
            try:
                await change()
            except (JMSError, OSError) as error:
                log.critical("this server cannot change its role: %s", error)
                self._failed(error)
            except Exception as error:
                log.exception("this server cannot change its role")
                self._failed(error)
            finally:
                self._changes.task_done()
