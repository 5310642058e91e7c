"""Tells other servers of the cluster what is decided, proposed or promised.

Each time on a connection of its own, and in vain if the server is not there: it asks the name server anyhow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from rmimom.errors import JMSError
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError

log = logging.getLogger(__name__)


class Messenger:
    """Shows `handshake`, and gives each server `time_limit` seconds to be reached and as many to answer."""

    def __init__(self, handshake: Mapping[str, str], time_limit: float) -> None:
        self._handshake = dict(handshake)
        self._time_limit = time_limit
        self._loop = asyncio.get_running_loop()
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, uri: str, news: object) -> None:
        """Tell the server whose object is at `uri`; returns at once."""
        task = self._loop.create_task(self._tell(uri, news))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def wait_until_sent(self) -> None:
        """Return when everything that was under way has arrived, or failed."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def close(self) -> None:
        """Give up what is under way.  Twice is harmless."""
        for task in self._under_way:
            task.cancel()

    async def _tell(self, uri: str, news: object) -> None:
        peer: CallbackPeer | None = None
        try:
            peer = await CallbackPeer.connect(uri, self._time_limit, handshake=self._handshake)
            await peer.call("new_message", (news,), timeout=self._time_limit)
        except (JMSError, RemoteCallError) as error:
            log.info("the server at %s could not be told: %s", uri, error)
        finally:
            if peer is not None:
                peer.close()
