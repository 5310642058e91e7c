"""The keeper of a connection: the thread that sends what nobody waits for, pings, and finds the server again.

When the server is lost, the keeper asks the manager for a new connection and makes it what the old one was, in this
order: temporary destinations; consumers, each saying what it acknowledged and what it still holds; unconfirmed sends,
under their old numbers; consumers that linger, closed but for what they hold; then delivery.  So nothing is delivered
that was acknowledged before, and nothing is sent twice.  A transaction that was open ends with the server's reign.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from rmimom.client.event import ConnectionEvent
from rmimom.client.manager import Welcome, delays
from rmimom.client.transport import Channel
from rmimom.errors import ConnectionFailedError, IllegalStateError, JMSError, JMSSecurityError

if TYPE_CHECKING:
    from rmimom.client.connection import Connection
    from rmimom.client.consumer import Consumer

log = logging.getLogger("rmimom.client")


class Keeper:
    """Looks after one connection, from `start` to `end`; `patience` is the connection's `reconnect_timeout`."""

    def __init__(self, connection: Connection, patience: float) -> None:
        self._connection = connection
        self._exchange = connection._exchange
        self._patience = patience
        self._closing = threading.Event()
        self._suspicious = False
        self._server = Welcome("")  # that the connection is with, or was with last
        self._thread = threading.Thread(target=self._keep, name="rmimom-keeper", daemon=True)
        self.lost: JMSError | None = None
        """Why there is no way to a server at the moment."""

    def start(self) -> None:
        """Begin, once the connection is open."""
        self._server = self._connection._welcome
        self._thread.start()

    def suspect(self) -> None:
        """Something hints that the server is gone: see whether it is still there."""
        self._suspicious = True
        self._exchange.wake_keeper()

    def on_lost(self, error: JMSError) -> None:
        """The server does not answer any more."""
        self.lost = error
        self._exchange.wake_keeper()

    def end(self) -> None:
        """Stop what goes on, soon."""
        self._closing.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, at most `timeout` seconds; not at all in the thread itself."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def tell_closed(self) -> None:
        """Tell the listeners that the connection is closed."""
        self._tell("closed")

    def _tell(self, kind: str, error: JMSError | None = None) -> None:
        self._connection._emit(ConnectionEvent.at(self._server, kind, error))

    def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                if self.lost is not None:
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
        interval = self._connection._welcome.heartbeat
        silent = time.monotonic() - self._exchange.last_used
        if self._suspicious or silent >= interval:
            self._suspicious = False
            self._exchange.call("ping", patient=False)
            silent = 0.0
        self._exchange.keep(interval - silent)

    def _recover(self) -> bool:
        """Find the server again and be to it what this connection was before; False if that can never be."""
        error = self.lost
        assert error is not None
        log.warning("the server is lost: %s", error)
        self._tell("lost", error)
        deadline = time.monotonic() + self._patience
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
                        f"no server for {self._patience:g} s: {error.text}; the search goes on", **error.facts
                    )
                )
            if self._closing.wait(delay):
                return False
        self._server = self._connection._welcome
        log.warning("the server is back")
        self._tell("restored")
        return True

    def _restore(self, *, give_up: bool) -> None:
        delivery = self._connection._delivery
        delivery.pause()
        channel = self._connection._greet()
        try:
            self._connection._temporaries.restore(channel)
            with self._connection._inbox_lock:
                delivery.restart()
                consumers = [consumer for consumer in self._connection._consumers.values() if consumer._opened]
            for consumer in consumers:
                self._resubscribe(channel, consumer, give_up=give_up)
        except BaseException:
            channel.close()
            raise
        if self._connection._welcome.reign != self._server.reign:
            self._end_transactions()
        self.lost = None
        self._exchange.connect(channel)
        try:
            self._exchange.push()
            # Those closed while the server was lost told nobody: they looked at `_lost` after they had withdrawn.
            for consumer in consumers:
                if consumer._number not in self._connection._consumers:
                    self._exchange.call("close_consumer", consumer._number, patient=False)
                elif consumer._lingers:
                    self._connection._close_but_for_kept(consumer)
            delivery.start_again()
        except ConnectionFailedError as error:
            self._exchange.lose(error)
            raise
        with self._connection._inbox_lock:
            self._connection._wake_sessions()

    def _end_transactions(self) -> None:
        """Another server is active, or the same was started again: transactions that were open are rolled back."""
        address = self._server.address
        with self._connection._inbox_lock:
            works = [session._work for session in self._connection._sessions]
            ended = sum(work.lose(address) for work in works if work is not None)
        if ended:
            log.warning("transactions that were rolled back with the loss of the server: %d", ended)

    def _resubscribe(self, channel: Channel, consumer: Consumer, *, give_up: bool) -> None:
        intake = consumer._intake
        with self._connection._inbox_lock, self._exchange.lock:
            settled = list(intake.acks.unsettled())
            held = intake.held()
        options = consumer._options | {"settled": settled, "held": held}
        if consumer._lingers:
            # What it holds fills its window, so nothing is sent to it before it is closed but for that.
            options["prefetch"] = 1
        try:
            lost = channel.call("subscribe", consumer._number, str(consumer.destination), options)
        except JMSError as error:
            if channel.closed or (isinstance(error, IllegalStateError) and not give_up):
                # The second: it may not have noticed yet that our old connection is gone, and hold the subscription.
                raise
            log.warning("%r cannot go on: %s", consumer, error)
            with self._connection._inbox_lock:
                consumer._fail(error)
                if consumer._listeners:
                    self._connection._report(error)
            return
        with self._connection._inbox_lock, self._exchange.lock:
            intake.acks.finish(None)
            intake.drop(lost)
            if consumer._ends_with_connection:
                intake.adopt()

    def _fail(self, error: JMSError) -> None:
        """Calls that wait have waited long enough."""
        log.error("the connection failed: %s", error)
        self._exchange.disconnect(error)
        with self._connection._inbox_lock:
            self._connection._wake_sessions()
        self._connection._report(error)
        self._tell("failed", error)
