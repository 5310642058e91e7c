"""Producers: Sender for queues, Publisher for topics; one implementation (Jakarta Messaging 3.1 §7)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rmimom.body import encode_body
from rmimom.client.completion import CompletionListener, check_completion_listener
from rmimom.client.outbox import Stream, Ticket, again
from rmimom.client.receipt import Receipt
from rmimom.composite import parse_target
from rmimom.destination import Destination, Queue, Topic, parse_destination
from rmimom.errors import IllegalStateError, InvalidDestinationError, MessageFormatError, MessageTooLargeError
from rmimom.foreign import adopted, is_foreign
from rmimom.frame import BYTES, DEFAULT_PRIORITY, NON_PERSISTENT, PERSISTENT, TEXT, Frame, encode
from rmimom.message import Message
from rmimom.outgoing import check_priority, milliseconds
from rmimom.values import PropertyValue, encode_properties

if TYPE_CHECKING:
    from rmimom.client.session import Session

_now = time.time_ns
_MAX_RECEIPTS = 100
_EMPTY = len(b"{}")


class Producer:
    """Sends messages to one destination, or to one named at each send; made by a Session (§7.1).

    The attributes `priority`, `persistent`, `time_to_live` and `delivery_delay` (both in seconds) are the defaults of
    its sends (§7.4).
    """

    def __init__(self, session: Session, destination: Destination | None) -> None:
        session._check_open()
        self._session = session
        self._usage = session._usage
        self._connection = session._connection
        self._exchange = self._connection._exchange
        self._transaction = session._transaction
        self._outbox = self._connection._outbox
        self._next_id = self._connection._message_numbers.__next__
        self._id_prefix = self._connection._message_id_prefix
        self.destination = destination
        self._name = str(destination.checked()) if destination is not None else ""
        self._stream: Stream | None = None
        if destination is not None:
            with self._exchange.lock:
                self._stream = self._outbox.stream(self._name)
                self._stream.users += 1
        self._closed = False
        self._receipts: list[Receipt] = []
        self._last: Receipt | None = None
        self._priority = DEFAULT_PRIORITY
        self._mode = PERSISTENT
        self._time_to_live = 0
        self._delay = 0
        self._stamp = self._connection._stamp
        self.disable_message_id = False
        """Send messages without an id: `message_id` is None at the receiver (§7.6)."""
        self.disable_message_timestamp = False
        """Send messages without the time of sending: `timestamp` is 0 at the receiver (§7.6)."""

    # Defaults.

    @property
    def priority(self) -> int:
        """From 0 to 9; 4 unless set (§7.4)."""
        return self._priority

    @priority.setter
    def priority(self, priority: int) -> None:
        self._priority = check_priority(priority)

    @property
    def persistent(self) -> bool:
        """Whether messages survive a restart of the server; True unless set (§7.7)."""
        return self._mode == PERSISTENT

    @persistent.setter
    def persistent(self, persistent: bool) -> None:
        self._mode = PERSISTENT if persistent else NON_PERSISTENT

    @property
    def time_to_live(self) -> float:
        """Seconds after which a message not consumed is forgotten; 0, never, unless set (§7.8)."""
        return self._time_to_live / 1000

    @time_to_live.setter
    def time_to_live(self, time_to_live: float | timedelta) -> None:
        self._time_to_live = milliseconds(time_to_live, "time_to_live")

    @property
    def delivery_delay(self) -> float:
        """Seconds before which a message is not delivered; 0 unless set (§7.9)."""
        return self._delay / 1000

    @delivery_delay.setter
    def delivery_delay(self, delivery_delay: float | timedelta) -> None:
        self._delay = milliseconds(delivery_delay, "delivery_delay")

    # Sending.

    def send(
        self,
        body: object,
        *,
        destination: Destination | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
        priority: int | None = None,
        persistent: bool | None = None,
        time_to_live: float | timedelta | None = None,
        delivery_delay: float | timedelta | None = None,
        correlation_id: str | None = None,
        reply_to: Destination | str | None = None,
        type: str | None = None,
        timeout: float | None = None,
        completion_listener: CompletionListener | None = None,
    ) -> None:
        """Send a message and return when it is on the server's disk, and on every in-sync standby (§7.2).

        In a transacted session it returns at once: the message is as it is now, but sent when the session commits.
        `body` is what the message is to hold, or a `Message`, whose own properties, correlation id, reply-to and type
        are sent unless given here, and whose headers are set as JMS has it (§3.4).
        A message that is not persistent is safe from everything but a restart of the server.

        With a `completion_listener` it returns at once, and the listener is told of the outcome in another thread, in
        the order of the sends (§7.3): `on_completion(message)`, or `on_exception(message, error)`.  Until then a
        `Message` given as `body` must be left alone, neither changed nor read.  When `max_in_flight` messages of the
        connection have no outcome yet, it waits until there is room.

        Raises MessageFormatError or MessageTooLargeError for a message that cannot be sent, the server's refusal, and
        ConnectionFailedError if there is no answer within `timeout` seconds (by default the connection's
        `reconnect_timeout`): then the outcome is unknown.  Raises ResourceAllocationError if the transaction of the
        session becomes too large for the server; IllegalStateError while another thread uses the session.
        """
        if completion_listener is not None:
            check_completion_listener(completion_listener)
            if not isinstance(body, Message):
                body = Message(body)
            self._make_room()
        ticket = self._put(
            body,
            destination,
            properties,
            priority,
            persistent,
            time_to_live,
            delivery_delay,
            correlation_id,
            reply_to,
            type,
        )
        if completion_listener is not None:
            self._tell_later(body, ticket, completion_listener)
            return
        if not ticket.settled and self._transaction is None:
            with self._usage:
                self._exchange.wait_for(ticket, timeout)
        if ticket.error is not None:
            ticket.check()

    def _tell_later(self, message: object, ticket: Ticket, listener: CompletionListener) -> None:
        assert isinstance(message, Message)
        self._session._completions.add(self, message, None if self._transaction is not None else ticket, listener)
        # What is not full goes when the thread of the listeners waits for it.
        if self._stream is not None and self._stream.has_full_chunk:
            self._exchange.advance()

    def _make_room(self) -> None:
        if self._outbox.unconfirmed >= self._exchange.max_in_flight and self._transaction is None:
            with self._usage:
                self._exchange.make_room()

    def send_async(
        self,
        body: object,
        *,
        destination: Destination | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
        priority: int | None = None,
        persistent: bool | None = None,
        time_to_live: float | timedelta | None = None,
        delivery_delay: float | timedelta | None = None,
        correlation_id: str | None = None,
        reply_to: Destination | str | None = None,
        type: str | None = None,
    ) -> Receipt:
        """Send a message without waiting; the receipt tells when it is on disk.  See `send` for the rest.

        When `max_in_flight` messages of the connection have no outcome yet, it waits until there is room.
        In a transacted session all messages of a transaction share one receipt, settled when it commits or rolls back.
        """
        if self._outbox.unconfirmed >= self._exchange.max_in_flight:
            self._make_room()
        receipt: Receipt = self._put(  # type: ignore[assignment]  # the outbox makes what the Exchange told it to
            body,
            destination,
            properties,
            priority,
            persistent,
            time_to_live,
            delivery_delay,
            correlation_id,
            reply_to,
            type,
        )
        if receipt is not self._last and self._transaction is None:
            self._last = receipt
            self._begun(receipt)
        return receipt

    def _begun(self, receipt: Receipt) -> None:
        """The message sent last is the first of this producer in a chunk."""
        if len(self._receipts) >= _MAX_RECEIPTS:
            self._receipts = [kept for kept in self._receipts if not kept.settled or kept.error is not None]
        self._receipts.append(receipt)
        if self._stream is not None and self._stream.has_full_chunk:
            self._exchange.advance()
        else:
            self._exchange.nudge()

    def send_many(
        self,
        bodies: Iterable[object],
        *,
        destination: Destination | None = None,
        properties: Mapping[str, PropertyValue] | None = None,
        priority: int | None = None,
        persistent: bool | None = None,
        time_to_live: float | timedelta | None = None,
        delivery_delay: float | timedelta | None = None,
        timeout: float | None = None,
    ) -> int:
        """Send many messages and return when all of them are on disk; returns how many they were.

        They travel in batches, so this is the fast way.  If one batch is refused, its error is raised after
        the last one: what was not refused is on disk.  `timeout` counts from the last message.
        In a transacted session they are sent when it commits, all or none.
        """
        self.flush(timeout)
        count = 0
        for body in bodies:
            self.send_async(
                body,
                destination=destination,
                properties=properties,
                priority=priority,
                persistent=persistent,
                time_to_live=time_to_live,
                delivery_delay=delivery_delay,
            )
            count += 1
        self.flush(timeout)
        return count

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every message that was sent asynchronously has an outcome.

        Raises the first error among those since the last flush, or ConnectionFailedError after `timeout` seconds.
        In a transacted session there is nothing to wait for; `Session.commit` does that.
        """
        deadline = time.monotonic() + (self._exchange.patience if timeout is None else timeout)
        receipts, self._receipts = self._receipts, []
        try:
            with self._usage:
                for receipt in receipts:
                    if not receipt.settled:
                        self._exchange.wait_for(receipt, max(0.0, deadline - time.monotonic()))
        except BaseException:
            self._receipts = receipts
            raise
        for receipt in receipts:
            receipt.check()

    def close(self) -> None:
        """Close the producer; what it sent goes its way.  Any thread may do it; twice is harmless.

        Waits until its completion listeners have been told of every send; raises IllegalStateError when one of them
        calls it (§7.3.4).
        """
        self._session._completions.refuse_here("close its own producer", self)
        if not self._closed:
            self._closed = True
            self._session._completions.finish(self)
            if self._stream is not None:
                with self._exchange.lock:
                    self._stream.users -= 1
            self._session._forget_producer(self)

    def __enter__(self) -> Producer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name or 'to any destination'}{' closed' if self._closed else ''}>"

    def _put(
        self,
        body: object,
        destination: Destination | None,
        properties: Mapping[str, PropertyValue] | None,
        priority: int | None,
        persistent: bool | None,
        time_to_live: float | timedelta | None,
        delivery_delay: float | timedelta | None,
        correlation_id: str | None,
        reply_to: Destination | str | None,
        type_: str | None,
    ) -> Ticket:
        """Make a frame and put it into the outbox, or the transaction."""
        exchange = self._exchange
        if self._closed:
            self._refuse()
        if self._usage.owner:
            self._usage.check()
        message: Message | None = None
        if type(body) is bytes:
            kind, data = BYTES, body
        elif type(body) is str:
            kind = TEXT
            try:
                data = body.encode()
            except UnicodeEncodeError as error:
                raise MessageFormatError(f"the body holds text that is not Unicode: {error}") from None
        elif isinstance(body, Message) or is_foreign(body):
            message = body if isinstance(body, Message) else adopted(body)
            kind, data = encode_body(message.body, message._asked_kind)
            properties = message._sent_properties() if properties is None else properties
            correlation_id = message.correlation_id if correlation_id is None else correlation_id
            reply_to = message.reply_to if reply_to is None else reply_to
            type_ = message.type if type_ is None else type_
        else:
            kind, data = encode_body(body)
        encoded = encode_properties(properties) if properties else b"{}"
        if self._stamp:
            encoded = self._stamp if len(encoded) <= _EMPTY else self._stamp[:-1] + b"," + encoded[1:]
        if priority is None:
            priority = self._priority
        elif type(priority) is not int or not 0 <= priority <= 9:
            check_priority(priority)
        mode = self._mode if persistent is None else PERSISTENT if persistent else NON_PERSISTENT
        now = _now() // 1_000_000 + self._connection._clock_offset
        lifetime = self._time_to_live if time_to_live is None else milliseconds(time_to_live, "time_to_live")
        delay = self._delay if delivery_delay is None else milliseconds(delivery_delay, "delivery_delay")
        if correlation_id is not None:
            correlation_id = _text(correlation_id, "correlation_id")
        if type_ is not None:
            type_ = _text(type_, "type")
        if reply_to is not None:
            reply_to = str(parse_destination(reply_to) if isinstance(reply_to, str) else reply_to.checked())
        size = len(data) + len(encoded)
        if size > self._connection._largest_message:
            self._refuse_size(size)
        stream = self._stream
        name = self._name
        if stream is None or destination is not None:
            name = self._destination_of(destination)
            if self._transaction is None:
                with exchange.lock:
                    stream = self._outbox.stream(name)
        frame = Frame(
            kind,
            mode,
            priority,
            0 if self.disable_message_timestamp else now,
            now + lifetime if lifetime else 0,
            now + delay if delay else 0,
            name,
            "" if self.disable_message_id else f"{self._id_prefix}{self._next_id()}",
            len(encoded),
            len(data),
            correlation_id,
            reply_to,
            type_,
            encoded,
            data,
        )
        ticket: Ticket
        if self._transaction is not None:
            ticket = self._transaction.add(name, encode(frame), self._connection._welcome.max_message_size)
        else:
            assert stream is not None
            lock = exchange.lock
            lock.acquire()  # a `with` statement takes twice as long, and this is done for every message
            try:
                if exchange.problem is not None:
                    raise again(exchange.problem)
                ticket = stream.add(frame, size)
            finally:
                lock.release()
        if message is not None:
            _set_headers(body, frame)
        return ticket

    def _destination_of(self, destination: Destination | None) -> str:
        if self._stream is not None:
            raise IllegalStateError(
                f"this producer sends to {self._name} only; create one without a destination (§7.1)"
            )
        if destination is None:
            raise InvalidDestinationError("this producer has no destination of its own; name one at each send (§7.1)")
        if not isinstance(destination, self._kind):
            raise InvalidDestinationError(f"a {type(self).__name__} cannot send to {destination!r}")
        return str(destination.checked())

    _kind: type[Destination] = Destination

    def _refuse(self) -> None:
        self._session._check_open()
        raise IllegalStateError(f"this {type(self).__name__} is closed; create another one from the session")

    def _refuse_size(self, size: int) -> None:
        limit = self._connection._largest_message
        raise MessageTooLargeError(
            f"the message has {size} bytes; at most {limit} leave room for its headers in the server's "
            f"max_message_size of {self._connection._welcome.max_message_size}",
            size=size,
            limit=limit,
        )


def _text(value: object, name: str) -> str:
    """The value as a plain str that can be encoded: one that cannot would spoil the exchange of all messages."""
    if not isinstance(value, str):
        raise MessageFormatError(f"{name} must be a str, but it is a {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MessageFormatError(f"{name} holds text that is not Unicode: {error}") from None
    return str(value)


def _set_headers(message: Any, frame: Frame) -> None:
    """What the send method sets on the sender's message, be it foreign (§3.4, table 3-1)."""
    message.destination = parse_target(frame.destination)
    message.delivery_mode = frame.mode
    message.expiration = frame.expiration
    message.delivery_time = frame.delivery_time
    message.priority = frame.priority
    message.message_id = frame.message_id or None
    message.timestamp = frame.timestamp


class Sender(Producer):
    """Sends messages to a queue (§4.1)."""

    _kind = Queue


class Publisher(Producer):
    """Publishes messages to a topic (§4.2): `publish` is `send` in the words of topics."""

    _kind = Topic

    publish = Producer.send
    publish_async = Producer.send_async
    publish_many = Producer.send_many
