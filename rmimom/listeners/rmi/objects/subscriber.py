"""A bare IClientRMI object that takes plain messages, one call each.

It knows nothing of tags and batches: a message whose `new_message` returned true is acknowledged.  Any other answer
is a failure, of which the policy of the destination allows some.  Then the consumer closes, so that a queue's other
consumers can have what it held, and opens anew after a pause: everything comes again in its order, also what was on its
way meanwhile.  An object that cannot be called is offline: its consumer closes, and what it did not take waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from rmimom.commands import Acknowledge, CloseConsumer, Connect, Disconnect, Release, Subscribe
from rmimom.destination import Destination
from rmimom.engine import Engine
from rmimom.errors import InvalidDestinationError, JMSError, MessageFormatError
from rmimom.frame import PERSISTENT, Delivered, decode_head
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError
from rmimom.message import Message

log = logging.getLogger(__name__)

PREFETCH = 100
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds between attempts to deliver a message that the object refuses; doubled each time."""
DEEPEST = 100
"""Levels of nesting in a body; Python's own parser, which stock serpent uses, gives up at 200."""


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
        self._durable = ""
        self._consumer = 1
        self._waiting: deque[Delivered] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, durable: str) -> None:
        """Call the object, then subscribe for it.

        Raises ConnectionFailedError if it cannot be called, or what Connect and Subscribe refuse with.
        """
        self._durable = durable
        peer = await CallbackPeer.connect(self.uri, timeout=self._timeout)
        try:
            await self._engine.submit(Connect(self._connection, self.user))
            self._engine.dispatch.attach(self._connection, self)
            await self._subscribe()
        except BaseException:
            peer.close()
            self._engine.dispatch.detach(self._connection)
            self._engine.tell(Disconnect(self._connection))
            raise
        self._task = asyncio.get_running_loop().create_task(self._run(peer))

    async def _subscribe(self) -> None:
        await self._engine.submit(
            Subscribe(
                self._connection,
                self._consumer,
                self.destination,
                durable=self._durable,
                prefetch=PREFETCH,
                callback=self.uri,
            )
        )

    def deliver(self, deliveries: list[Delivered]) -> None:
        """Take messages from the engine; those for a consumer that was closed meanwhile went back."""
        self._waiting.extend(delivered for delivered in deliveries if self._consumer in delivered.consumers)
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
                refused = await self._offer(peer, delivered)
                if refused is None:
                    self._waiting.popleft()
                    pause = FIRST_PAUSE
                    self._engine.tell(Acknowledge(self._connection, self._consumer, tags=(delivered.tag,)))
                else:
                    self._engine.tell(
                        Release(self._connection, self._consumer, (delivered.tag,), reason=refused, close=True)
                    )
                    self._consumer += 1
                    self._waiting.clear()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    await self._subscribe()
        except JMSError as error:
            log.info("subscriber %r of %s is offline: %s", self.user, self.destination, error)
            self._task = None
            self._end()
            self._on_offline(self)
        finally:
            peer.close()

    async def _offer(self, peer: CallbackPeer, delivered: Delivered) -> str | None:
        """Let the object have the message; None if it took it, else why not."""
        count = delivered.counts[0]
        try:
            try:
                message = Message.from_frame(delivered.frame, delivery_count=count, note=delivered.note).to_dict()
                _check_depth(message["body"])
                return await self._call(peer, message)
            except (MessageFormatError, InvalidDestinationError, ValueError, RecursionError) as error:
                # The server reads no bodies and properties on their way, so this can be the first time for this one.
                return await self._call(peer, _unreadable(delivered, error))
        except RemoteCallError as error:
            log.warning("subscriber %r of %s failed on a message: %s", self.user, self.destination, error)
            return str(error)

    async def _call(self, peer: CallbackPeer, message: dict[str, object]) -> str | None:
        result, _ = await peer.call("new_message", (message,), {}, timeout=self._timeout)
        return None if result else "new_message did not return true"

    def stop(self) -> None:
        """End the delivery; what was not taken goes back.  Twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._end()

    def _end(self) -> None:
        self._engine.dispatch.detach(self._connection)
        self._engine.tell(CloseConsumer(self._connection, self._consumer))
        self._engine.tell(Disconnect(self._connection))


def _check_depth(body: object) -> None:
    """Raise MessageFormatError for a body that serpent might refuse at the other end."""
    level = [body]
    for _ in range(DEEPEST):
        level = [
            item
            for value in level
            if isinstance(value, dict | list | tuple)
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise MessageFormatError(f"the body is nested more than {DEEPEST} deep")


def _unreadable(delivered: Delivered, error: Exception) -> dict[str, object]:
    """What a bare object is told of a message that cannot be read: the bytes of its frame, and the kind "unreadable".

    It has to be told something, or everybody else's messages would wait behind this one for ever.
    """
    head = decode_head(delivered.frame)
    log.warning("message %s to %s cannot be read: %s", head.message_id, head.destination, error)
    count = delivered.counts[0]
    return {
        "body": bytes(delivered.frame),
        "kind": "unreadable",
        "properties": {},
        "priority": head.priority,
        "persistent": head.mode == PERSISTENT,
        "correlation_id": None,
        "reply_to": None,
        "type": None,
        "message_id": head.message_id,
        "timestamp": head.timestamp,
        "expiration": head.expiration,
        "destination": head.destination,
        "redelivered": count > 1,
        "delivery_count": count,
    }
