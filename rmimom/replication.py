"""Replication as the engine sees it: where else its log must be before anything of it is told."""

from __future__ import annotations

import asyncio
from typing import Protocol

from rmimom.errors import IllegalStateError
from rmimom.records import Batch


class NotActiveError(IllegalStateError):
    """This server is not, or no longer, the one that speaks for its cluster."""

    code = "not-active"
    retryable = True


class Replication(Protocol):
    """The other copies of the log.

    Two of the methods answer None if no standby has to be waited for.  What they return is done when every standby that
    counts has what it must have, and fails when this server may not speak for the cluster any more.
    """

    def offer(self, batch: Batch) -> asyncio.Future[None] | None:
        """Ship the batch; done when it is on disk wherever it must be before its effects are told, here too."""
        ...

    def stored(self, batch: Batch) -> None:
        """A batch that was offered is on our own disk."""
        ...

    def confirm(self) -> asyncio.Future[None] | None:
        """Ask whether this server still speaks for the cluster, before effects are told that change no disk."""
        ...
