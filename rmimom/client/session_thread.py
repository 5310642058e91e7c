"""The thread of a session that has observers: tells them of messages, one at a time (Jakarta Messaging 3.1 §8.7)."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rmimom.client.mode import AcknowledgeMode
from rmimom.errors import IllegalStateError
from rmimom.message import Message

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer, Listener
    from rmimom.client.session import Session

log = logging.getLogger("rmimom.client")

LISTENER_PAUSE: Final = 0.05
"""Seconds before an observer that failed twice on a message gets it again; doubled for each attempt after that."""
LONGEST_LISTENER_PAUSE: Final = 5.0


class SessionThread:
    """Runs from the first observer until the session is closed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = session._lock
        self._arrived = session._arrived
        self._thread: threading.Thread | None = None
        self._telling: Consumer | None = None
        self._closed_by_observer: list[Consumer] = []
        self._stands_aside = False

    def start(self) -> None:
        """Begin, if it has not begun."""
        with self._lock:
            self._arrived.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rmimom-session", daemon=True)
                self._thread.start()

    @property
    def is_mine(self) -> bool:
        """Whether the caller runs in this thread, as observers do."""
        return self._thread is threading.current_thread()

    @property
    def ident(self) -> int:
        """The ident of the thread; 0 before it runs."""
        return (self._thread and self._thread.ident) or 0

    @property
    def is_quiet(self) -> bool:
        """Whether no observer runs, but one that waits for completion listeners; the lock is held."""
        return self._telling is None or self._stands_aside

    def refuse_here(self, what: str) -> None:
        """Raise IllegalStateError in a call of an observer of this session: it would wait for itself (§6.1.8)."""
        if self.is_mine:
            raise IllegalStateError(f"an observer cannot {what}: that would wait for the observer to return (§6.1.8)")

    def join(self) -> None:
        """Wait for the thread to end once the session closes; its observer keeps full service until it returns."""
        if self._thread is not None:
            self._thread.join()

    def wait_for_listener(self, consumer: Consumer | None = None) -> None:
        """Return when no observer is running, or none of this consumer.

        At once in a call of an observer or a completion listener of the session: that one would wait for itself.
        """
        if self.is_mine or self._session._completions.is_mine:
            return
        with self._lock:
            self._arrived.wait_for(
                lambda: self._telling is None or (consumer is not None and self._telling is not consumer)
            )

    def defers_closing(self, consumer: Consumer) -> bool:
        """Whether an observer closes its own consumer: then that is done after it has returned (§8.8)."""
        if not self.is_mine or self._telling is not consumer:
            return False
        self._closed_by_observer.append(consumer)
        return True

    @contextlib.contextmanager
    def standing_aside(self) -> Iterator[None]:
        """An observer of this session waits for completion listeners: they may run meanwhile."""
        if not self.is_mine:
            yield
            return
        with self._lock:
            self._stands_aside = True
            self._arrived.notify_all()
        try:
            yield
        finally:
            with self._lock:
                self._arrived.wait_for(lambda: not self._session._completions.has_turn)
                self._stands_aside = False

    def _run(self) -> None:
        session = self._session
        while True:
            with self._lock:
                found = self._next_for_listeners()
                while found is None and not session._closing:
                    self._arrived.wait()
                    found = self._next_for_listeners()
                if found is None:
                    return
                self._telling = found[0]
            consumer, message, listeners = found
            try:
                pause = self._tell(consumer, message, listeners)
                while self._closed_by_observer:
                    self._closed_by_observer.pop()._end()
            finally:
                with self._lock:
                    self._telling = None
                    self._arrived.notify_all()
            if pause:
                with self._lock:
                    self._arrived.wait_for(lambda: session._closing, pause)

    def _next_for_listeners(self) -> tuple[Consumer, Message, list[Listener]] | None:
        """The next message for a consumer with observers; consumers take turns.  The lock is held."""
        session = self._session
        if session._closing or not session._connection._running or session._completions.has_turn:
            return None
        for index, consumer in enumerate(session._consumers):
            if consumer._listeners and not consumer._closed:
                message = consumer._intake.take()
                if message is not None:
                    session._consumers.append(session._consumers.pop(index))
                    return consumer, message, [listener for _, listener in consumer._listeners.values()]
        return None

    def _tell(self, consumer: Consumer, message: Message, listeners: list[Listener]) -> float:
        """Give a message to observers and acknowledge it; returns the seconds to pause, after an error."""
        try:
            for listener in listeners:
                listener(message)
        except Exception as error:  # noqa: BLE001  # logged where it is counted
            return self._failed(consumer, message, error)
        self._told(consumer, message)
        return 0.0

    def _told(self, consumer: Consumer, message: Message) -> None:
        """All observers have returned from this message; waits for nothing."""
        if self._session._automatic:
            intake = consumer._intake
            with self._lock:
                intake.acknowledge(message._tag)
                pending = len(intake.acks.pending)
            if self._session.mode is AcknowledgeMode.AUTO_ACKNOWLEDGE:
                self._session._connection._exchange.acknowledged(pending)

    def _failed(self, consumer: Consumer, message: Message, error: Exception) -> float:
        """An observer failed with this message; returns the seconds to pause before the next one."""
        log.error("an observer of %s failed with message %s", consumer.destination, message.message_id, exc_info=error)
        tag, intake = message._tag, consumer._intake
        with self._lock:
            pause = _pause(message.delivery_count)
            mine = tag in intake.working
        if not self._session._automatic or not mine:
            return 0.0
        self._session._fail(consumer, [tag], f"{type(error).__name__}: {error}")
        with self._lock:
            again = any(waiting._tag == tag for waiting in intake.waiting)
        return pause if again else 0.0


def _pause(attempts: int) -> float:
    """Seconds before the next attempt: none after the first, for it shall be immediate (§8.7)."""
    if attempts <= 1:
        return 0.0
    return min(LISTENER_PAUSE * 2.0 ** min(attempts - 2, 30), LONGEST_LISTENER_PAUSE)
