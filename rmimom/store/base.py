"""The duties of a store.

A store keeps the state that a sequence of batches of records describes.  It is used by one thread at a time
(the engine's store thread), never waits for anything but its own disk, and decides nothing.

`rmimom.store.memory.MemoryStore` is the specification in its shortest form, and serves tests that need no disk;
`rmimom.store.sqlite.SqliteStore` is the one that survives.  One contract test runs on both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from rmimom.records import Batch
from rmimom.snapshot import Position, Snapshot


class StoreStatistics(msgspec.Struct, frozen=True):
    """A reading of a store: batches, records and frames loaded since it was opened, messages and bytes stored now."""

    batches: int
    records: int
    messages: int
    bytes_used: int
    frames_loaded: int


class Store(Protocol):
    """See the module's text for the whole; each method's duty stands here."""

    def open(self) -> None:
        """Make the store ready; non-persistent messages that were spilled in an earlier run are gone after it.

        Raises StoreInUseError, StoreVersionError or StoreDamagedError, and leaves the files as they were then.
        """
        ...

    def load(self) -> Snapshot:
        """The state as it stands.  Raises StoreDamagedError."""
        ...

    def append(self, batch: Batch) -> None:
        """Apply all records of the batch in their order, or none; when it returns they survive a power cut.

        The batch's sequence must be greater than the last one's, else ValueError.
        Raises StoreFullError when there is no room (the store is unchanged and the same batch may be appended
        again later), StoreError for anything else (the store must then be closed).
        """
        ...

    def frames(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The frames of these messages; an id that is not stored is absent from the answer.

        Raises StoreDamagedError if what is stored fails its check: a damaged frame is never returned.
        """
        ...

    def maintain(self) -> bool:
        """Do a piece of upkeep (compaction, checkpoint) of at most some tens of milliseconds; True if more may wait.

        Called when the engine is idle.  Changes nothing that `load` and `frames` would tell.  Raises StoreFullError
        when there is no room for it (nothing has changed, and it may be tried again later), else as `append` does.
        """
        ...

    def copy_to(self, path: Path, reserve: int = 0) -> Position:
        """Write everything as of one moment to the new file `path`, for a standby; returns the place in the log.

        Any thread may ask, while the store's own goes on to append.  Raises StoreFullError if less than `reserve` bytes
        would be left on the disk, else StoreError.
        """
        ...

    def replace_by(self, copy: Path) -> None:
        """Hold what `copy_to` of another store wrote, and nothing else; the file is used up.

        A crash leaves the old state or the new one.  Raises StoreDamagedError and StoreVersionError for a file that
        cannot be used, and holds the old state then.
        """
        ...

    def statistics(self) -> StoreStatistics: ...

    def close(self) -> None:
        """Release everything.  Twice is harmless."""
        ...
