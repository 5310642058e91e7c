"""Questions and answers: a request goes out and its reply is waited for (Jakarta Messaging 3.1 §2.16, §4.1.7).

A requestor has a temporary destination for its replies, a queue or a topic as that of its requests is, and two
sessions of its own: JMS lets nobody send with a session whose consumer has an observer.  Which reply belongs to which
request says the correlation id, so several requests may be outstanding, from one thread or many.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from rmimom.client.receipt import Receipt
from rmimom.destination import Destination, TemporaryQueue, TemporaryTopic, Topic
from rmimom.errors import IllegalStateError
from rmimom.message import Message
from rmimom.values import PropertyValue

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer
    from rmimom.client.session import Session


class PendingReply:
    """The reply to one request, which may still come; made by `Requestor.ask`."""

    def __init__(self, requestor: Requestor, correlation_id: str) -> None:
        self._requestor = requestor
        self._keys = [correlation_id]
        self._receipt: Receipt | None = None
        self._reply: Message | None = None

    def done(self) -> bool:
        """Whether the reply is here."""
        return self._reply is not None

    def result(self, timeout: float | None = 5.0) -> Message | None:
        """The reply, or None if none came in `timeout` seconds (None: wait as long as it takes).

        After that the request is given up: a reply that comes later is dropped.
        Raises what `Producer.send` raises if the request could not be sent, and IllegalStateError if the requestor or
        its connection is closed meanwhile.
        """
        return self._requestor._await(self, timeout)


class Requestor:
    """Sends requests to one destination and waits for their replies; any thread may use it.

    Whoever answers sends to the request's `reply_to` and gives the reply the correlation id of the request (or its
    message id), as `Session.reply` does.  The first reply counts, further ones are dropped.
    Made by `Session.create_requestor`, and closed with the connection.
    """

    def __init__(self, session: Session, destination: Destination) -> None:
        self.destination = destination
        self._connection = session._connection
        self._sending = session._create_sibling()
        self._listening = session._create_sibling()
        self._lock = threading.Lock()
        self._pending: dict[str, PendingReply] = {}
        self._closed = False
        try:
            self._producer = self._sending.create_producer(destination)
            self._replies: TemporaryQueue | TemporaryTopic
            consumer: Consumer
            if isinstance(destination, Topic):
                self._replies = self._listening.create_temporary_topic()
                consumer = self._listening.create_subscriber(self._replies)
            else:
                self._replies = self._listening.create_temporary_queue()
                consumer = self._listening.create_receiver(self._replies)
            consumer.attach(self._take)
        except BaseException:
            self._sending.close()
            self._listening.close()
            raise

    def request(
        self,
        body: object,
        *,
        timeout: float | None = 5.0,
        properties: Mapping[str, PropertyValue] | None = None,
        priority: int | None = None,
        persistent: bool | None = None,
        time_to_live: float | timedelta | None = None,
        type: str | None = None,
    ) -> Message | None:
        """Send a request and return its reply, or None if none came within `timeout` seconds.

        `body` is what the request is to hold, or a `Message`.  Its reply-to is set; its correlation id, too, unless it
        has one.  A reply that comes later is dropped.  Raises what `PendingReply.result` raises.
        """
        return self.ask(
            body, properties=properties, priority=priority, persistent=persistent, time_to_live=time_to_live, type=type
        ).result(timeout)

    def ask(
        self,
        body: object,
        *,
        properties: Mapping[str, PropertyValue] | None = None,
        priority: int | None = None,
        persistent: bool | None = None,
        time_to_live: float | timedelta | None = None,
        type: str | None = None,
    ) -> PendingReply:
        """Send a request and go on; the reply is asked for later.  See `request`.

        Raises IllegalStateError if the connection is not started, for no reply would come, or if another request with
        the same correlation id is outstanding.
        """
        message = body if isinstance(body, Message) else Message(body)
        correlation_id = message.correlation_id or secrets.token_hex(16)
        pending = PendingReply(self, correlation_id)
        # The listener needs the lock too, so no reply is looked at before its request is known by both ids.
        with self._lock:
            self._check_open()
            if correlation_id in self._pending:
                raise IllegalStateError(
                    f"a request with the correlation id {correlation_id!r} is outstanding; give this one another"
                )
            pending._receipt = self._producer.send_async(
                message,
                properties=properties,
                priority=priority,
                persistent=persistent,
                time_to_live=time_to_live,
                correlation_id=correlation_id,
                reply_to=self._replies,
                type=type,
            )
            if message.message_id is not None:
                pending._keys.append(message.message_id)
            for key in pending._keys:
                self._pending[key] = pending
        return pending

    def close(self) -> None:
        """Close the requestor with its temporary destination; who waits gets IllegalStateError.  Twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._pending.clear()
        self._listening.close()
        self._sending.close()
        if not self._connection._closed:
            self._replies.delete()

    def __enter__(self) -> Requestor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(set(self._pending.values()))} outstanding"
        return f"<Requestor {self.destination} {state}>"

    def _check_open(self) -> None:
        self._connection._check_open()
        if self._closed:
            raise IllegalStateError(f"this Requestor of {self.destination} is closed; create another one")
        if not self._connection._running:
            raise IllegalStateError("the connection is stopped, so no reply can come; start it first")

    def _take(self, reply: Message) -> None:
        """A reply came, in the thread of the listening session."""
        with self._lock:
            pending = self._pending.get(reply.correlation_id or "")
            if pending is None:
                return
            self._forget(pending)
        with self._listening._arrived:
            pending._reply = reply
            self._listening._arrived.notify_all()

    def _forget(self, pending: PendingReply) -> None:
        """It is outstanding no more; the lock is held."""
        for key in pending._keys:
            self._pending.pop(key, None)

    def _has_come(self, pending: PendingReply) -> bool:
        """Whether the reply is here; raises IllegalStateError if it cannot come any more."""
        if pending._reply is None and (self._closed or self._listening._closed):
            raise IllegalStateError(f"{self!r} was closed before the reply came")
        return pending._reply is not None

    def _await(self, pending: PendingReply, timeout: float | None) -> Message | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        assert pending._receipt is not None
        arrived = self._listening._arrived
        try:
            pending._receipt.result(timeout)
            with arrived:
                while not self._has_come(pending):
                    remaining = None if deadline is None else deadline - time.monotonic()
                    if remaining is not None and remaining <= 0:
                        return None
                    arrived.wait(remaining)
            return pending._reply
        finally:
            with self._lock:
                self._forget(pending)
