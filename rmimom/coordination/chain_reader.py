"""When the chain of configurations is read: soon if somebody asks, often while something waits for it, else seldom."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from rmimom.cluster.configuration import Configuration
from rmimom.cluster.events import ChainRead, Event, NameServerAway
from rmimom.errors import JMSError

log = logging.getLogger(__name__)

SELDOM: Final = 2.0
"""Seconds between looks at the chain when nothing has to be changed."""
OFTEN: Final = 0.5
"""Seconds between looks while something waits for the name server."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
"""Seconds before a name server that is away is asked again; doubled each time."""


class Chain(Protocol):
    """Where the chain is kept (`rmimom.coordination.witness.Witness`)."""

    async def read(self) -> tuple[Configuration, ...]:
        """Every configuration, by number; raises JMSError if that cannot be told."""
        ...

    async def register(self, configuration: Configuration) -> None:
        """Register one, in exactly one call."""
        ...

    async def remove(self, configuration: Configuration) -> None:
        """Remove the name of one."""
        ...


class ChainReader:
    """Reads the chain and tells `post`; `presses` says whether something waits for what it will tell.

    Whatever a strange name server brings about counts as its being away, and it is asked again.

    An answer that was asked for before a registration was over may lack what was registered.  To the member it would
    look as if the name server had forgotten it, and the member would register the next one, for ever: see `counts`.
    """

    def __init__(self, chain: Chain, post: Callable[[Event], None], presses: Callable[[], bool]) -> None:
        self._chain = chain
        self._post = post
        self._presses = presses
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False
        self._again = False
        self._registering = 0
        self._counting: set[str] = set()
        self._pause = FIRST_PAUSE
        self._closed = False

    def read_soon(self) -> None:
        """Read now; if that is under way, once more after it."""
        if self._closed:
            return
        if self._reading:
            self._again = True
            return
        self._reading = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._spawn(self._read())

    def counts(self, event: Event) -> bool:
        """Whether this may be handled now; asked once for each event, when its turn comes."""
        if not isinstance(event, ChainRead | NameServerAway):
            return True
        counts = event.seal in self._counting
        self._counting.discard(event.seal)
        return counts or isinstance(event, NameServerAway)

    def register(self, configuration: Configuration) -> None:
        """Register a configuration, then read what came of it; what was asked for before that counts no more."""
        self._registering += 1
        self._counting.clear()
        self._spawn(self._register(configuration))

    def remove(self, configuration: Configuration) -> None:
        """Remove the name of a configuration; the next reading tells whether it is gone."""
        self._spawn(self._remove(configuration))

    def close(self) -> None:
        """Read no more.  Twice is harmless."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    async def _register(self, configuration: Configuration) -> None:
        try:
            await self._chain.register(configuration)
        except Exception:
            log.exception("whether configuration %d was registered is unknown", configuration.number)
        self._registering -= 1
        self.read_soon()

    async def _remove(self, configuration: Configuration) -> None:
        try:
            await self._chain.remove(configuration)
        except Exception as error:  # noqa: BLE001  # it only stays for longer
            log.info("configuration %d cannot be removed from the name server: %s", configuration.number, error)

    async def _read(self) -> None:
        # A word that was never used before, in each call.
        seal = secrets.token_hex(16)
        if not self._registering:
            self._counting.add(seal)
        event: Event = NameServerAway(seal)
        try:
            event = ChainRead(await self._chain.read(), seal)
        except JMSError as error:
            log.debug("the chain of configurations cannot be read: %s", error)
        except Exception:
            log.exception("the name server answers with nonsense")
        self._reading = False
        again, self._again = self._again, False
        self._post(event)
        if again:
            self.read_soon()
        elif not self._reading and not self._closed:
            self._timer = self._loop.call_later(self._until_next(event), self.read_soon)

    def _until_next(self, event: Event) -> float:
        if isinstance(event, NameServerAway):
            pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
            return pause * random.uniform(0.5, 1.0)
        self._pause = FIRST_PAUSE
        return OFTEN if self._presses() else SELDOM

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
