"""Delivery: by which way a connection's messages come, and what is taken of them.

Two ways: the server calls an object in this process (`callback.py`), or this process asks (`pull.py`).  Either takes
batches in a thread of its own, and hands them to `Delivery.accept` with the life of the connection that it belongs to.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rmimom.client.callback import CallbackServer
from rmimom.client.inbox import Inbox
from rmimom.client.pull import Puller
from rmimom.client.transport import local_address
from rmimom.errors import ConnectionFailedError, JMSError
from rmimom.frame import decode_deliveries

if TYPE_CHECKING:
    from rmimom.client.connection import Connection

log = logging.getLogger("rmimom.client")


class Delivery:
    """How messages come to one connection; `wanted` is "callback", "pull" or "auto".

    `on_silence` is called when the server has closed its connection to the callback object.
    """

    def __init__(self, connection: Connection, wanted: str, on_silence: Callable[[], None]) -> None:
        self._connection = connection
        self._exchange = connection._exchange
        self._wanted = wanted
        self._on_silence = on_silence
        self.inbox = Inbox()
        self.life = 0
        """Counts the connections to a server; what comes late from one that is gone must not be taken."""
        self.way = ""
        """"callback" or "pull"; empty before the first consumer."""
        self._lock = threading.Lock()
        self._callback: CallbackServer | None = None
        self._puller: Puller | None = None

    def accept(self, life: int, data: memoryview) -> int:
        """Take a batch of deliveries; returns the number of the last one taken.

        Raises ConnectionFailedError if the connection to that server was given up meanwhile.
        """
        batch = decode_deliveries(data)
        with self._connection._inbox_lock:
            if life != self.life:
                raise ConnectionFailedError("the batch comes from a server that was given up")
            for intake in self.inbox.accept(batch):
                consumer = self._connection._consumers[intake.number]
                consumer._session._arrived.notify_all()
                if intake.error is not None and consumer._listeners:
                    self._connection._report(intake.error)
            return self.inbox.sequence

    def start(self) -> None:
        """Have messages delivered, if they are not yet.  Raises ConnectionFailedError if the server is lost."""
        with self._lock:
            if not self.way:
                self.way = self._deliver_by(self._wanted)
                log.info("messages of %r come by %s", self._connection, self.way)

    def start_again(self) -> None:
        """Have messages delivered by a new connection to the server, if they were by the one before."""
        with self._lock:
            if self.way:
                self.way = self._deliver_by(self._wanted)

    def pause(self) -> None:
        """Take nothing more from the connection to the server that there was."""
        with self._lock:
            if self._puller is not None:
                self._puller.stop()
                self._puller = None
            if self._callback is not None:
                self._callback.withdraw()

    def restart(self) -> None:
        """A new connection to the server begins, whose batches are counted from 1; the inbox lock is held."""
        self.life += 1
        self.inbox.restart()

    def stop(self) -> None:
        """End all delivery, for good."""
        self.pause()
        if self._callback is not None:
            self._callback.stop()

    def _deliver_by(self, way: str) -> str:
        channel = self._exchange.channel
        if channel is None:
            raise ConnectionFailedError("the server was lost before messages could be asked for")
        accept = partial(self.accept, self.life)
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
                self._callback = CallbackServer(host, self._on_silence)
            except OSError as error:
                raise ConnectionFailedError(f"no port for callbacks at {host}: {error}", host=host) from error
        uri = self._callback.offer(self._connection.client_id, accept)
        try:
            self._exchange.call("deliver_to", uri, patient=False)
        except BaseException:
            self._callback.withdraw()
            raise
