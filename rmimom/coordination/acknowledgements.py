"""Batches that are on this server's disk, and whose acknowledgement to the active waits for leave.

A standby acknowledges what the member of the cluster says it may, up to a position in the log; once it does not follow
any more, what waits is refused.
"""

from __future__ import annotations

import asyncio

from rmimom.cluster.configuration import LogPosition
from rmimom.coordination.shipping import done, fail
from rmimom.errors import IllegalStateError


class Acknowledgements:
    """Who waits for leave to acknowledge, and up to where."""

    def __init__(self) -> None:
        self._waiting: list[tuple[LogPosition, asyncio.Future[None]]] = []

    def wait(self, position: LogPosition) -> asyncio.Future[None]:
        """Done when what is stored up to this position may be acknowledged."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((position, future))
        return future

    def allow(self, position: LogPosition) -> None:
        """Everything up to this position may be acknowledged."""
        waiting, self._waiting = self._waiting, []
        for wanted, future in waiting:
            if wanted <= position:
                done(future)
            else:
                self._waiting.append((wanted, future))

    def refuse(self, why: str) -> None:
        """Nothing that waits may be acknowledged: whoever waits gets an IllegalStateError."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            fail(future, IllegalStateError(why))
