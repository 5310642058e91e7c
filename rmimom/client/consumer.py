"""Consumers: Receiver for queues, Subscriber for topics; one implementation (Jakarta Messaging 3.1 §8)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

from rmimom.client.exchange import ACKS_TOGETHER
from rmimom.client.inbox import Intake
from rmimom.client.mode import AcknowledgeMode
from rmimom.client.outbox import again
from rmimom.destination import TEMPORARY, Destination
from rmimom.errors import ConnectionFailedError, IllegalStateError, JMSError, MessageFormatError
from rmimom.message import Message

if TYPE_CHECKING:
    from rmimom.client.session import Session


class MessageObserver(Protocol):
    """Somebody to tell of each message: an object with this method, or any callable that takes a message."""

    def on_message(self, message: Message) -> None:
        """A message came.  In sessions that acknowledge by themselves it is acknowledged when this returns."""
        ...


Listener = Callable[[Message], object]

_T = TypeVar("_T")
_B = TypeVar("_B")


class Consumer:
    """Receives messages of one destination; made by a Session and used by the thread that uses the session."""

    def __init__(self, session: Session, destination: Destination, options: Mapping[str, object]) -> None:
        session._check_open()
        connection = session._connection
        self._session = session
        self._connection = connection
        self._usage = session._usage
        self._acknowledging = session._acknowledging
        self._exchange = connection._exchange
        self._lock = connection._inbox_lock
        self.destination = destination
        self._options = dict(options)
        self._listeners: dict[int, tuple[object, Listener]] = {}
        self._automatic = session._automatic
        self._eager = session.mode is not AcknowledgeMode.DUPS_OK_ACKNOWLEDGE
        self._acks_together = ACKS_TOGETHER if self._eager else DUPS_OK_TOGETHER
        self._number = connection._next_consumer()
        self._opened = False
        self._closed = False
        self._lingers = False
        """Whether it is closed and its session not done with what was received from it."""
        with self._exchange.lock:
            acks = connection._outbox.acks(self._number)
        self._intake = Intake(
            self._number, acks, self, transacted=session.transacted, message_type=session._message_type
        )
        self._pending = acks.pending

    def receive(self, timeout: float | None = None) -> Message | None:
        """The next message; waits for one, at most `timeout` seconds, and returns None if none came (§8.5).

        None also if the consumer is closed meanwhile, by another thread.  The time runs on while the connection is
        stopped (§6.1.5).  Raises IllegalStateError if it was closed before, or the session has observers or is used by
        another thread; ConnectionFailedError if the server is lost for longer than the connection's
        `reconnect_timeout`.
        """
        intake = self._intake
        if self._usage.owner:
            self._usage.check()
        message: Message | None
        # This is done for every message: `take` and `take_for_good` are written out, and a lock taken without a
        # `with` statement, which would take twice as long.
        self._lock.acquire()
        try:
            if intake.flowing and intake.waiting:
                message = intake.waiting.popleft()
                if self._automatic:
                    self._pending.append(message._tag)
                else:
                    intake.working[message._tag] = message
            else:
                message = None
        finally:
            self._lock.release()
        if message is None:
            message = self._wait_for_message(timeout, intake.take_for_good if self._automatic else intake.take)
            if message is None:
                return None
        if self._automatic:
            self._acknowledged()
        return message

    def _acknowledged(self) -> None:
        """A message was taken for good: see to it that the server hears of it."""
        pending = len(self._pending)
        if not pending % self._acks_together or (self._eager and self._exchange.keeper_idle):
            self._exchange.acknowledged(pending)

    def receive_no_wait(self) -> Message | None:
        """The next message if one is here, else None (§8.5)."""
        return self.receive(0)

    def receive_body(self, wanted: type[_B], timeout: float | None = None) -> _B | None:
        """The body of the next message as `wanted`, see `Message.body_as`; None if none came (§8.6).

        Raises MessageFormatError if the body is of another type, or there is none.  Then, in a session of mode
        AUTO_ACKNOWLEDGE or DUPS_OK_ACKNOWLEDGE, it is as if this had not been called: the next call gets the same
        message, and it is not flagged as redelivered.  In the other modes the message counts as delivered.  For the
        rest see `receive`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            message = self._wait_for_message(left, self._intake.first)
            if message is None:
                return None
            # Not under the lock: a body may be long.
            right = message.kind != "none" and message.is_body_assignable_to(wanted)
            if right or not self._automatic:
                with self._lock:
                    if self._closed:
                        return None
                    if self._intake.first() is not message:
                        continue  # the server was lost and gave it to others meanwhile
                    take = self._intake.take_for_good if self._automatic else self._intake.take
                    take()
                if self._automatic:
                    self._acknowledged()
            if not right:
                raise MessageFormatError(
                    f"the next message of {self.destination} is of kind {message.kind} and has no body "
                    f"of type {wanted.__name__}; ask for another type, or receive the message (§8.6)"
                )
            return message.body_as(wanted)

    def receive_body_no_wait(self, wanted: type[_B]) -> _B | None:
        """The body of the next message if one is here, else None; see `receive_body` (§8.6)."""
        return self.receive_body(wanted, 0)

    def __iter__(self) -> Iterator[Message]:
        """Messages as they come, until the consumer is closed."""
        while not (self._closed or self._session._closing):
            message = self.receive()
            if message is not None:
                yield message

    def attach(self, observer: MessageObserver | Listener) -> None:
        """Tell `observer` of every message from now on, in the thread of the session, one message at a time (§8.7).

        An observer is an object with a method `on_message`, or a callable; several are told one after the other.
        One that raises an error makes an AUTO or DUPS_OK session deliver the message again, flagged as redelivered, as
        often as the redelivery policy of the destination allows; then it is a dead letter.  In the other modes the next
        message follows.
        """
        call = getattr(observer, "on_message", observer)
        if not callable(call):
            raise TypeError(f"{observer!r} is no observer: it has no method on_message and cannot be called")
        self._check_open()
        session = self._session
        if session._usage.is_elsewhere():
            session._usage.check()  # another thread receives, for one
        session._thread.start()
        with self._lock:
            self._listeners[id(observer)] = (observer, call)
            session._regard()
            session._arrived.notify_all()

    def detach(self, observer: MessageObserver | Listener) -> None:
        """Tell `observer` no more; harmless if it was not attached.  Without observers messages wait for `receive`."""
        with self._lock:
            self._listeners.pop(id(observer), None)
            self._session._regard()

    def close(self) -> None:
        """Close the consumer: messages not received go back.  Any thread may do it; twice is harmless (§8.8).

        A `receive` under way in another thread returns None.  Waits for a running observer; an observer may close its
        own consumer, which then is done when it has returned.
        What was received is still the session's, to acknowledge or recover, to commit or roll back.  Until then a
        durable subscription is in use.  What is recovered, rolled back or given back goes to other consumers.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._session._regard()
            self._update()
            self._session._arrived.notify_all()
        thread = self._session._thread
        if not thread.defers_closing(self):
            thread.wait_for_listener(self)
            self._end()

    def _end(self) -> None:
        if not self._session._lingering.admit(self):
            self._session._forget_consumer(self)
            self._connection._close_consumer(self)

    def acknowledge(self, message: Message) -> None:
        """Carry out `Message.acknowledge`."""
        self._acknowledging.acknowledge(self, message)

    def nack(self, message: Message, reason: str, delay: float | timedelta | None, *, dead: bool) -> None:
        """Carry out `Message.nack`."""
        self._acknowledging.nack(self, message, reason, delay, dead=dead)

    def _failed(self, tags: list[int], reason: str, options: Mapping[str, object] = {}) -> None:
        """Tell the server of a failure; what it leaves with us is delivered again, the rest is forgotten."""
        keep = not self._lingers
        gone = self._exchange.call("release", self._number, tags, {"keep": keep, "reason": reason, **options})
        with self._lock:
            self._intake.hand_back(gone if keep else tags)
            self._intake.recover(tags)
            closed_meanwhile = self._lingers and keep
            self._session._arrived.notify_all()
        if closed_meanwhile:
            self._connection._retain(self)

    def __enter__(self) -> Consumer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._intake.waiting)} waiting"
        return f"<{type(self).__name__} {self.destination} {state}>"

    def _wait_for_message(self, timeout: float | None, take: Callable[[], _T | None]) -> _T | None:
        """What `take` finds under the lock, when there is a message at last."""
        self._check_open()
        with self._usage:
            return self._wait(timeout, take)

    def _wait(self, timeout: float | None, take: Callable[[], _T | None]) -> _T | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        arrived = self._session._arrived
        intake = self._intake
        with self._lock:
            if self._session._has_listeners:
                raise IllegalStateError(
                    f"the session of {self!r} has observers; detach them to receive messages yourself, "
                    "or receive in another session (§8.7)"
                )
            while not (self._closed or self._session._closing):
                if self._connection._running:
                    if intake.error is not None and not intake.waiting:
                        raise again(intake.error)
                    found = take()
                    if found is not None:
                        return found
                problem = self._exchange.problem
                if problem is not None:
                    if isinstance(problem, ConnectionFailedError):
                        raise again(problem)
                    return None
                if deadline is None:
                    arrived.wait()
                else:
                    remaining = deadline - time.monotonic()
                    if remaining <= 0:
                        return None
                    arrived.wait(remaining)
        return None

    def _update(self) -> None:
        """Note whether `receive` may take messages; the lock is held."""
        self._intake.flowing = self._connection._running and not self._closed and not self._session._has_listeners

    @property
    def _ends_with_connection(self) -> bool:
        """Whether what it was delivered from is gone when the connection to the server is."""
        return isinstance(self.destination, TEMPORARY)

    def _check_open(self) -> None:
        self._session._check_open()
        if self._closed:
            raise IllegalStateError(f"this {type(self).__name__} of {self.destination} is closed; create another one")

    def _fail(self, error: JMSError) -> None:
        """The server will not have this consumer any more; the lock is held."""
        self._intake.error = error
        self._session._arrived.notify_all()


DUPS_OK_TOGETHER = 100
"""Acknowledgements that a DUPS_OK session keeps before it sends them."""


class Receiver(Consumer):
    """Takes messages from a queue; each goes to one receiver (§4.1)."""


class Subscriber(Consumer):
    """Gets every message of a topic (§4.2), or its share of them; `durable` is the name of its durable subscription."""

    @property
    def durable(self) -> str:
        """The name of the durable subscription; empty for a subscription that ends with the subscriber (§8.3)."""
        return str(self._options.get("durable", ""))

    @property
    def _ends_with_connection(self) -> bool:
        return super()._ends_with_connection or not (self.durable or self._options.get("shared"))
