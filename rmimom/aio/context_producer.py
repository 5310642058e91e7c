"""The producer of a context on an event loop (Jakarta Messaging 3.1 §2.8)."""

from __future__ import annotations

from collections.abc import Iterable

from rmimom.aio.producer import Producer
from rmimom.aio.receipt import Receipt
from rmimom.client.context_producer import SendSettings, destination_of
from rmimom.destination import Destination


class ContextProducer(SendSettings):
    """Sends to any destination; made by `Context.create_producer`, costs little and need not be closed (§2.8)."""

    def __init__(self, producer: Producer) -> None:
        super().__init__()
        self._producer = producer

    async def send(self, destination: Destination | str, body: object, *, timeout: float | None = None) -> None:
        """Send a message and return when it is on the server's disk; see `Producer.send`."""
        await self._producer.send(body, destination=destination_of(destination), timeout=timeout, **self._for(body))

    async def send_async(self, destination: Destination | str, body: object) -> Receipt:
        """Send a message without waiting for the outcome; see `Producer.send_async`."""
        return await self._producer.send_async(body, destination=destination_of(destination), **self._for(body))

    async def send_many(
        self, destination: Destination | str, bodies: Iterable[object], *, timeout: float | None = None
    ) -> int:
        """Send many messages and return when all of them are on disk, and their number; see `Producer.send_many`."""
        await self._producer.flush(timeout)
        count = 0
        for body in bodies:
            await self.send_async(destination, body)
            count += 1
        await self._producer.flush(timeout)
        return count

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until every message that was sent asynchronously has an outcome; see `Producer.flush`."""
        await self._producer.flush(timeout)

    def __repr__(self) -> str:
        return f"<ContextProducer {self.settings}>"
