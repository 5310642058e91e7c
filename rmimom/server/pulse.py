"""How a standby feels the pulse of the active: a client of it that listens to its heartbeat."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import Final, Protocol

from Pyro5.core import URI

from rmimom.access import CLUSTER_USER
from rmimom.client.connection import Connection
from rmimom.client.factory import ConnectionFactory
from rmimom.client.heartbeat import HeartbeatSubscriber
from rmimom.cluster.configuration import Configuration
from rmimom.destination import FACTORY_NAME
from rmimom.errors import JMSError
from rmimom.phi import SuspicionLevel
from rmimom.server.heart import HEARTBEAT

log = logging.getLogger(__name__)

FAILED: Final = 8.0
"""The phi at which the active counts as failed: by its own rhythm, once in a hundred million beats it is not."""
PAUSE: Final = 0.4
"""Seconds of silence that a busy machine may cause at any time."""
AGAIN: Final = 0.5
"""Seconds until another attempt to listen."""


class Suspicions(Protocol):
    """Who is told how the active is."""

    def suspect(self, why: str) -> None:
        """It is not heard."""
        ...

    def heard(self) -> None:
        """It is heard again."""
        ...


class Pulse:
    """Listens to the active of `configuration` until it is stopped, and tells `suspicions`, in the event loop.

    As Matoffi's paper has it: a connection through the ConnectionFactory, a session, a subscriber on the heartbeat
    topic, and a HeartbeatSubscriber.  `interval` in seconds is the rhythm that is expected of a heart never heard yet.
    """

    def __init__(self, configuration: Configuration, password: str, interval: float, suspicions: Suspicions) -> None:
        self.http = ""
        """Where the active serves HTTP, as its last beat says."""
        self._active = configuration.active
        location = URI(configuration.address_of(configuration.active)).location
        self._uri = f"PYRO:{FACTORY_NAME}@{location}"
        self._password = password
        self._interval = interval
        self._suspicions = suspicions
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rmimom-pulse", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more; returns at once, the connection is closed in the background."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                factory = ConnectionFactory(uri=self._uri)
                with factory.create_connection(
                    CLUSTER_USER,
                    self._password,
                    delivery="pull",
                    start=False,
                    connect_timeout=AGAIN,
                    reconnect_timeout=AGAIN,
                ) as connection:
                    self._listen(connection)
            except JMSError as error:
                log.debug("the heartbeat of %s cannot be listened to: %s", self._active, error)
            self._stopping.wait(AGAIN)

    def _listen(self, connection: Connection) -> None:
        session = connection.create_session()
        subscriber = session.create_subscriber(HEARTBEAT)
        with HeartbeatSubscriber(
            subscriber,
            self._suspected,
            lambda name: self._tell(name, self._suspicions.heard),
            failed=FAILED,
            acceptable_pause=PAUSE,
            expected={self._active: self._interval},
        ) as listener:
            connection.start()
            lost = threading.Event()
            connection.on_event(lambda event: lost.set() if event.kind in {"failed", "closed"} else None)
            while not self._stopping.wait(0.05) and not lost.is_set():
                beat = listener.last_beat(self._active)
                self.http = str(beat.extra.get("http", "")) if beat is not None else self.http

    def _suspected(self, name: str, level: SuspicionLevel, phi: float) -> None:
        if level is SuspicionLevel.FAILED:
            self._tell(name, lambda: self._suspicions.suspect(f"its heartbeat is missed (phi {phi:.0f})"))

    def _tell(self, name: str, what: object) -> None:
        if name == self._active and not self._stopping.is_set() and callable(what):
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server ends
                self._loop.call_soon_threadsafe(what)
