"""A connection: the way to one server, kept open across restarts and failovers (Jakarta Messaging 3.1 §6.1).

Three kinds of thread work here, all of them daemon threads:

- the application's, which do the exchanges they wait for themselves (`exchange.py`);
- the keeper, one for each connection: it sends what nobody waits for, pings when nothing is sent, and finds the server
  again when it is lost (`keeper.py`);
- one that takes deliveries, since the first consumer: the callback daemon's or the puller's (`delivery.py`).

Locks: `_inbox_lock` guards the inbox, the consumers and everything sessions share with deliveries; `Exchange.lock`
guards the outbox.  Who needs both takes them in this order.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeVar

from Pyro5 import core

from rmimom.client.context import Context
from rmimom.client.delivery import Delivery
from rmimom.client.domains import QueueSession, TopicSession
from rmimom.client.event import ConnectionEvent
from rmimom.client.exchange import Exchange
from rmimom.client.keeper import Keeper
from rmimom.client.manager import ClientConnectionManager, Welcome
from rmimom.client.metadata import ConnectionMetadata, metadata
from rmimom.client.mode import AUTO_ACKNOWLEDGE, AcknowledgeMode, mode_of
from rmimom.client.reporter import ExceptionListener, Reporter, call_of
from rmimom.client.scout import SCOUT
from rmimom.client.session import Session
from rmimom.client.temporary import Temporaries
from rmimom.client.transport import Channel
from rmimom.errors import ConnectionFailedError, IllegalStateError, InvalidClientIDError, JMSError
from rmimom.values import encode_user_id

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer

log = logging.getLogger("rmimom.client")

_S = TypeVar("_S", bound=Session)

CLOSE_TIMEOUT: Final = 10.0
"""Seconds that `close` waits for what is not confirmed yet."""
HEADER_ROOM: Final = 4096
"""Bytes of a message that are kept free for its headers when its size is compared with the server's limit."""


class Connection:
    """A connection to the server; made by a ConnectionFactory.  Any thread may use it."""

    def __init__(
        self,
        manager: ClientConnectionManager,
        user: str,
        password: str,
        *,
        client_id: str,
        delivery: str,
        reconnect_timeout: float,
        max_in_flight: int,
        user_id: bool = False,
    ) -> None:
        self._manager = manager
        self._user = user
        self._password = password
        self._client_id = client_id
        self._exchange = Exchange(
            max_in_flight=max_in_flight,
            patience=reconnect_timeout,
            on_lost=lambda error: self._keeper.on_lost(error),  # noqa: PLW0108  # there is no keeper yet
        )
        self._exchange.on_refusal = self._report
        self._outbox = self._exchange.outbox
        self._reporter = Reporter()
        self._stamp = encode_user_id(user) if user_id else b""
        """The properties that every message sent has beside its own; empty for none."""
        self._used = False
        self._keeper = Keeper(self, reconnect_timeout)
        self._delivery = Delivery(self, delivery, self._keeper.suspect)
        self._inbox = self._delivery.inbox
        self._temporaries = Temporaries(self._exchange)
        self._inbox_lock = threading.Lock()
        self._consumers: dict[int, Consumer] = {}
        self._consumer_numbers = itertools.count(1)
        self._message_numbers = itertools.count(1)
        self._message_id_prefix = f"ID:{secrets.token_hex(8)}-"
        self._sessions: list[Session] = []
        self._listeners: list[Callable[[ConnectionEvent], object]] = []
        self._running = False
        self._closing = False
        self._closed = False
        self._ended = threading.Event()
        self._welcome = Welcome("")
        self._clock_offset = 0
        self._largest_message = 0

    # What applications use.

    @property
    def client_id(self) -> str:
        """Whose durable subscriptions this connection uses: its client id, or its user (§6.1.2).

        It can be set if the factory has set none, before anything else is done with the connection.  Setting it raises
        IllegalStateError at any other time, and InvalidClientIDError if it is in use or no name; then the connection is
        as it was.
        """
        return self._client_id or self._user

    @client_id.setter
    def client_id(self, client_id: str) -> None:
        self._check_open()
        if self._client_id:
            raise IllegalStateError(
                f"the connection has the client id {self._client_id!r} already; it can be set once (§6.1.2)"
            )
        if self._used:
            raise IllegalStateError(
                "the client id must be set before anything else is done with the connection; "
                "give it to create_connection, or set it first (§6.1.2)"
            )
        if not client_id:
            raise InvalidClientIDError("a client id must have at least one character")
        before = self._exchange.replace(self._greet(client_id))
        self._client_id = client_id
        if before is not None:
            with contextlib.suppress(JMSError):
                before.call("close", time_limit=CLOSE_TIMEOUT)
            before.close()

    @property
    def metadata(self) -> ConnectionMetadata:
        """Which version of the specification this is, by whom, and which properties named JMSX it knows (§6.1.6)."""
        return metadata()

    @property
    def exception_listener(self) -> ExceptionListener | Callable[[JMSError], object] | None:
        """Who is told of errors that no caller hears (§6.1.7); None unless set.

        An object with a method `on_exception`, or a callable.  It is called with one error after the other, in a thread
        of its own, and may close the connection: when no server was found for `reconnect_timeout` seconds or the server
        refuses the user, when it closes a consumer that has observers, and when it refuses an acknowledgement.
        """
        return self._reporter.listener

    @exception_listener.setter
    def exception_listener(self, listener: ExceptionListener | Callable[[JMSError], object] | None) -> None:
        self._check_open()
        if listener is not None:
            call_of(listener)
        self._used = True
        self._reporter.listener = listener

    @property
    def delivery(self) -> str:
        """How messages come: "callback" or "pull"; empty before the first consumer."""
        return self._delivery.way

    @property
    def server(self) -> str:
        """The server's name and version."""
        return self._welcome.server

    def create_session(self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False) -> Session:
        """A session for one thread, which acknowledges as `mode` says, or is `transacted` (§6.2).

        `transacted=True` is the mode SESSION_TRANSACTED, whatever else `mode` says (§6.2.7).
        """
        self._check_open()
        return self._add_session(Session(self, mode_of(mode, transacted=transacted)))

    def create_queue_session(
        self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False
    ) -> QueueSession:
        """A session that refuses what is about topics and subscriptions (§9.2); for the rest see `create_session`."""
        self._check_open()
        return self._add_session(QueueSession(self, mode_of(mode, transacted=transacted)))

    def create_topic_session(
        self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False
    ) -> TopicSession:
        """A session that refuses what is about queues and browsers (§9.2); for the rest see `create_session`."""
        self._check_open()
        return self._add_session(TopicSession(self, mode_of(mode, transacted=transacted)))

    def create_context(self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False) -> Context:
        """A context with a session of its own on this connection, for one thread (§2.8).

        The connection stays open when the context is closed: it is whose who made it.
        """
        return Context(self, mode, transacted=transacted)

    def start(self) -> None:
        """Begin, or go on, to deliver messages (§6.1.4).  Twice is harmless."""
        self._check_open()
        self._used = True
        self._start()

    def _start(self) -> None:
        with self._inbox_lock:
            self._running = True
            for session in self._sessions:
                session._regard()
            self._wake_sessions()

    def stop(self) -> None:
        """Deliver nothing more until `start`; returns when no observer is running.  Twice is harmless (§6.1.5).

        Sending goes on, and the times of `receive` run on.  Raises IllegalStateError when an observer of the connection
        calls it.
        """
        self._check_open()
        self._used = True
        with self._inbox_lock:
            sessions = list(self._sessions)
        for session in sessions:
            session._thread.refuse_here("stop its own connection")
        with self._inbox_lock:
            self._running = False
            for session in sessions:
                session._regard()
        for session in sessions:
            session._thread.wait_for_listener()

    def on_event(self, listener: Callable[[ConnectionEvent], object]) -> None:
        """Call `listener` when the server is lost, back, or the connection closed; in the connection's own thread.

        The event says which server it is about.  While the listener runs the connection does not look after itself: one
        that wants to do much hands it on.
        """
        self._used = True
        self._listeners.append(listener)

    def close(self) -> None:
        """Close the connection with all its sessions: waits for observers and for what is not confirmed (§6.1.8).

        Observers that run keep full service until they return.  Messages received can still be read, not acknowledged.
        Raises ConnectionFailedError if sends have no outcome within 10 seconds; their outcome is unknown then, and the
        connection closed all the same.  Raises IllegalStateError when an observer or a completion listener of the
        connection calls it.  Twice is harmless.
        """
        with self._inbox_lock:
            sessions = list(self._sessions)
        for session in sessions:
            session._refuse_in_callbacks("close its own connection")
        with self._inbox_lock:
            first, self._closing = not self._closing, True
        if not first:
            self._ended.wait()
            return
        try:
            self._close()
        finally:
            self._ended.set()

    def _close(self) -> None:
        unconfirmed: JMSError | None = None
        try:
            unconfirmed = self._settle_completions()
            while sessions := list(self._sessions):  # an observer that still runs may create another one
                for session in sessions:
                    session.close()
            self._closed = True
            if self._exchange.problem is None:
                try:
                    if self._keeper.lost is None or self._outbox.unconfirmed:
                        self._exchange.flush(CLOSE_TIMEOUT)
                except ConnectionFailedError as error:
                    if self._outbox.unconfirmed:
                        unconfirmed = error
        finally:
            self._closed = True
            self._keeper.end()
            self._reporter.end()
            self._say_goodbye()
        self._keeper.tell_closed()
        if unconfirmed is not None:
            raise unconfirmed

    def _settle_completions(self) -> JMSError | None:
        """What completion listeners wait for gets its outcome, or the error that is returned."""
        if self._exchange.problem is None and any(not session._completions.is_empty for session in self._sessions):
            try:
                self._exchange.flush(CLOSE_TIMEOUT)
            except ConnectionFailedError as error:
                channel = self._exchange.disconnect(error)
                if channel is not None:
                    channel.close()
                return error
        return None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "looking for the server" if self._keeper.lost else "open"
        return f"<Connection of {self._user or 'nobody'} to {self.server or 'no server'}: {state}>"

    # What sessions, producers and consumers use.

    def _check_open(self) -> None:
        if self._closed:
            raise IllegalStateError(
                "the connection is closed; create another one from the factory", connection="closed"
            )

    def _add_session(self, session: _S) -> _S:
        self._used = True
        with self._inbox_lock:
            self._sessions.append(session)
        return session

    def _next_consumer(self) -> int:
        return next(self._consumer_numbers)

    def _open_consumer(self, consumer: Consumer) -> None:
        """Open a consumer at the server; tries again when the server is lost meanwhile."""
        number = consumer._number
        with self._inbox_lock:
            self._consumers[number] = consumer
            self._inbox.intakes[number] = consumer._intake
            consumer._update()

        def opened() -> None:
            consumer._opened = True
            # When the server is lost and found again, what it recalled before is here already.
            consumer._options.pop("retroactive", None)

        def subscribe() -> None:
            self._delivery.start()
            self._exchange.call("subscribe", number, str(consumer.destination), consumer._options, then=opened)

        try:
            self._exchange.until_answered(subscribe)
        except BaseException:
            self._withdraw(number)
            self._forget_acks(number)
            raise

    def _retain(self, consumer: Consumer) -> None:
        """Take nothing more for a consumer that lingers, and have the server take back what is not worked on."""
        with self._inbox_lock:
            self._inbox.intakes.pop(consumer._number, None)
            consumer._intake.waiting.clear()
        try:
            if self._is_up(consumer):
                self._close_but_for_kept(consumer)
        except JMSError as error:
            # If the server is lost, the keeper says it when it is found again.
            log.info("closing %r: %s", consumer, error)

    def _close_but_for_kept(self, consumer: Consumer) -> None:
        with self._inbox_lock, self._exchange.lock:
            kept = consumer._intake.kept()
        self._exchange.call("close_consumer", consumer._number, kept, timeout=CLOSE_TIMEOUT, patient=False)

    def _close_consumer(self, consumer: Consumer) -> None:
        exchange = self._exchange
        number = consumer._number
        try:
            # First the acknowledgements, while the consumer would still be opened again after a loss.
            if self._is_up(consumer):
                with exchange.lock:
                    ticket = consumer._intake.acks.ticket() if consumer._intake.acks.pending else None
                if ticket is not None:
                    exchange.wait_for(ticket, CLOSE_TIMEOUT)
            self._withdraw(number)
            if self._is_up(consumer):
                exchange.call("close_consumer", number, timeout=CLOSE_TIMEOUT, patient=False)
        except JMSError as error:
            log.info("closing %r: %s", consumer, error)
        finally:
            self._withdraw(number)
            self._forget_acks(number)

    def _is_up(self, consumer: Consumer) -> bool:
        return self._exchange.problem is None and self._keeper.lost is None and consumer._intake.error is None

    def _withdraw(self, number: int) -> None:
        """Take nothing more for this consumer, and do not open it again after a loss."""
        with self._inbox_lock:
            self._consumers.pop(number, None)
            self._inbox.intakes.pop(number, None)

    def _forget_acks(self, number: int) -> None:
        with self._exchange.lock:
            self._outbox.forget(number)

    def _forget_session(self, session: Session) -> None:
        with self._inbox_lock:
            if session in self._sessions:
                self._sessions.remove(session)

    def _wake_sessions(self) -> None:
        """Let every session look again; the inbox lock is held."""
        for session in self._sessions:
            session._arrived.notify_all()

    # The way to the server.

    def _open(self) -> None:
        """Connect for the first time and start the keeper.  Raises ConnectionFailedError and the server's refusals."""
        self._exchange.connect(self._greet())
        self._keeper.start()
        if self._manager.looks_up:
            SCOUT.watch(self)

    def _greet(self, client_id: str = "") -> Channel:
        """Create a connection at the server, with this client id or its own, and open the way to it."""
        client_id = client_id or self._client_id
        options = {"client_id": client_id} if client_id else {}
        if self._welcome.connection and client_id == self._client_id:
            # Should the server not have noticed yet that we are gone from there, what is ours must be free.
            options["replaces"] = core.URI(self._welcome.connection).object
        before = time.time_ns()
        welcome = self._manager.create_connection(self._user, self._password, options)
        after = time.time_ns()
        if welcome.server_time:
            self._clock_offset = welcome.server_time - (before + after) // 2_000_000
        self._largest_message = welcome.max_message_size - min(HEADER_ROOM, welcome.max_message_size // 2)
        self._welcome = welcome
        return Channel(welcome.connection)

    def _report(self, error: JMSError) -> None:
        """Nobody waits for what failed here."""
        self._reporter.report(error)

    def _emit(self, event: ConnectionEvent) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed with %r", event)

    def _say_goodbye(self) -> None:
        with contextlib.suppress(JMSError):
            if self._keeper.lost is None and self._exchange.problem is None:
                self._exchange.call("close", timeout=CLOSE_TIMEOUT)
        channel = self._exchange.disconnect(
            IllegalStateError("the connection is closed; create another one from the factory", connection="closed")
        )
        self._temporaries.forget()
        self._delivery.stop()
        if channel is not None:
            channel.close()
        self._exchange.wake_keeper()
        with self._inbox_lock:
            self._wake_sessions()
        self._keeper.join(CLOSE_TIMEOUT)
