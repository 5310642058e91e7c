"""Producers on an event loop: Sender for queues, Publisher for topics (Jakarta Messaging 3.1 §7).

A send puts its message into the outbox at once, in the order of the calls, and waits for the outcome only.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Unpack

from rmimom.aio.loop_session import LoopSession
from rmimom.aio.receipt import Receipt
from rmimom.client import producer as client
from rmimom.client.options import BatchOptions, SendOptions
from rmimom.client.outbox import Ticket
from rmimom.destination import Destination
from rmimom.outgoing import milliseconds


class Producer:
    """Sends messages to one destination, or to one named at each send; made by a Session (§7.1).

    The attributes `priority`, `persistent`, `time_to_live` and `delivery_delay` (both in seconds) are the defaults of
    its sends (§7.4).  Several tasks may send at once.
    """

    def __init__(self, producer: client.Producer, session: LoopSession) -> None:
        self._producer = producer
        self._session = session
        self._bridge = session.bridge
        self._exchange = session.bridge.exchange
        self._outbox = self._exchange.outbox
        self._known: Receipt | None = None

    @property
    def destination(self) -> Destination | None:
        """Where it sends; None if each send says so."""
        return self._producer.destination

    @property
    def priority(self) -> int:
        """From 0 to 9; 4 unless set (§7.4)."""
        return self._producer.priority

    @priority.setter
    def priority(self, priority: int) -> None:
        self._producer.priority = priority

    @property
    def persistent(self) -> bool:
        """Whether messages survive a restart of the server; True unless set (§7.7)."""
        return self._producer.persistent

    @persistent.setter
    def persistent(self, persistent: bool) -> None:
        self._producer.persistent = persistent

    @property
    def time_to_live(self) -> float:
        """Seconds after which a message not consumed is forgotten; 0, never, unless set (§7.8)."""
        return self._producer.time_to_live

    @time_to_live.setter
    def time_to_live(self, time_to_live: float | timedelta) -> None:
        self._producer._time_to_live = milliseconds(time_to_live, "time_to_live")

    @property
    def delivery_delay(self) -> float:
        """Seconds before which a message is not delivered; 0 unless set (§7.9)."""
        return self._producer.delivery_delay

    @delivery_delay.setter
    def delivery_delay(self, delivery_delay: float | timedelta) -> None:
        self._producer._delay = milliseconds(delivery_delay, "delivery_delay")

    @property
    def disable_message_id(self) -> bool:
        """See `rmimom.Producer.disable_message_id`."""
        return self._producer.disable_message_id

    @disable_message_id.setter
    def disable_message_id(self, disable: bool) -> None:
        self._producer.disable_message_id = disable

    @property
    def disable_message_timestamp(self) -> bool:
        """See `rmimom.Producer.disable_message_timestamp`."""
        return self._producer.disable_message_timestamp

    @disable_message_timestamp.setter
    def disable_message_timestamp(self, disable: bool) -> None:
        self._producer.disable_message_timestamp = disable

    async def send(
        self,
        body: object,
        *,
        destination: Destination | None = None,
        timeout: float | None = None,
        **options: Unpack[SendOptions],
    ) -> None:
        """Send a message and return when it is on the server's disk; see `rmimom.Producer.send`.

        If cancelled while `max_in_flight` messages have no outcome, it is not sent; later it is sent all the same, as
        after a `timeout`, and nobody waits for the outcome.
        """
        await self._admitted()
        ticket = self._put(body, destination, options)
        if not ticket.settled and not self._session.transacted:
            self._exchange.nudge()
            await self._bridge.settled(ticket, timeout)
        ticket.check()

    async def send_async(
        self, body: object, *, destination: Destination | None = None, **options: Unpack[SendOptions]
    ) -> Receipt:
        """Send a message without waiting for the outcome, which the receipt tells; see `rmimom.Producer.send_async`.

        When `max_in_flight` messages of the connection have no outcome yet, it waits until there is room.
        """
        await self._admitted()
        receipt = self._producer.send_async(body, destination=destination, **options)
        known = self._known
        if known is None or known._receipt is not receipt:
            known = self._known = Receipt(receipt, self._bridge)
        return known

    async def send_many(
        self,
        bodies: Iterable[object],
        *,
        destination: Destination | None = None,
        timeout: float | None = None,
        **options: Unpack[BatchOptions],
    ) -> int:
        """Send many messages and return when all of them are on disk, and their number.

        See `rmimom.Producer.send_many`.
        If cancelled, those that were put into the outbox are sent all the same.
        """
        await self.flush(timeout)
        count = 0
        for body in bodies:
            await self._admitted()
            self._producer.send_async(body, destination=destination, **options)
            count += 1
        await self.flush(timeout)
        return count

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until every message that was sent asynchronously has an outcome; see `rmimom.Producer.flush`."""
        self._bridge.check_loop()
        producer, loop = self._producer, self._bridge.loop
        deadline = loop.time() + (self._exchange.patience if timeout is None else timeout)
        receipts, producer._receipts = producer._receipts, []
        try:
            for receipt in receipts:
                if not receipt.settled:
                    await self._bridge.settled(receipt, max(0.0, deadline - loop.time()))
        except BaseException:
            producer._receipts = receipts + producer._receipts
            raise
        for receipt in receipts:
            receipt.check()

    async def close(self) -> None:
        """Close the producer; what it sent goes its way.  Twice is harmless."""
        self._producer.close()

    async def __aenter__(self) -> Producer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self._producer)

    async def _admitted(self) -> None:
        """Return when a message may be put into the outbox, or into the transaction."""
        self._bridge.check_loop()
        if self._session.transacted:
            if self._session.is_busy:
                await self._session.quiet()
        elif self._outbox.unconfirmed >= self._exchange.max_in_flight:
            await self._bridge.room()

    def _put(self, body: object, destination: Destination | None, options: SendOptions) -> Ticket:
        return self._producer._put(
            body,
            destination,
            options.get("properties"),
            options.get("priority"),
            options.get("persistent"),
            options.get("time_to_live"),
            options.get("delivery_delay"),
            options.get("correlation_id"),
            options.get("reply_to"),
            options.get("type"),
        )


class Sender(Producer):
    """Sends messages to a queue (§4.1)."""


class Publisher(Producer):
    """Publishes messages to a topic (§4.2): `publish` is `send` in the words of topics."""

    publish = Producer.send
    publish_async = Producer.send_async
    publish_many = Producer.send_many
