"""A store in memory: the specification in its shortest form, and a store for tests that need no disk.

It outlives `close()` and may be opened again, so that one object plays the disk in a simulated crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from rmimom.errors import IllegalStateError, StoreDamagedError, StoreError, StoreFullError
from rmimom.records import (
    Batch,
    DestinationCreated,
    MessagesStored,
    ProducerAdvanced,
    SubscriptionCreated,
    UserPut,
)
from rmimom.snapshot import DeliveryRow, MessageRow, Position
from rmimom.store.base import StoreStatistics
from rmimom.store.image import Image, ImageSnapshot


class _Contents(msgspec.Struct, array_like=True):
    """Everything in a store, as a file holds it."""

    position: Position
    destinations: list[DestinationCreated]
    subscriptions: list[SubscriptionCreated]
    producers: list[ProducerAdvanced]
    users: list[UserPut]
    delivered_up_to: dict[int, int]
    messages: list[MessageRow]
    deliveries: list[DeliveryRow]
    frames: dict[int, bytes]


class MemoryStore:
    """Keeps everything in dictionaries.

    `capacity` bounds the bytes of all frames together; it may be changed at any time.  An append that would go over
    it raises StoreFullError and changes nothing, as a full disk does.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self._open = False
        self._image = Image()
        self._frames: dict[int, bytes] = {}
        self._bytes = self._batches = self._records = self._frames_loaded = 0

    def open(self) -> None:
        """Make the store ready; what was spilled before is gone.  Raises IllegalStateError if it is open."""
        if self._open:
            raise IllegalStateError("the store is open already")
        self._open = True
        self._batches = self._records = self._frames_loaded = 0
        self._forget(self._image.drop_spilled())

    def load(self) -> ImageSnapshot:
        """The state as it stands."""
        self._check_open()
        return self._image.snapshot()

    def append(self, batch: Batch) -> None:
        """Apply all records or none; see `rmimom.store.base.Store.append`."""
        self._check_open()
        if batch.sequence <= self._image.position.sequence:
            raise ValueError(f"batch {batch.sequence} does not come after batch {self._image.position.sequence}")
        stored = [record for record in batch.records if isinstance(record, MessagesStored)]
        ids = [number for record in stored for number in record.ids]
        if len(set(ids)) < len(ids) or not self._image.messages.keys().isdisjoint(ids):
            raise StoreError("a message id in the batch is used already", sequence=batch.sequence)
        size = sum(len(frame) for record in stored for frame in record.frames)
        if size and self.capacity is not None and self._bytes + size > self.capacity:
            raise StoreFullError(
                f"the store holds {self._bytes} bytes of at most {self.capacity}: a batch of {size} finds no room",
                used=self._bytes,
                capacity=self.capacity,
            )
        for record in stored:
            self._frames.update(zip(record.ids, record.frames, strict=True))
        self._bytes += size
        self._forget(self._image.apply(batch))
        self._batches += 1
        self._records += len(batch.records)

    def frames(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The frames of these messages; an id that is not stored is absent."""
        self._check_open()
        found = {number: self._frames[number] for number in ids if number in self._frames}
        self._frames_loaded += len(found)
        return found

    def maintain(self) -> bool:
        """Nothing to do here."""
        self._check_open()
        return False

    def copy_to(self, path: Path, reserve: int = 0) -> Position:
        """Write everything to a file; see `rmimom.store.base.Store.copy_to`."""
        del reserve
        self._check_open()
        snapshot = self._image.snapshot()
        # What was spilled must not outlive this server.
        kept = {number: frame for number, frame in self._frames.items() if number not in self._image.spilled}
        contents = _Contents(
            snapshot.position,
            list(snapshot.destinations()),
            list(snapshot.subscriptions()),
            list(snapshot.producers()),
            list(snapshot.users()),
            dict(snapshot.delivered_up_to()),
            [row for row in snapshot.messages() if row.id in kept],
            [row for row in snapshot.deliveries() if row.message in kept],
            kept,
        )
        path.write_bytes(msgspec.msgpack.encode(contents))
        return snapshot.position

    def replace_by(self, copy: Path) -> None:
        """Hold what another store's `copy_to` wrote; see `rmimom.store.base.Store.replace_by`."""
        self._check_open()
        try:
            contents = msgspec.msgpack.decode(copy.read_bytes(), type=_Contents)
        except msgspec.MsgspecError as error:
            raise StoreDamagedError(f"the copy at {copy} cannot be read: {error}", path=str(copy)) from error
        copy.unlink()
        *state, self._frames = msgspec.structs.astuple(contents)
        self._image = Image.of(ImageSnapshot(*state))
        self._bytes = sum(map(len, self._frames.values()))

    def statistics(self) -> StoreStatistics:
        """The counters."""
        return StoreStatistics(
            self._batches, self._records, len(self._image.messages), self._bytes, self._frames_loaded
        )

    def close(self) -> None:
        """End use until the next `open()`; what is stored stays."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise IllegalStateError("the store is not open")

    def _forget(self, dropped: Sequence[int]) -> None:
        for number in dropped:
            self._bytes -= len(self._frames.pop(number))
