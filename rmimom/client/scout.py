"""The scout: looks whether another server became active while a connection waits for one that says nothing.

A server that was killed is noticed at once, for its sockets are closed.  One that hangs, or is cut off, is not: calls
would wait for their time limit, while the standby serves already.  So one thread for the whole process asks the name
server: soon when somebody has waited for a moment, now and then when nobody does.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from Pyro5.core import URI

from rmimom.errors import ConnectionFailedError

if TYPE_CHECKING:
    from rmimom.client.connection import Connection

log = logging.getLogger("rmimom.client")

LOOK: Final = 0.5
"""Seconds between looks at the connections of this process."""
WAITING: Final = 1.0
"""Seconds that an answer may take before the name server is asked."""
AGAIN: Final = 2.0
"""Seconds between questions for connections that go on waiting."""
SELDOM: Final = 10.0
"""Seconds between questions for connections that wait for nothing."""


class Scout:
    """Watches connections until they are gone; one object serves a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: weakref.WeakKeyDictionary[Connection, float] = weakref.WeakKeyDictionary()
        self._thread: threading.Thread | None = None

    def watch(self, connection: Connection) -> None:
        """Watch a connection whose server stands in a name server."""
        with self._lock:
            self._watched[connection] = time.monotonic()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="rmimom-scout", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK)
            with self._lock:
                self._watched = weakref.WeakKeyDictionary(
                    {one: asked for one, asked in self._watched.items() if not one._closed}
                )
                if not self._watched:
                    self._thread = None
                    return
                due = [one for one, asked in self._watched.items() if self._is_due(one, time.monotonic() - asked)]
                for one in due:
                    self._watched[one] = time.monotonic()
            found: dict[object, str | None] = {}
            for one in due:
                manager = one._manager
                if manager not in found:
                    try:
                        found[manager] = manager.find()
                    except ConnectionFailedError as error:
                        log.debug("the scout learned nothing: %s", error)
                        found[manager] = None
                self.compare(one, found[manager])
            del due[:], found

    @staticmethod
    def _is_due(connection: Connection, asked: float) -> bool:
        if connection._exchange.channel is None:
            return False  # it is looked for already
        return asked >= (AGAIN if connection._exchange.waited() > WAITING else SELDOM)

    @staticmethod
    def compare(connection: Connection, factory: str | None) -> None:
        """Let the connection go to the server of this factory, if that is another one."""
        if factory is None or connection._exchange.channel is None:
            return
        here, there = URI(connection._welcome.connection).location, URI(factory).location
        if here != there:
            connection._manager.moved_to(factory)
            connection._exchange.lose(
                ConnectionFailedError(f"the active server is at {there} now, no longer at {here}", server=there)
            )


SCOUT: Final = Scout()
