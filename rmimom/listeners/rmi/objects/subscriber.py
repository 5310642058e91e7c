"""A bare IClientRMI object that takes plain messages, one call each.

It knows nothing of tags and batches: a message whose `new_message` returned true is acknowledged, any other is
given back and tried again after a pause.  An object that cannot be called is offline: its consumer closes, and what it
did not take waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from rmimom.commands import Acknowledge, CloseConsumer, Connect, Disconnect, Release, Subscribe
from rmimom.destination import Destination
from rmimom.engine import Engine
from rmimom.errors import ConnectionFailedError, JMSError
from rmimom.frame import Delivered
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError
from rmimom.message import Message

log = logging.getLogger(__name__)

PREFETCH = 100
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds between attempts to deliver a message that the object refuses; doubled each time."""


class BareSubscriber:
    """Delivers to one callback object of one user on one destination."""

    def __init__(
        self,
        engine: Engine,
        connection: str,
        destination: Destination,
        user: str,
        uri: str,
        *,
        timeout: float,
        on_offline: Callable[[BareSubscriber], None],
    ) -> None:
        self.destination = destination
        self.user = user
        self.uri = uri
        self._engine = engine
        self._connection = connection
        self._timeout = timeout
        self._on_offline = on_offline
        self._waiting: deque[Delivered] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, durable: str) -> None:
        """Call the object, then subscribe for it.

        Raises ConnectionFailedError if it cannot be called, or what Connect and Subscribe refuse with.
        """
        peer = await CallbackPeer.connect(self.uri, timeout=self._timeout)
        try:
            await self._engine.submit(Connect(self._connection, self.user))
            self._engine.dispatch.attach(self._connection, self)
            await self._engine.submit(
                Subscribe(self._connection, 1, self.destination, durable=durable, prefetch=PREFETCH, callback=self.uri)
            )
        except BaseException:
            peer.close()
            self._engine.dispatch.detach(self._connection)
            self._engine.tell(Disconnect(self._connection))
            raise
        self._task = asyncio.get_running_loop().create_task(self._run(peer))

    def deliver(self, deliveries: list[Delivered]) -> None:
        """Take messages from the engine."""
        self._waiting.extend(deliveries)
        self._news.set()

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        """The server closed the consumer: nothing more will come."""
        log.info("subscriber %r of %s is closed: %s", self.user, self.destination, error)
        del consumer

    async def _run(self, peer: CallbackPeer) -> None:
        pause = FIRST_PAUSE
        try:
            while True:
                while not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                delivered = self._waiting[0]
                if await self._offer(peer, delivered):
                    self._waiting.popleft()
                    pause = FIRST_PAUSE
                    self._engine.tell(Acknowledge(self._connection, 1, tags=(delivered.tag,)))
                else:
                    # Everything goes back, so that the order is kept when it comes again.
                    tags = [waiting.tag for waiting in self._waiting]
                    self._waiting.clear()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    self._engine.tell(Release(self._connection, 1, tags))
        except ConnectionFailedError as error:
            log.info("subscriber %r of %s is offline: %s", self.user, self.destination, error)
            self._task = None
            self._end()
            self._on_offline(self)
        finally:
            peer.close()

    async def _offer(self, peer: CallbackPeer, delivered: Delivered) -> bool:
        message = Message.from_frame(delivered.frame, delivery_count=delivered.counts[0])
        try:
            result, _ = await peer.call("new_message", (message.to_dict(),), {}, timeout=self._timeout)
        except RemoteCallError as error:
            log.warning("subscriber %r of %s failed on a message: %s", self.user, self.destination, error)
            return False
        return bool(result)

    def stop(self) -> None:
        """End the delivery; what was not taken goes back.  Twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._end()

    def _end(self) -> None:
        self._engine.dispatch.detach(self._connection)
        self._engine.tell(CloseConsumer(self._connection, 1))
        self._engine.tell(Disconnect(self._connection))
