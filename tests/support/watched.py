"""What nobody in a simulated cluster can see: who has which batch on disk, at the moment that somebody is told of it.

Three rules are watched, beside what the histories of the clients show:

1. One owner an epoch.
2. A batch has one content and comes after one other, on whatever disk it is; and whoever holds it holds the same state.
3. When anything of a batch is told, every member of the newest configuration that is decided has it on its disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.engine import Engine
from rmimom.records import Batch, encode_batch
from rmimom.snapshot import Position
from rmimom.store.image import Image
from rmimom.store.memory import MemoryStore

EVERY = 16
"""After so many batches the states on all disks are compared."""


def digest_of(image: Image) -> bytes:
    """A digest of everything but what must not outlive a server."""
    found = image.snapshot()
    parts = (
        found.position,
        list(found.destinations()),
        list(found.subscriptions()),
        sorted(found.producers(), key=lambda producer: producer.producer),
        sorted(found.users(), key=lambda user: user.name),
        sorted(found.delivered_up_to().items()),
        [row for row in found.messages() if row.id not in image.spilled],
        [row for row in found.deliveries() if row.message not in image.spilled],
    )
    return hashlib.sha256(msgspec.msgpack.encode(parts)).digest()


class Watch:
    """Sees everything; `decided` gives the newest configuration that is decided, `complain` is told what is wrong."""

    def __init__(self, decided: Callable[[], Configuration | None], complain: Callable[[str], None]) -> None:
        self._complain = complain
        self.stores: dict[str, WatchedStore] = {}
        self.owners: dict[int, str] = {}
        self.told = 0
        """How often anything was told that had to be safe."""
        self.compared = 0
        self.copies = self.truncations = 0
        """How often a disk was replaced by a copy, and how often it lost batches by that."""
        self._decided = decided
        self._before: dict[LogPosition, tuple[LogPosition, bytes]] = {}
        self._states: dict[LogPosition, tuple[bytes, str]] = {}

    def owns(self, epoch: int, server: str) -> None:
        """A server becomes active."""
        owner = self.owners.setdefault(epoch, server)
        if owner != server:
            self._complain(f"epoch {epoch} has two owners: {owner} and {server}")

    def appended(self, store: WatchedStore, before: LogPosition, batch: Batch) -> None:
        """A batch is on a disk."""
        position = LogPosition(batch.epoch, batch.sequence)
        if position.sequence != before.sequence + 1:
            self._complain(f"{store.server} has a gap after {tuple(before)}: {tuple(position)}")
        content = before, hashlib.sha256(encode_batch(batch)).digest()
        known = self._before.setdefault(position, content)
        if known != content:
            self._complain(f"batch {tuple(position)} of {store.server} is another one than elsewhere")
        if batch.sequence % EVERY == 0:
            self.compare(store.server, store.image)

    def compare(self, server: str, image: Image) -> None:
        """A state is the one that others had at the same place in the log."""
        state = digest_of(image)
        place = LogPosition(image.position.epoch, image.position.sequence)
        known, other = self._states.setdefault(place, (state, server))
        self.compared += other != server
        if known != state:
            self._complain(f"{server} and {other} do not hold the same at {tuple(place)}")

    def holds(self, server: str, wanted: LogPosition) -> bool:
        """Whether the log on a server's disk has a batch."""
        place = self.stores[server].place
        while place.sequence > wanted.sequence:
            if place not in self._before:
                return False
            place = self._before[place][0]
        return place == wanted

    def tells(self, server: str, place: LogPosition) -> None:
        """Something of a batch is told."""
        self.told += 1
        decided = self._decided()
        assert decided is not None
        lacking = [member for member in decided.members if not self.holds(member, place)]
        if lacking:
            self._complain(
                f"{server} tells of batch {tuple(place)}, which is not on the disks of {lacking}: configuration "
                f"{decided.number} has the members {decided.members}"
            )


class WatchedStore(MemoryStore):
    """A disk whose batches are noted."""

    def __init__(self, watch: Watch, server: str) -> None:
        super().__init__()
        self.server = server
        self._watch = watch
        watch.stores[server] = self

    @property
    def image(self) -> Image:
        """What is on the disk."""
        return self._image

    @property
    def place(self) -> LogPosition:
        """Where the log on it ends."""
        return LogPosition(self._image.position.epoch, self._image.position.sequence)

    def append(self, batch: Batch) -> None:
        """See the store."""
        before = self.place
        super().append(batch)
        self._watch.appended(self, before, batch)

    def copy_to(self, path: Path, reserve: int = 0) -> Position:
        """See the store."""
        position = super().copy_to(path, reserve)
        if self.place != NOWHERE:
            self._watch.compare(self.server, self._image)
        return position

    def replace_by(self, copy: Path) -> None:
        """See the store."""
        before = self.place
        super().replace_by(copy)
        self._watch.copies += 1
        self._watch.truncations += before != NOWHERE and not self._watch.holds(self.server, before)
        if self.place != NOWHERE:
            self._watch.compare(self.server, self._image)


class WatchedEngine(Engine):
    """An engine that is seen when it tells anything that has to be safe first."""

    def __init__(self, watch: Watch, server: str, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.asked_at = 0
        self._watch = watch
        self._server = server

    def _flush(self) -> None:
        if not self._committing:
            self.asked_at = self._loop_now()
        super()._flush()

    def _loop_now(self) -> int:
        return self._loop.now()  # type: ignore[attr-defined,no-any-return]  # the loop is the clock of its world

    def _release(self, batch: Any, frames: dict[int, bytes]) -> None:
        if batch.records or batch.effects:
            self._watch.tells(self._server, LogPosition(self._position.epoch, self._position.sequence))
        super()._release(batch, frames)
