"""The follower: the log of an active server is applied here too, on disk and in memory.

    batch ─► store thread ─► image ─► "I have it"
    copy  ─► store ─────────► image

It is what an engine is on the active, without deciding anything.  The image is all that a broker recovers from, so
becoming active reads nothing from the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rmimom.errors import IllegalStateError
from rmimom.records import Batch, UserPut
from rmimom.snapshot import Position, Snapshot
from rmimom.store.base import Store, StoreStatistics
from rmimom.store.image import Image
from rmimom.store.thread import StoreThread


class Inheritance(NamedTuple):
    """What an engine takes over: the thread of the open store, its state, and messages the state does without."""

    thread: StoreThread
    snapshot: Snapshot
    dropped: list[int]


class Follower:
    """Holds a copy of the log; one call at a time, as the batches come.  The store is opened by `start`."""

    def __init__(self, store: Store, thread: Callable[[], StoreThread] = StoreThread) -> None:
        self.store = store
        self._make_thread = thread
        self._thread: StoreThread | None = None
        self._image: Image | None = None
        self._position = Position()

    async def start(self) -> None:
        """Open the store.  Raises what `Store.open` and `Store.load` raise."""
        thread = self._make_thread()
        try:
            await thread.run(self.store.open)
            self._position = await thread.run(lambda: self.store.load().position)
        except BaseException:
            await thread.run(self.store.close)
            await thread.stop()
            raise
        self._thread = thread

    @property
    def position(self) -> Position:
        """The last batch that is here."""
        return self._position

    @property
    def running(self) -> bool:
        """Whether the store is here: not before the start, nor while an engine has it."""
        return self._thread is not None

    async def users(self) -> list[UserPut]:
        """The users that the store knows."""
        return await self._running.run(lambda: list(self.store.load().users()))

    async def statistics(self) -> StoreStatistics | None:
        """A reading of the store, or None if it is not here but with an engine."""
        return await self._thread.run(self.store.statistics) if self._thread is not None else None

    async def warm_up(self) -> None:
        """Read the store into memory, to follow: a server that becomes active at once need not do it twice."""
        if self._image is None:
            self._image = await self._running.run(lambda: Image.of(self.store.load()))

    async def append(self, batch: Batch) -> None:
        """Take the next batch; when it returns, the batch is on disk.

        Raises IllegalStateError if it is not the next one, and what `Store.append` raises; nothing has changed then.
        """
        position = self.position
        if batch.sequence != position.sequence + 1 or batch.epoch < position.epoch:
            raise IllegalStateError(
                f"batch {batch.sequence} of epoch {batch.epoch} does not follow batch {position.sequence} of epoch "
                f"{position.epoch}, which is the last one here",
                sequence=batch.sequence,
                last=position.sequence,
            )
        await self.warm_up()
        await self._running.run(lambda: self.store.append(batch))
        assert self._image is not None
        self._image.apply(batch)
        self._position = self._image.position

    async def replace_by(self, copy: Path) -> None:
        """Hold what is in the copy of another store, and nothing else.  Raises what `Store.replace_by` raises."""

        def replace() -> Image:
            self.store.replace_by(copy)
            return Image.of(self.store.load())

        self._image = await self._running.run(replace)
        self._position = self._image.position

    async def maintain(self) -> bool:
        """Do a piece of the store's upkeep; True if more may wait."""
        return await self._running.run(self.store.maintain)

    async def hand_over(self) -> Inheritance:
        """Give everything to an engine; nothing may be asked of the follower afterwards."""
        thread = self._running
        snapshot: Snapshot
        if self._image is None:
            snapshot, dropped = await thread.run(self.store.load), []
        else:
            dropped = self._image.drop_spilled()
            snapshot, self._image = self._image.snapshot(), None
        self._thread = None
        return Inheritance(thread, snapshot, dropped)

    async def stop(self) -> None:
        """Close the store, unless an engine has it.  Twice is harmless."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.run(self.store.close)
            await thread.stop()

    @property
    def _running(self) -> StoreThread:
        if self._thread is None:
            raise IllegalStateError("the follower is not running")
        return self._thread
