"""The active's side of one standby: what it lacks goes there, then every batch, and what it has is reported.

    begin ─► (copy of the store, in pieces) ─► batches that came meanwhile ─► caught up ─► each batch as it is decided

The standby's object is called as the callback object of a subscriber of the coordination topic is (IClientRMI), and
what a call returns means: it is on my disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

import msgspec

from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition
from rmimom.cluster.rules import goes_on_from
from rmimom.coordination.backlog import Backlog
from rmimom.errors import ConnectionFailedError, IllegalStateError, JMSError
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError
from rmimom.store.base import Store

log = logging.getLogger(__name__)

ANNOTATION: Final = "RMOM"
SHIPMENT_BYTES: Final = 1024 * 1024
"""A call to a standby carries about so much, or one batch that is larger."""
PIECE_BYTES: Final = 1024 * 1024
"""A piece of a copy."""
COPY_PREFIX: Final = "copy-for-"
"""With what the files begin in which copies wait to be sent."""
CATCHING_UP: Final = 60.0
"""Seconds that a standby may take for one call until it has caught up: it may have to install a large copy."""


class LinkPhase(Enum):
    """How far a standby is."""

    CONNECTING = "connecting"
    COPYING = "copying"
    CATCHING_UP = "catching up"
    IN_STEP = "in step"
    CLOSED = "closed"


class LinkStatistics(msgspec.Struct, frozen=True):
    """How a standby is: its phase, the last batch it has, how many wait for it, and the copy's progress in bytes."""

    server: str
    phase: str
    epoch: int
    sequence: int
    behind: int
    copied: int
    to_copy: int


class Reports(Protocol):
    """Who is told how a standby gets on."""

    def caught_up(self, link: Link) -> None:
        """The standby has everything that was decided, as far as can be said."""
        ...

    def needs_copy(self, link: Link) -> None:
        """The standby cannot go on with the log that it has."""
        ...

    def acknowledged(self, link: Link) -> None:
        """The standby has everything up to `link.position`, and confirmed everything up to `link.confirmed`."""
        ...

    def lost(self, link: Link, why: str) -> None:
        """The link is of no use any more."""
        ...


class Supply(msgspec.Struct, frozen=True):
    """What links are made with.

    `recent` are the last batches of the log as parts, by sequence without gaps, so that a standby that was away for a
    moment need not be copied to; `decided` is the last of all.  `time_limit` in seconds is what a standby that is in
    step may take for one call; `reserve` are bytes that a copy must leave free on the disk.
    """

    configuration: Configuration
    handshake: Mapping[str, str]
    store: Store
    directory: Path
    recent: Mapping[int, bytes]
    decided: LogPosition
    time_limit: float
    reserve: int


class Link:
    """One standby that subscribed to the coordination topic, with the object at `uri`."""

    def __init__(self, server: str, uri: str, supply: Supply, reports: Reports) -> None:
        self.server = server
        self.uri = uri
        self.phase = LinkPhase.CONNECTING
        self.position = NOWHERE
        self.confirmed = 0
        """How many of the questions whether it still follows were answered with yes."""
        self._supply = supply
        self._reports = reports
        # A name of its own: what writes the copy of an earlier link cannot be stopped.
        self._copy = supply.directory / f"{COPY_PREFIX}{server}-{secrets.token_hex(4)}"
        self._backlog = Backlog(supply.directory)
        self._next = self._newest = supply.decided.sequence  # of the backlog: one before its first, and its last
        self._questions = 0
        self._copied = self._to_copy = 0
        self._work = asyncio.Event()
        self._peer: CallbackPeer | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    # What the coordinator calls.

    def offer(self, sequence: int, part: bytes) -> None:
        """Ship a batch after all others; `sequence` is one more than that of the batch before."""
        if self.phase is LinkPhase.CLOSED:
            return
        try:
            self._backlog.append(part)
        except OSError as error:
            self.close(f"no room for what waits for it: {error}")
            return
        self._newest = sequence
        self._work.set()

    def ask(self) -> int:
        """Ask whether the standby still follows; the answer is yes once `confirmed` is as high as the number."""
        self._questions += 1
        self._work.set()
        return self._questions

    def close(self, why: str) -> None:
        """End the link; the standby may subscribe again.  Harmless twice."""
        if self.phase is LinkPhase.CLOSED:
            return
        self.phase = LinkPhase.CLOSED
        if self._task is not asyncio.current_task():
            self._task.cancel()
        self._backlog.close()
        if self._peer is not None:
            self._peer.close()
        self._reports.lost(self, why)

    def statistics(self) -> LinkStatistics:
        """A reading."""
        return LinkStatistics(
            self.server,
            self.phase.value,
            self.position.epoch,
            self.position.sequence,
            max(0, self._newest - self.position.sequence),
            self._copied,
            self._to_copy,
        )

    # The work.

    async def _run(self) -> None:
        try:
            await self._catch_up()
            while True:
                await self._work.wait()
                self._work.clear()
                while self._backlog or self._questions > self.confirmed:
                    await self._ship(self._supply.time_limit)
        except (JMSError, RemoteCallError, OSError) as error:
            self.close(str(error))
        except Exception as error:
            log.exception("the link to standby %s failed", self.server)
            self.close(repr(error))
        finally:
            self._copy.unlink(missing_ok=True)

    async def _catch_up(self) -> None:
        supply = self._supply
        began = time.monotonic()
        self._peer = await CallbackPeer.connect(self.uri, supply.time_limit, handshake=dict(supply.handshake))
        self._peer.on_close(lambda: self.close("the connection to it was lost"))
        self.position = await self._call("begin", msgspec.to_builtins(supply.configuration))
        missing = self._missing()
        if missing is None:
            self.phase = LinkPhase.COPYING
            self._reports.needs_copy(self)
            await self._send_copy()
            self._skip()
            missing = self._missing()  # what was on its way to our own disk when the copy was made
            if missing is None:
                raise IllegalStateError("its copy was made before batches that are not at hand any more")
        self.phase = LinkPhase.CATCHING_UP
        sequence = self.position.sequence
        for parts in _shipments(missing):
            sequence += len(parts)
            await self._send(b"".join(parts), sequence, CATCHING_UP)
        while self._backlog:
            await self._ship(CATCHING_UP)
        self.phase = LinkPhase.IN_STEP
        log.info("standby %s has caught up after %.1f s", self.server, time.monotonic() - began)
        self._reports.caught_up(self)

    def _missing(self) -> list[bytes] | None:
        """What the standby lacks of the batches before the backlog; None if we do not have all of it any more."""
        supply = self._supply
        if not goes_on_from(supply.configuration, self.position):
            return None
        sequences = range(self.position.sequence + 1, self._next + 1)
        try:
            return [supply.recent[sequence] for sequence in sequences]
        except KeyError:
            return None

    async def _send_copy(self) -> None:
        supply = self._supply
        copied = await asyncio.to_thread(supply.store.copy_to, self._copy, supply.reserve)
        self._to_copy = self._copy.stat().st_size
        log.info("standby %s gets a copy of %d bytes, up to batch %d", self.server, self._to_copy, copied.sequence)
        await self._call("begin_copy", self._to_copy)
        digest = hashlib.sha256()
        tenth = 0
        with self._copy.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                digest.update(piece)
                await self._call("copy_piece", self._copied, annotation=piece)
                self._copied += len(piece)
                if self._copied * 10 // self._to_copy > tenth:
                    tenth = self._copied * 10 // self._to_copy
                    log.info("standby %s has %d0 %% of its copy", self.server, tenth)
        self.position = await self._call("end_copy", digest.hexdigest())

    def _skip(self) -> None:
        """Leave out what the copy holds already."""
        while self._backlog and self._next < self.position.sequence:
            self._backlog.take(1)
            self._next += 1

    async def _ship(self, time_limit: float) -> None:
        questions = self._questions
        parts = self._backlog.take(SHIPMENT_BYTES)
        self._next += len(parts)
        await self._send(b"".join(parts), self._next, time_limit)
        self.confirmed = questions
        self._reports.acknowledged(self)

    async def _send(self, shipment: bytes, sequence: int, time_limit: float) -> None:
        """Ship batches, the last of which has this sequence."""
        self.position = await self._call("new_messages", sequence, annotation=shipment, time_limit=time_limit)

    async def _call(
        self, method: str, *arguments: object, annotation: bytes | None = None, time_limit: float = CATCHING_UP
    ) -> LogPosition:
        """Call a method of the standby's object; it answers where its log ends."""
        assert self._peer is not None
        annotations = None if annotation is None else {ANNOTATION: annotation}
        answer, _ = await self._peer.call(method, arguments, None, annotations, timeout=time_limit)
        try:
            return msgspec.convert(answer, LogPosition)
        except msgspec.ValidationError as error:
            raise ConnectionFailedError(f"standby {self.server} answered {method} with nonsense: {error}") from None


def _shipments(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The parts in order, some together."""
    together: list[bytes] = []
    size = 0
    for part in parts:
        together.append(part)
        size += len(part)
        if size >= SHIPMENT_BYTES:
            yield together
            together, size = [], 0
    if together:
        yield together
