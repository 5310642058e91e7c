"""Temporary destinations on an event loop: deleting one is awaited (Jakarta Messaging 3.1 §6.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmimom import destination

if TYPE_CHECKING:

    class TemporaryQueue(destination.TemporaryQueue, frozen=True):
        """The class of `rmimom`, whose `delete` gives back what there is to await."""

        async def delete(self) -> None:  # type: ignore[override]  # the same, for who may not wait
            """Delete it with what waits there; see `rmimom.TemporaryQueue.delete`."""

    class TemporaryTopic(destination.TemporaryTopic, frozen=True):
        """The class of `rmimom`, whose `delete` gives back what there is to await."""

        async def delete(self) -> None:  # type: ignore[override]  # the same, for who may not wait
            """Delete it with what waits there; see `rmimom.TemporaryTopic.delete`."""

else:
    # One class for both faces, so that a destination is equal to what a peer received as one.
    TemporaryQueue = destination.TemporaryQueue
    TemporaryTopic = destination.TemporaryTopic
