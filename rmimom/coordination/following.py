"""How a standby keeps to its active: it subscribes, and subscribes again when the connection is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Final

from Pyro5.core import URI

from rmimom.coordination.topic import COORDINATION_TOPIC
from rmimom.destination import Topic
from rmimom.errors import ConnectionFailedError, JMSError
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between attempts to subscribe; doubled each time."""
LASTING: Final = 5.0
"""Seconds that a subscription has to last before the next attempt counts as the first again."""
UNSERVED: Final = 5.0
"""Seconds after which a subscription is looked at: if nothing is shipped, the active could not reach this server."""
LONGEST_UNSERVED: Final = 60.0
"""The same after several attempts in vain; doubled each time, for on a slow machine the shipping may only be slow."""


class Following:
    """Subscribes server `me`, whose object is at `uri`, to the coordination topic of the server at `active`.

    `lost` is called with the reason each time that the active is found not to be there at all: nothing listens where it
    was.  `served` tells whether the active ships.  `time_limit` in seconds is for one call.
    """

    def __init__(
        self,
        active: str,
        me: str,
        uri: str,
        handshake: Mapping[str, str],
        lost: Callable[[str], None],
        served: Callable[[], bool],
        time_limit: float,
    ) -> None:
        self.active = active
        self._me = me
        self._uri = uri
        self._handshake = dict(handshake)
        self._lost = lost
        self._served = served
        self._unserved = UNSERVED
        self._time_limit = time_limit
        self._again = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def subscribe_again(self) -> None:
        """The active does not ship any more: ask anew."""
        self._again.set()

    def stop(self) -> None:
        """Follow no more.  Twice is harmless."""
        self._task.cancel()

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        known = False
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._again.clear()
            peer: CallbackPeer | None = None
            try:
                peer = await CallbackPeer.connect(
                    f"PYRO:{Topic(COORDINATION_TOPIC).registered_name}@{URI(self.active).location}",
                    self._time_limit,
                    handshake=self._handshake,
                )
                await peer.call("subscribe", (self._me, self._uri), timeout=self._time_limit)
                known = True
                peer.on_close(self._again.set)
                await self._until_asked_again()
            except (JMSError, RemoteCallError) as error:
                if isinstance(error, ConnectionFailedError) and known:
                    self._lost(f"it cannot be reached any more: {error}")
                log.debug("cannot follow %s: %s", self.active, error)
            finally:
                if peer is not None:
                    peer.close()
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = FIRST_PAUSE if loop.time() - began > LASTING else min(2 * pause, LONGEST_PAUSE)

    async def _until_asked_again(self) -> None:
        """Wait until the subscription has to be made anew, because it is lost or nothing ever comes of it.

        The active subscribes nobody whom it cannot call, and when it gives up it can tell nobody, either.
        """
        while True:
            try:
                async with asyncio.timeout(self._unserved):
                    await self._again.wait()
                return
            except TimeoutError:
                if not self._served():
                    log.info("%s ships nothing; it is asked again", self.active)
                    self._unserved = min(2 * self._unserved, LONGEST_UNSERVED)
                    return
                self._unserved = UNSERVED
