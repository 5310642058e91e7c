"""The exception listener of a connection: hears of errors that no caller does (Jakarta Messaging 3.1 §6.1.7)."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from rmimom.errors import JMSError

log = logging.getLogger("rmimom.client")


class ExceptionListener(Protocol):
    """Somebody to tell of errors: an object with this method, or any callable that takes an error."""

    def on_exception(self, error: JMSError) -> None:
        """Something failed that no call was waiting for."""
        ...


class Reporter:
    """Tells one listener of errors, one at a time, in a thread of its own that runs while there is something to tell.

    So the listener may do what it likes, close the connection for one, and holds up nobody else.
    """

    def __init__(self) -> None:
        self.listener: ExceptionListener | Callable[[JMSError], object] | None = None
        self._lock = threading.Lock()
        self._errors: deque[JMSError] = deque()
        self._running = False
        self._ended = False

    def report(self, error: JMSError) -> None:
        """Tell the listener, if there is one; waits for nothing."""
        with self._lock:
            if self.listener is None or self._ended:
                return
            self._errors.append(error)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="rmimom-exceptions", daemon=True).start()

    def end(self) -> None:
        """The connection is closed: nothing more is told."""
        with self._lock:
            self._ended = True
            self._errors.clear()

    def _run(self) -> None:
        while True:
            with self._lock:
                listener = self.listener
                if not self._errors or listener is None:
                    self._running = False
                    self._errors.clear()
                    return
                error = self._errors.popleft()
            try:
                call_of(listener)(error)
            except Exception:
                log.exception("the exception listener failed with %r", error)


def call_of(listener: object) -> Callable[[JMSError], object]:
    """What to call; raises TypeError if it cannot be called."""
    call = getattr(listener, "on_exception", listener)
    if not callable(call):
        raise TypeError(f"{listener!r} is no exception listener: it has no method on_exception and cannot be called")
    return call
