"""Consumers on an event loop: Receiver for queues, Subscriber for topics (Jakarta Messaging 3.1 §8).

A message is taken in the same step in which `receive` returns it, so whoever cancels a `receive` loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Final, Protocol, TypeAlias, TypeVar, cast

from rmimom.aio.loop_session import LoopSession
from rmimom.aio.message import Message
from rmimom.client import consumer as client
from rmimom.destination import Destination

TURN: Final = 100
"""Messages that a task may take one after the other before other tasks have their turn."""


class MessageObserver(Protocol):
    """Somebody to tell of each message: an object with this method, or any callable that takes a message."""

    def on_message(self, message: Message) -> Awaitable[object] | None:
        """A message came.  What it returns is awaited, if it can be, and the message acknowledged after that."""
        ...


Listener: TypeAlias = Callable[[Message], object]

_B = TypeVar("_B")


class Consumer:
    """Receives messages of one destination; made by a Session.

    Several tasks may receive at once: each message goes to one of them.
    """

    def __init__(self, consumer: client.Consumer, session: LoopSession) -> None:
        self._consumer = consumer
        self._session = session
        self._bridge = session.bridge
        self._exchange = session.bridge.exchange
        self._calls = 0

    @property
    def destination(self) -> Destination:
        """Where its messages come from."""
        return self._consumer.destination

    async def receive(self, timeout: float | None = None) -> Message | None:
        """The next message; waits for one, at most `timeout` seconds, and returns None if none came (§8.5).

        See `rmimom.Consumer.receive`.  If cancelled, it has taken nothing.
        """
        return await self._taken(self._take, timeout)

    async def receive_no_wait(self) -> Message | None:
        """The next message if one is here, else None (§8.5)."""
        return await self.receive(0)

    async def receive_body(self, wanted: type[_B], timeout: float | None = None) -> _B | None:
        """The body of the next message as `wanted`; None if none came (§8.6).

        See `rmimom.Consumer.receive_body`.  If cancelled, it has taken nothing.
        """
        return await self._taken(lambda: self._consumer.receive_body(wanted, 0), timeout)

    async def receive_body_no_wait(self, wanted: type[_B]) -> _B | None:
        """The body of the next message if one is here, else None; see `receive_body` (§8.6)."""
        return await self.receive_body(wanted, 0)

    def __aiter__(self) -> Consumer:
        """Messages as they come, until the consumer is closed."""
        return self

    async def __anext__(self) -> Message:
        while not (self._consumer._closed or self._session._closing):
            message = await self.receive()
            if message is not None:
                return message
        raise StopAsyncIteration

    def attach(self, observer: MessageObserver | Listener) -> None:
        """Tell `observer` of every message from now on, one message at a time in each session (§8.7).

        An observer is an object with a method `on_message`, or a callable.  It is called on the loop, in a task of the
        session, and what it returns is awaited: `async def` is what one wants here.  See `rmimom.Consumer.attach`.
        """
        self._bridge.check_loop()
        self._consumer.attach(cast("client.Listener", observer))

    def detach(self, observer: MessageObserver | Listener) -> None:
        """Tell `observer` no more; harmless if it was not attached.  Without observers messages wait for `receive`."""
        self._consumer.detach(cast("client.Listener", observer))

    async def acknowledge(self, message: Message) -> None:
        """Carry out `Message.acknowledge`."""
        await message.acknowledge()

    async def nack(self, message: Message, reason: str, delay: float | timedelta | None, *, dead: bool) -> None:
        """Carry out `Message.nack`."""
        await message.nack(reason, delay=delay, dead=dead)

    async def close(self) -> None:
        """Close the consumer: messages not received go back.  Waits for a running observer; twice is harmless.

        What was received is still the session's; see `rmimom.Consumer.close`.  An observer may close its own consumer,
        which then is done when it has returned.  If cancelled, it is closed all the same.
        """
        if self._session._thread.tells_of(self._consumer):
            self._consumer.close()  # the session does it when the observer has returned
        else:
            await self._bridge.run_apart(self._consumer.close)

    async def __aenter__(self) -> Consumer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._consumer)

    def _take(self) -> Message | None:
        """What is here; raises what `receive` raises."""
        return cast("Message | None", self._consumer.receive(0))

    async def _taken(self, take: Callable[[], _B | None], timeout: float | None) -> _B | None:
        """What `take` finds, as soon as it finds something."""
        self._calls += 1
        if not self._calls % TURN:
            await asyncio.sleep(0)
        if self._session.is_busy:
            await self._session.quiet()
        found = take()
        return await self._wait(take, timeout) if found is None and timeout != 0 else found

    async def _wait(self, take: Callable[[], _B | None], timeout: float | None) -> _B | None:
        self._bridge.check_loop()
        loop, consumer = self._bridge.loop, self._consumer
        deadline = None if timeout is None else loop.time() + timeout
        found: _B | None = None

        def look() -> bool:
            nonlocal found
            if consumer._closed or self._session._closing:
                return True
            found = take()
            return found is not None or self._exchange.problem is not None

        while True:
            remaining = None if deadline is None else deadline - loop.time()
            await self._session.arrival(look, remaining)
            if found is not None or look() or (deadline is not None and loop.time() >= deadline):
                return found


class Receiver(Consumer):
    """Takes messages from a queue; each goes to one receiver (§4.1)."""


class Subscriber(Consumer):
    """Gets every message of a topic (§4.2), or its share of them; `durable` is the name of its durable subscription."""

    @property
    def durable(self) -> str:
        """The name of the durable subscription; empty for a subscription that ends with the subscriber (§8.3)."""
        return cast("client.Subscriber", self._consumer).durable
