"""The thread of a session that has observers: tells them of messages, one at a time (Jakarta Messaging 3.1 §8.7)."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from rmimom.client.mode import AcknowledgeMode
from rmimom.message import Message

if TYPE_CHECKING:
    from rmimom.client.consumer import Consumer, Listener
    from rmimom.client.session import Session

log = logging.getLogger("rmimom.client")

LISTENER_PAUSE: Final = 0.05
"""Seconds before an observer that failed on a message gets it again; doubled for each attempt after that."""
LONGEST_LISTENER_PAUSE: Final = 5.0


class SessionThread:
    """Runs from the first observer until the session is closed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = session._lock
        self._arrived = session._arrived
        self._thread: threading.Thread | None = None
        self._in_listener = False

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

    def join(self) -> None:
        """Wait for the thread to end after the session was closed; not at all in the thread itself."""
        if self._thread is not None and not self.is_mine:
            self._thread.join()

    def wait_for_listener(self) -> None:
        """Return when no observer is running; at once in the session's own thread."""
        if self.is_mine:
            return
        with self._lock:
            self._arrived.wait_for(lambda: not self._in_listener)

    def _run(self) -> None:
        while True:
            with self._lock:
                found = self._next_for_listeners()
                while found is None and not self._session._closed:
                    self._arrived.wait()
                    found = self._next_for_listeners()
                if found is None:
                    return
                self._in_listener = True
            consumer, message, listeners = found
            try:
                pause = self._tell(consumer, message, listeners)
            finally:
                with self._lock:
                    self._in_listener = False
                    self._arrived.notify_all()
            if pause:
                with self._lock:
                    self._arrived.wait_for(lambda: self._session._closed, pause)

    def _next_for_listeners(self) -> tuple[Consumer, Message, list[Listener]] | None:
        """The next message for a consumer with observers; consumers take turns.  The lock is held."""
        if self._session._closed or not self._session._connection._running:
            return None
        for index, consumer in enumerate(self._session._consumers):
            if consumer._listeners:
                message = consumer._intake.take()
                if message is not None:
                    self._session._consumers.append(self._session._consumers.pop(index))
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
            pause = min(LISTENER_PAUSE * 2.0 ** min(message.delivery_count - 1, 30), LONGEST_LISTENER_PAUSE)
            mine = tag in intake.working
        if not self._session._automatic or not mine:
            return 0.0
        self._session._fail(consumer, [tag], f"{type(error).__name__}: {error}")
        with self._lock:
            again = any(waiting._tag == tag for waiting in intake.waiting)
        return pause if again else 0.0
