"""The replication of the active's engine: batches go to the standbys, and wait until they may be released.

    engine ──offer──► links ──acknowledged──► member ──Release──► the engine goes on

Rule 1: from the moment a standby is reported as caught up until the member says that it does not count, no effects are
        released without it.
Rule 2: once deposed, nothing is released at all, until this server becomes active again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from rmimom.cluster.configuration import Configuration, LogPosition
from rmimom.cluster.events import Acknowledged, Event, Joined, Lost, Stored
from rmimom.coordination.link import Link, LinkStatistics, Supply
from rmimom.coordination.shipment import pack
from rmimom.records import Batch
from rmimom.replication import NotActiveError
from rmimom.store.base import Store

log = logging.getLogger(__name__)

RECENT_BYTES: Final = 16 * 1024 * 1024
"""Batches that are kept for standbys that were away for a moment."""


class Membership(Protocol):
    """What the member of the cluster knows, and who tells it more."""

    @property
    def serving(self) -> Configuration | None:
        """The configuration in which this server is active, or None if it is not."""
        ...

    @property
    def required(self) -> set[str]:
        """The standbys without which nothing may be released."""
        ...

    @property
    def store(self) -> Store:
        """What copies are made of."""
        ...

    def post(self, event: Event) -> None:
        """Let the member know, in its turn."""
        ...


class Shipping:
    """See the module's text: it is the `Replication` of the engine, and the `Reports` of the links.

    `directory` is where copies are made; `time_limit` in seconds is what a standby in step may take for a call;
    `reserve` are bytes that a copy must leave free.
    """

    def __init__(
        self, membership: Membership, handshake: Mapping[str, str], directory: Path, time_limit: float, reserve: int
    ) -> None:
        self.stored_position = LogPosition(0, 0)
        """What our own disk has."""
        self._membership = membership
        self._handshake = dict(handshake)
        self._directory = directory
        self._time_limit = time_limit
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._links: dict[str, Link] = {}
        self._recent: deque[tuple[int, bytes]] = deque()
        self._recent_bytes = 0
        self._keeps_recent = False
        self._decided = LogPosition(0, 0)
        self._under_way: Batch | None = None
        """What is decided and not on our own disk yet; the engine has one such batch at a time."""
        self._joining = 0
        self._offers: deque[tuple[LogPosition, asyncio.Future[None]]] = deque()
        self._questions: list[tuple[asyncio.Future[None], dict[str, tuple[Link | None, int]]]] = []

    def begin(self, position: LogPosition, *, expects_standbys: bool) -> None:
        """This server becomes active where the log ends.

        If it took over from another one, that is expected back, and shall find everything since then.
        """
        self._decided = self.stored_position = position
        self._under_way = None
        self._recent.clear()
        self._recent_bytes = 0
        self._keeps_recent = expects_standbys

    # What the engine asks (see `rmimom.replication.Replication`).

    def offer(self, batch: Batch) -> asyncio.Future[None] | None:
        """See `rmimom.replication.Replication`."""
        position = LogPosition(batch.epoch, batch.sequence)
        self._decided = position
        self._under_way = batch
        if self._membership.serving is None:
            return self._refused()
        if self._links or self._keeps_recent:
            part = pack(batch)
            self._recent.append((batch.sequence, part))
            self._recent_bytes += len(part)
            while self._recent_bytes > RECENT_BYTES:
                self._recent_bytes -= len(self._recent.popleft()[1])
            for link in list(self._links.values()):
                link.offer(batch.sequence, part)
        if not self._membership.required and not self._joining:
            return None
        future: asyncio.Future[None] = self._loop.create_future()
        self._offers.append((position, future))
        return future

    def stored(self, batch: Batch) -> None:
        """See `rmimom.replication.Replication`."""
        self.stored_position = LogPosition(batch.epoch, batch.sequence)
        self._under_way = None
        if self._offers:
            self._membership.post(Stored(self.stored_position))

    def confirm(self) -> asyncio.Future[None] | None:
        """See `rmimom.replication.Replication`."""
        if self._membership.serving is None:
            return self._refused()
        if not self._membership.required and not self._joining:
            return None
        future: asyncio.Future[None] = self._loop.create_future()
        self._questions.append((future, {server: self._ask(server) for server in sorted(self._membership.required)}))
        self.answer_questions()
        return future

    def _ask(self, server: str) -> tuple[Link | None, int]:
        link = self._links.get(server)
        return link, link.ask() if link is not None else 0

    def _refused(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        future.set_exception(NotActiveError("another server may be active by now"))
        return future

    # The standbys of the active (see `rmimom.coordination.link.Reports`).

    def join(self, server: str, uri: str) -> None:
        """A standby subscribed.  Raises NotActiveError if this server is not active."""
        configuration = self._membership.serving
        if configuration is None:
            raise NotActiveError("this server is not active; ask the name server which one is")
        self.leave(server)
        self._keeps_recent = True
        recent = dict(self._recent)
        if self._under_way is not None and self._under_way.sequence not in recent:
            # A copy made now would lack it, and nobody would wait for the standby before it is told.
            recent[self._under_way.sequence] = pack(self._under_way)
        supply = Supply(
            configuration=configuration,
            handshake=self._handshake,
            store=self._membership.store,
            directory=self._directory,
            recent=recent,
            decided=max(self._decided, self.stored_position),
            time_limit=self._time_limit,
            reserve=self._reserve,
        )
        self._links[server] = Link(server, uri, supply, self)
        log.info("standby %s subscribed to the coordination topic", server)

    def leave(self, server: str) -> bool:
        """A standby follows no more; False if it did not."""
        link = self._links.get(server)
        if link is None:
            return False
        link.close("it subscribed anew, or left")
        return True

    def caught_up(self, link: Link) -> None:
        """A standby has all that was decided."""
        # From here on nothing is told before it has it; the member sees the events in this order.
        self._joining += 1
        self._membership.post(Stored(self.stored_position))
        self._membership.post(Joined(link.server, link.uri, link.position))

    def needs_copy(self, link: Link) -> None:
        """A standby gets a copy: what it had does not count any more."""
        self._membership.post(Lost(link.server, "it needs a copy", for_good=True))

    def acknowledged(self, link: Link) -> None:
        """A standby has more than before, or said that it still follows."""
        self._membership.post(Acknowledged(link.server, link.position))

    def lost(self, link: Link, why: str) -> None:
        """A standby is not shipped to any more."""
        if self._links.get(link.server) is link:
            del self._links[link.server]
        log.warning("standby %s is not in step any more: %s", link.server, why)
        self._membership.post(Lost(link.server, why))

    def handled(self, event: Event) -> None:
        """The member has handled an event."""
        if isinstance(event, Joined):
            self._joining -= 1

    def release(self, position: LogPosition) -> None:
        """The engine may go on with everything up to here."""
        while self._offers and self._offers[0][0] <= position:
            done(self._offers.popleft()[1])

    def answer_questions(self) -> None:
        """Answer what can be answered by now."""
        open_questions = []
        for future, asked in self._questions:
            if future.done():
                continue
            for server, (link, _) in asked.items():
                if link is not self._links.get(server):
                    asked[server] = self._ask(server)  # it was away, and comes back without the question
            if all(
                server not in self._membership.required or (link is not None and link.confirmed >= number)
                for server, (link, number) in asked.items()
            ):
                future.set_result(None)
            else:
                open_questions.append((future, asked))
        self._questions = open_questions

    def depose(self, why: str) -> None:
        """Nothing that waits may be told any more."""
        for link in list(self._links.values()):
            link.close(why)
        error = NotActiveError(f"this server is active no more: {why}")
        offers, self._offers = self._offers, deque()
        questions, self._questions = self._questions, []
        for _, future in offers:
            fail(future, error)
        for future, _ in questions:
            fail(future, error)

    def uri_of(self, server: str) -> str:
        """Where a standby is; empty if it is not linked."""
        link = self._links.get(server)
        return link.uri if link is not None else ""

    def statistics(self) -> list[LinkStatistics]:
        """A reading of every link."""
        return [link.statistics() for link in self._links.values()]


def done(future: asyncio.Future[None]) -> None:
    """Wake whoever waits, if anybody does still."""
    if not future.done():
        future.set_result(None)


def fail(future: asyncio.Future[None], error: BaseException) -> None:
    """Tell whoever waits that it is in vain, if anybody does still."""
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever waits sees it; if nobody does, it is not worth a warning
