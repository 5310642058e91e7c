"""Callback delivery: an object in this process that the server calls with batches of messages.

It lives in a stock Pyro5 daemon on the address by which this machine reaches the server, under an id that nobody can
guess.  Pyro5's daemon trusts its peers more than one should on a network, so ours

- refuses marshal, which is unsafe on bytes of a stranger, before anything of the request is decoded;
- gives each request a time limit once its first byte is there, and each connection as long as it likes between them,
  whatever Pyro5's COMMTIMEOUT says: the server may have nothing to say for hours;
- does not list its objects.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from Pyro5 import errors as pyro_errors
from Pyro5 import serializers
from Pyro5.callcontext import current_context
from Pyro5.server import Daemon, DaemonObject

from rmimom.errors import MessageFormatError
from rmimom.frame import ANNOTATION
from rmimom.rmi.exposure import expose

log = logging.getLogger("rmimom.client")

REQUEST_TIMEOUT: Final = 30.0
"""Seconds for one request to arrive and its answer to be taken."""

Deliver = Callable[[memoryview], int]


class ClientCallback:
    """The IClientRMI object of one connection: the server calls it."""

    def __init__(self, client_id: str, deliver: Deliver) -> None:
        self._client_id = client_id
        self._deliver = deliver

    @expose
    def get_client_id(self) -> str:
        """Who this is."""
        return self._client_id

    @expose
    def new_messages(self, sequence: int) -> int:
        """Take the batch in the annotation; the answer is the number of the last batch taken."""
        batch = current_context.annotations.get(ANNOTATION)
        if batch is None:
            raise MessageFormatError(f"batch {sequence} has no annotation {ANNOTATION}")
        return self._deliver(batch)

    @expose
    def new_message(self, message: object) -> bool:
        """Refuse a single message: it does not say which consumer it is for."""
        return False


class CallbackServer:
    """A Pyro5 daemon in a thread of its own, listening on `host` at a free port; raises OSError if that cannot be.

    `on_silence` is called when a connection to it has ended.
    """

    def __init__(self, host: str, on_silence: Callable[[], None]) -> None:
        self.host = host
        self._daemon = _GuardedDaemon(host, on_silence)
        self._object: ClientCallback | None = None
        thread = threading.Thread(target=self._daemon.serve, name="rmimom-callback", daemon=True)
        thread.start()

    def offer(self, client_id: str, deliver: Deliver) -> str:
        """Put up an object for a new connection to the server; returns its URI.  The one before is taken away."""
        self.withdraw()
        self._object = ClientCallback(client_id, deliver)
        return str(self._daemon.register(self._object, f"rmimom.client.{secrets.token_hex(16)}"))

    def withdraw(self) -> None:
        """Take the object away: a server that still calls it is told that there is none."""
        if self._object is not None:
            self._daemon.unregister(self._object)
            self._object = None

    def stop(self) -> None:
        """Close everything; the thread ends soon after."""
        self.withdraw()
        self._daemon.stop()


class _Nothing(DaemonObject):  # type: ignore[misc]  # Pyro5 has no types
    """What a daemon tells of itself, without the ids of its objects: whoever knows one can deliver messages."""

    @expose
    def registered(self) -> list[str]:
        """No ids."""
        return []


class _Guarded:
    """A connection while one request is read from it; looks at the serializer before anybody decodes."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._reads = 0

    def recv(self, size: int) -> bytes | bytearray:
        """Read; Pyro5 reads the first 6 bytes of a header, then its other 34, then what they announce."""
        self._reads += 1
        if self._reads == 3 and size > _READ_BY_OURSELVES:
            return _read(self._connection.sock, size)
        data: bytes = self._connection.recv(size)
        if self._reads == 2 and data[1] not in _ACCEPTED:
            raise pyro_errors.ConnectionClosedError(f"serializer {data[1]} is not accepted")
        return data

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def _read(sock: socket.socket, size: int) -> bytearray:
    """Read a batch into its place; Pyro5 reads small pieces and puts them together, again and again."""
    data = bytearray(size)
    view = memoryview(data)
    have = 0
    deadline = time.monotonic() + REQUEST_TIMEOUT
    while have < size:
        try:
            read = sock.recv_into(view[have:])
        except OSError as error:
            raise pyro_errors.ConnectionClosedError(f"reading a batch: {error}") from None
        if not read or time.monotonic() > deadline:
            raise pyro_errors.ConnectionClosedError("the batch ended in the middle")
        have += read
    return data


_READ_BY_OURSELVES: Final = 16 * 1024
_ACCEPTED: Final = frozenset(
    serializer.serializer_id for name, serializer in serializers.serializers.items() if name != "marshal"
)


class _GuardedDaemon(Daemon):  # type: ignore[misc]  # Pyro5 has no types
    def __init__(self, host: str, on_silence: Callable[[], None]) -> None:
        self._on_silence = on_silence
        self._connections: set[Any] = set()
        super().__init__(host=host, port=0, interface=_Nothing)
        # Pyro5 starts 4 workers; one caller needs one, and more are made if more call.
        pool = self.transportServer.pool
        while len(pool.idle) > 1:
            pool.idle.pop().process(None)

    def serve(self) -> None:
        """Run until `stop`, in a thread of its own."""
        server = self.transportServer
        try:
            self.requestLoop()
        finally:
            self.close()
            server._selector.close()  # Pyro5 leaves it, and its file descriptor, to the garbage collector

    def stop(self) -> None:
        """End the loop and close all connections."""
        server = self.transportServer
        server.shutting_down = True
        for connection in list(self._connections):
            # Not closed: its worker does that when it sees the end.  A worker that waits for a file descriptor closed
            # by another thread may wait on whatever gets the same number next.
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, AttributeError):
            server.wakeup()

    def _handshake(self, conn: Any, denied_reason: str | None = None) -> bool:
        conn.timeout = REQUEST_TIMEOUT
        self._connections.add(conn)
        welcome: bool = super()._handshake(_Guarded(conn), denied_reason)
        return welcome

    def handleRequest(self, conn: Any) -> None:  # noqa: N802  # Pyro5's name
        """Wait for a request as long as it takes, then read and answer it within the time limit."""
        poll = select.poll()
        try:
            poll.register(conn.sock, select.POLLIN)
        except (ValueError, OSError):
            raise pyro_errors.ConnectionClosedError("closed meanwhile") from None
        poll.poll()
        conn.timeout = REQUEST_TIMEOUT
        super().handleRequest(_Guarded(conn))

    def clientDisconnect(self, conn: Any) -> None:  # noqa: N802  # Pyro5's name
        """The peer is gone: perhaps the server is."""
        self._connections.discard(conn)
        self._on_silence()
