"""A connection: the way to one server, kept open across restarts and failovers (Jakarta Messaging 3.1 §6.1).

Three kinds of thread work here, all of them daemon threads:

- the application's, which do the exchanges they wait for themselves (`exchange.py`);
- the keeper, one for each connection: it sends what nobody waits for, pings when nothing is sent, and finds the server
  again when it is lost;
- one that takes deliveries, since the first consumer: the callback daemon's or the puller's.

When the server is lost, the keeper asks the manager for a new connection and makes it what the old one was, in this
order: consumers, each saying what it acknowledged and what it still holds; unconfirmed sends, under their old numbers;
then delivery.  So nothing is delivered that was acknowledged before, and nothing is sent twice.

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
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final

import msgspec

from rmimom.client.callback import CallbackServer
from rmimom.client.exchange import Exchange
from rmimom.client.inbox import Inbox
from rmimom.client.manager import ClientConnectionManager, Welcome, delays
from rmimom.client.mode import AUTO_ACKNOWLEDGE, SESSION_TRANSACTED, AcknowledgeMode
from rmimom.client.pull import Puller
from rmimom.client.session import Session
from rmimom.client.transport import Channel, local_address
from rmimom.errors import (
    ConnectionFailedError,
    IllegalStateError,
    JMSError,
    JMSSecurityError,
)
from rmimom.frame import decode_deliveries

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer

log = logging.getLogger("rmimom.client")

CLOSE_TIMEOUT: Final = 10.0
"""Seconds that `close` waits for what is not confirmed yet."""
HEADER_ROOM: Final = 4096
"""Bytes of a message that are kept free for its headers when its size is compared with the server's limit."""


class ConnectionEvent(msgspec.Struct, frozen=True):
    """What happened to a connection.

    `kind` is "lost", "failed" (lost for longer than `reconnect_timeout`), "restored" or "closed"; `error` says why, for
    the first two.
    """

    kind: str
    error: JMSError | None = None


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
    ) -> None:
        self._manager = manager
        self._user = user
        self._password = password
        self._client_id = client_id
        self._wanted_delivery = delivery
        self._reconnect_timeout = reconnect_timeout
        self._exchange = Exchange(max_in_flight=max_in_flight, patience=reconnect_timeout, on_lost=self._on_lost)
        self._outbox = self._exchange.outbox
        self._inbox = Inbox()
        self._life = 0
        """Counts the connections to a server; what comes late from one that is gone must not be taken."""
        self._inbox_lock = threading.Lock()
        self._consumers: dict[int, Consumer] = {}
        self._consumer_numbers = itertools.count(1)
        self._message_numbers = itertools.count(1)
        self._message_id_prefix = f"ID:{secrets.token_hex(8)}-"
        self._sessions: list[Session] = []
        self._listeners: list[Callable[[ConnectionEvent], object]] = []
        self._running = False
        self._closed = False
        self._closing = threading.Event()
        self._lost: JMSError | None = None
        self._suspicious = False
        self._welcome = Welcome("")
        self._clock_offset = 0
        self._largest_message = 0
        self._delivery_lock = threading.Lock()
        self._delivery = ""
        self._callback: CallbackServer | None = None
        self._puller: Puller | None = None
        self._keeper = threading.Thread(target=self._keep, name="rmimom-keeper", daemon=True)

    # What applications use.

    @property
    def client_id(self) -> str:
        """Whose durable subscriptions this connection uses: its client id, or its user (§6.1.2)."""
        return self._client_id or self._user

    @property
    def delivery(self) -> str:
        """How messages come: "callback" or "pull"; empty before the first consumer."""
        return self._delivery

    @property
    def server(self) -> str:
        """The server's name and version."""
        return self._welcome.server

    def create_session(self, mode: AcknowledgeMode = AUTO_ACKNOWLEDGE, *, transacted: bool = False) -> Session:
        """A session for one thread, which acknowledges as `mode` says, or is `transacted` (§6.2).

        `transacted=True` is the mode SESSION_TRANSACTED, whatever else `mode` says (§6.2.7).
        """
        self._check_open()
        session = Session(self, SESSION_TRANSACTED if transacted else AcknowledgeMode(mode))
        with self._inbox_lock:
            self._sessions.append(session)
        return session

    def start(self) -> None:
        """Begin, or go on, to deliver messages (§6.1.4).  Twice is harmless."""
        self._check_open()
        with self._inbox_lock:
            self._running = True
            for consumer in self._consumers.values():
                consumer._update()
            self._wake_sessions()

    def stop(self) -> None:
        """Deliver nothing more until `start`; returns when no observer is running.  Sending goes on (§6.1.5)."""
        self._check_open()
        with self._inbox_lock:
            self._running = False
            for consumer in self._consumers.values():
                consumer._update()
            sessions = list(self._sessions)
        for session in sessions:
            session._wait_for_listener()

    def on_event(self, listener: Callable[[ConnectionEvent], object]) -> None:
        """Call `listener` when the server is lost, back, or the connection closed; in the connection's own thread.

        While it runs the connection does not look after itself: a listener that wants to do much hands it on.
        """
        self._listeners.append(listener)

    def close(self) -> None:
        """Close the connection with all its sessions: waits for observers and for what is not confirmed (§6.1.8).

        Raises ConnectionFailedError if sends have no outcome within 10 seconds; their outcome is unknown then, and the
        connection closed all the same.  Twice is harmless.
        """
        with self._inbox_lock:
            if self._closed:
                return
            self._closed = True
            sessions = list(self._sessions)
        unconfirmed: JMSError | None = None
        try:
            for session in sessions:
                session.close()
            if self._exchange.problem is None:
                try:
                    if self._lost is None or self._outbox.unconfirmed:
                        self._exchange.flush(CLOSE_TIMEOUT)
                except ConnectionFailedError as error:
                    if self._outbox.unconfirmed:
                        unconfirmed = error
        finally:
            self._closing.set()
            self._say_goodbye()
        self._emit(ConnectionEvent("closed"))
        if unconfirmed is not None:
            raise unconfirmed

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "looking for the server" if self._lost else "open"
        return f"<Connection of {self._user or 'nobody'} to {self.server or 'no server'}: {state}>"

    # What sessions, producers and consumers use.

    def _check_open(self) -> None:
        if self._closed:
            raise IllegalStateError(
                "the connection is closed; create another one from the factory", connection="closed"
            )

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

        deadline = time.monotonic() + self._reconnect_timeout
        try:
            while True:
                channel = self._exchange.channel
                try:
                    self._start_delivery()
                    self._exchange.call("subscribe", number, str(consumer.destination), consumer._options, then=opened)
                    return
                except ConnectionFailedError:
                    if channel is not None and self._exchange.channel is channel:
                        raise  # not because the server was lost
                    self._exchange.wait_for_server(deadline - time.monotonic())
        except BaseException:
            self._withdraw(number)
            self._forget_acks(number)
            raise

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
        return self._exchange.problem is None and self._lost is None and consumer._intake.error is None

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

    # Deliveries.

    def _accept(self, life: int, data: memoryview) -> int:
        """Take a batch of deliveries; returns the number of the last one taken.

        Raises ConnectionFailedError if the connection to that server was given up meanwhile.
        """
        batch = decode_deliveries(data)
        with self._inbox_lock:
            if life != self._life:
                raise ConnectionFailedError("the batch comes from a server that was given up")
            for intake in self._inbox.accept(batch):
                self._consumers[intake.number]._session._arrived.notify_all()
            return self._inbox.sequence

    def _start_delivery(self) -> None:
        """Have messages delivered, if they are not yet.  Raises ConnectionFailedError if the server is lost."""
        with self._delivery_lock:
            if not self._delivery:
                self._delivery = self._deliver_by(self._wanted_delivery)
                log.info("messages of %r come by %s", self, self._delivery)

    def _deliver_by(self, way: str) -> str:
        channel = self._exchange.channel
        if channel is None:
            raise ConnectionFailedError("the server was lost before messages could be asked for")
        accept = partial(self._accept, self._life)
        if way != "pull":
            try:
                self._ask_for_callbacks(local_address(channel), accept)
                return "callback"
            except JMSError as error:
                if way == "callback" or self._exchange.channel is not channel:
                    raise
                log.info("the server cannot call this process, so it asks the server for messages: %s", error)
        self._puller = Puller(channel.uri, accept, self._exchange.lose)
        return "pull"

    def _ask_for_callbacks(self, host: str, accept: Callable[[memoryview], int]) -> None:
        if self._callback is None or self._callback.host != host:
            if self._callback is not None:
                self._callback.stop()
            try:
                self._callback = CallbackServer(host, self._suspect)
            except OSError as error:
                raise ConnectionFailedError(f"no port for callbacks at {host}: {error}", host=host) from error
        uri = self._callback.offer(self.client_id, accept)
        try:
            self._exchange.call("deliver_to", uri, patient=False)
        except BaseException:
            self._callback.withdraw()
            raise

    def _suspect(self) -> None:
        """The server has closed its connection to the callback object: see whether it is still there."""
        self._suspicious = True
        self._exchange.wake_keeper()

    # The keeper.

    def _open(self) -> None:
        """Connect for the first time and start the keeper.  Raises ConnectionFailedError and the server's refusals."""
        self._exchange.connect(self._greet())
        self._keeper.start()

    def _greet(self) -> Channel:
        """Create a connection at the server and open the way to it."""
        options = {"client_id": self._client_id} if self._client_id else {}
        before = time.time_ns()
        welcome = self._manager.create_connection(self._user, self._password, options)
        after = time.time_ns()
        if welcome.server_time:
            self._clock_offset = welcome.server_time - (before + after) // 2_000_000
        self._largest_message = welcome.max_message_size - min(HEADER_ROOM, welcome.max_message_size // 2)
        self._welcome = welcome
        return Channel(welcome.connection)

    def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                if self._lost is not None:
                    if not self._recover():
                        return
                else:
                    self._keep_alive()
            except ConnectionFailedError as error:
                log.debug("the keeper found no server: %s", error)
            except Exception:
                log.exception("the connection's keeper failed; it goes on")
                self._closing.wait(1.0)

    def _keep_alive(self) -> None:
        interval = self._welcome.heartbeat
        silent = time.monotonic() - self._exchange.last_used
        if self._suspicious or silent >= interval:
            self._suspicious = False
            self._exchange.call("ping", patient=False)
            silent = 0.0
        self._exchange.keep(interval - silent)

    def _on_lost(self, error: JMSError) -> None:
        self._lost = error
        self._exchange.wake_keeper()

    def _recover(self) -> bool:
        """Find the server again and be to it what this connection was before; False if that can never be."""
        error = self._lost
        assert error is not None
        log.warning("the server is lost: %s", error)
        self._emit(ConnectionEvent("lost", error))
        deadline = time.monotonic() + self._reconnect_timeout
        for delay in delays():
            late = time.monotonic() >= deadline
            try:
                self._restore(give_up=late)
                break
            except JMSSecurityError as refusal:
                self._fail(refusal)
                return False
            except JMSError as failure:
                error = failure
            if late and self._exchange.problem is None:
                self._fail(
                    ConnectionFailedError(
                        f"no server for {self._reconnect_timeout:g} s: {error.text}; the search goes on", **error.facts
                    )
                )
            if self._closing.wait(delay):
                return False
        log.warning("the server is back")
        self._emit(ConnectionEvent("restored"))
        return True

    def _restore(self, *, give_up: bool) -> None:
        self._stop_delivery()
        channel = self._greet()
        try:
            with self._inbox_lock:
                self._life += 1
                self._inbox.restart()
                consumers = [consumer for consumer in self._consumers.values() if consumer._opened]
            for consumer in consumers:
                self._resubscribe(channel, consumer, give_up=give_up)
        except BaseException:
            channel.close()
            raise
        self._lost = None
        self._exchange.connect(channel)
        try:
            self._exchange.push()
            # Those closed while the server was lost told nobody: they looked at `_lost` after they had withdrawn.
            for consumer in consumers:
                if consumer._number not in self._consumers:
                    self._exchange.call("close_consumer", consumer._number, patient=False)
            with self._delivery_lock:
                if self._delivery:
                    self._delivery = self._deliver_by(self._wanted_delivery)
        except ConnectionFailedError as error:
            self._exchange.lose(error)
            raise
        with self._inbox_lock:
            self._wake_sessions()

    def _resubscribe(self, channel: Channel, consumer: Consumer, *, give_up: bool) -> None:
        intake = consumer._intake
        with self._inbox_lock, self._exchange.lock:
            settled = list(intake.acks.unsettled())
            held = intake.held()
        options = consumer._options | {"settled": settled, "held": held}
        try:
            lost = channel.call("subscribe", consumer._number, str(consumer.destination), options)
        except JMSError as error:
            if channel.closed or (isinstance(error, IllegalStateError) and not give_up):
                # The second: it may not have noticed yet that our old connection is gone, and hold the subscription.
                raise
            log.warning("%r cannot go on: %s", consumer, error)
            with self._inbox_lock:
                consumer._fail(error)
            return
        with self._inbox_lock, self._exchange.lock:
            intake.acks.finish(None)
            intake.drop(lost)
            if consumer._ends_with_connection:
                intake.adopt()

    def _stop_delivery(self) -> None:
        with self._delivery_lock:
            if self._puller is not None:
                self._puller.stop()
                self._puller = None
            if self._callback is not None:
                self._callback.withdraw()

    def _fail(self, error: JMSError) -> None:
        """Calls that wait have waited long enough."""
        log.error("the connection failed: %s", error)
        self._exchange.disconnect(error)
        with self._inbox_lock:
            self._wake_sessions()
        self._emit(ConnectionEvent("failed", error))

    def _emit(self, event: ConnectionEvent) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed with %r", event)

    def _say_goodbye(self) -> None:
        with contextlib.suppress(JMSError):
            if self._lost is None and self._exchange.problem is None:
                self._exchange.call("close", timeout=CLOSE_TIMEOUT)
        channel = self._exchange.disconnect(
            IllegalStateError("the connection is closed; create another one from the factory", connection="closed")
        )
        self._stop_delivery()
        if self._callback is not None:
            self._callback.stop()
        if channel is not None:
            channel.close()
        self._exchange.wake_keeper()
        with self._inbox_lock:
            self._wake_sessions()
        if self._keeper is not threading.current_thread():
            self._keeper.join(CLOSE_TIMEOUT)
