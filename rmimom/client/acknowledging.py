"""What a session does about a message that an application acknowledges or gives back (Jakarta Messaging 3.1 §6.2.10).

    mode              acknowledging a message                       by itself
    AUTO, DUPS_OK     nothing                                       after `receive`, or when the observers have returned
    CLIENT            all that the session delivered so far         never
    INDIVIDUAL        this message                                  never
    transacted        nothing                                       in `commit`

Acknowledging has two halves: to put it into the outbox, which waits for nothing, and to wait until the server has it on
disk.  An event loop waits in a way of its own, so it asks for the first half alone.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from rmimom.client.exchange import Exchange
from rmimom.client.lingering import Lingering
from rmimom.client.mode import AcknowledgeMode
from rmimom.client.outbox import Ticket
from rmimom.errors import IllegalStateError
from rmimom.message import Message
from rmimom.outgoing import milliseconds

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer
    from rmimom.client.session import Session


class Acknowledging:
    """Acknowledges and gives back messages of one session, whichever of its consumers they came from."""

    def __init__(self, session: Session, lingering: Lingering, exchange: Exchange, lock: threading.Lock) -> None:
        self._session = session
        self._lingering = lingering
        self._exchange = exchange
        self._lock = lock
        self._individual = session.mode is AcknowledgeMode.INDIVIDUAL_ACKNOWLEDGE
        self._together = session.mode is AcknowledgeMode.CLIENT_ACKNOWLEDGE

    def acknowledge(self, consumer: Consumer, message: Message) -> None:
        """Carry out `Message.acknowledge`."""
        if self._together:
            # What it acknowledges is what the session delivered so far, so another thread cannot know.
            self._session._usage.check()
        self._confirm(self.begin(consumer, message))

    def acknowledge_all(self) -> None:
        """Carry out `Context.acknowledge`."""
        self._confirm(self.begin_all())

    def begin(self, consumer: Consumer, message: Message) -> list[Ticket]:
        """Put what `Message.acknowledge` acknowledges into the outbox; the tickets tell when it is on disk."""
        if not (self._individual or self._together):
            return []
        if self._session._closed:
            raise IllegalStateError(
                "the message cannot be acknowledged any more: its session is closed, and it went back"
            )
        if self._together:
            return self.begin_all()
        with self._lock, self._exchange.lock:
            return [consumer._intake.acks.ticket()] if consumer._intake.acknowledge(message._tag) else []

    def begin_all(self) -> list[Ticket]:
        """Put what `Context.acknowledge` acknowledges into the outbox, as `begin` does."""
        if not (self._individual or self._together):
            return []
        with self._lock, self._exchange.lock:
            intakes = [consumer._intake for consumer in self._lingering.givers()]
            return [intake.acks.ticket() for intake in intakes if intake.acknowledge_all()]

    def _confirm(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            self._exchange.wait_for(ticket)
        for ticket in tickets:
            ticket.check()
        self._lingering.end_done()

    def nack(
        self, consumer: Consumer, message: Message, reason: str, delay: float | timedelta | None, *, dead: bool
    ) -> None:
        """Carry out `Message.nack`."""
        if self._session._closed:
            raise IllegalStateError(
                "the message cannot be given back any more: its session is closed, and it went back"
            )
        tag = message._tag
        with self._lock:
            if tag not in consumer._intake.working:
                raise IllegalStateError("the message is acknowledged or given back already; the session has it no more")
        options: dict[str, object] = {}
        if delay is not None:
            options["delay"] = milliseconds(delay, "delay")
        if dead:
            options["dead"] = True

        def tell() -> None:
            # If the server was lost and knows of it already, it said so when it was found again: then it is not here.
            with self._lock:
                here = tag in consumer._intake.working
            if here:
                consumer._failed([tag], reason, options)

        self._exchange.until_answered(tell)
        self._lingering.end_done()
