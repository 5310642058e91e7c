"""Pyro5's name server, kept safe from its peers.

The service is Pyro5's own, untouched: the same object, methods and wire.  This daemon only guards the connections:

- marshal is refused.  Pyro5 accepts it by default, and unmarshalling hostile bytes can crash the interpreter;
- a request must arrive, and its answer be taken, within a time limit.  Pyro5 has none by default, so that half a frame
  holds one of its threads for ever;
- a request is small; one that announces more is refused before memory is set aside for it;
- connections are many.  Pyro5's limit is 80, the 81st is refused; here there may be `MAX_CONNECTIONS`, and one more
  closes the connection whose last request is longest ago.  Its proxy fails once and connects again at its next call;
- a peer whose machine is gone is noticed by TCP keep-alive.  A living one that just says nothing is left in peace.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from typing import Any, NoReturn

from Pyro5 import config, core, serializers
from Pyro5.errors import ConnectionClosedError, ProtocolError, PyroError, SerializeError
from Pyro5.nameserver import NameServer, NameServerDaemon
from Pyro5.server import Daemon

log = logging.getLogger("rmimom.nameserver")

# Each takes a thread and a file descriptor; the usual limit of open files is 1024.
MAX_CONNECTIONS = 512
# Threads beyond MAX_CONNECTIONS, for those that are connecting while others are being closed.
_SPARE_THREADS = 64
# A name, a URI and its metadata are a few hundred bytes.  Zipped data can grow a thousandfold when it is opened, so
# this also bounds what one hostile request can make of our memory.
MAX_REQUEST = 256 * 1024
# Seconds.  A request is one packet; a second would do in a healthy network.
REQUEST_TIMEOUT = 10.0
# Seconds without a packet before the first probe, between probes, and the number of probes: gone after a minute.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class _RefusedMarshal(serializers.MarshalSerializer):  # type: ignore[misc]  # Pyro5 has no types
    """Answers in marshal, which is safe, so that the peer can read why; never reads it, which is not."""

    def loads(self, data: bytes) -> NoReturn:
        """Refuse."""
        raise SerializeError(
            "marshal is refused because it is unsafe; set Pyro5's SERIALIZER to serpent, json or msgpack"
        )

    def loadsCall(self, data: bytes) -> NoReturn:  # noqa: N802  # Pyro5's name
        """Refuse."""
        self.loads(data)


def refuse_marshal() -> None:
    """Take marshal out of Pyro5's tables in this process: nothing that a peer sent is unmarshalled any more.

    Taking the entry away would leave the peer without an answer, for Pyro5 looks in the same table for a way to say
    what went wrong.  Harmless when done twice.
    """
    refused = _RefusedMarshal()
    serializers.serializers["marshal"] = refused
    serializers.serializers_by_id[refused.serializer_id] = refused


class _Request:
    """A connection while one request is read from it: counts what the request asks for."""

    def __init__(self, connection: Any) -> None:  # a SocketConnection of Pyro5, which has no types
        self._connection = connection
        self._asked = 0

    def recv(self, size: int) -> bytes:
        """The next `size` bytes, unless the request has become too large."""
        self._asked += size
        if self._asked > MAX_REQUEST:
            raise ProtocolError(f"a request of more than {MAX_REQUEST} bytes is no request to a name server")
        received: bytes = self._connection.recv(size)
        return received

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


class GuardedDaemon(NameServerDaemon):  # type: ignore[misc]  # Pyro5 has no types
    """The daemon of one name server, listening on `host` and `port` (0: a free one) for the names in `storage`.

    `request_timeout` is in seconds.  Raises OSError if the address cannot be used.
    """

    def __init__(self, host: str, port: int, storage: Any, request_timeout: float) -> None:
        refuse_marshal()
        # A limit for every thread server of this process, read again at each connection; raising it harms nobody.
        config.THREADPOOL_SIZE = max(config.THREADPOOL_SIZE, MAX_CONNECTIONS + _SPARE_THREADS)
        self._request_timeout = request_timeout
        self._waiting: dict[Any, None] = {}  # connections, the one whose last request is longest ago first
        self._waiting_lock = threading.Lock()
        super().__init__(host, port, storage="memory")
        service: NameServer = self.nameserver
        own = service.storage[core.NAMESERVER_NAME]
        service.storage = storage
        service.storage[core.NAMESERVER_NAME] = own

    def _handshake(self, conn: Any, denied_reason: str | None = None) -> bool:
        _set_keepalive(conn.sock)
        # Those for whom there is no thread are told so by the thread that accepts: it cannot wait long for anybody.
        conn.settimeout(0.2 if denied_reason else self._request_timeout)
        with self._waiting_lock:
            self._waiting[conn] = None
            crowded = len(self._waiting) > MAX_CONNECTIONS
            oldest = next(iter(self._waiting))
        if crowded:
            log.warning("more than %d connections: closing the one that was silent longest", MAX_CONNECTIONS)
            self._hang_up(oldest)
        welcome = False
        try:
            welcome = super()._handshake(_Request(conn), denied_reason)
        except (OSError, PyroError, KeyError) as error:  # KeyError: a serializer that Pyro5 does not know
            log.warning("refusing a connection that does not speak Pyro5's protocol: %r", error)
        finally:
            if not welcome:
                self._forget(conn)
        return welcome

    def handleRequest(self, conn: Any) -> None:  # noqa: N802  # Pyro5's name
        """Wait for one request as long as the peer likes, then read, do and answer it within the time limit."""
        _wait_readable(conn.sock)
        with self._waiting_lock:
            self._waiting.pop(conn, None)
            self._waiting[conn] = None
        try:
            # Not NameServerDaemon's own, which turns a peer's mistake into a Python warning of this process.
            Daemon.handleRequest(self, _Request(conn))
        except (ProtocolError, KeyError) as error:  # KeyError: a serializer that Pyro5 does not know
            log.warning("closing a connection that does not speak Pyro5's protocol: %r", error)
            raise ConnectionClosedError("protocol error") from error

    def _clientDisconnect(self, conn: Any) -> None:  # noqa: N802  # Pyro5's name
        self._forget(conn)
        super()._clientDisconnect(conn)

    def _Daemon__deserializeBlobArgs(self, message: object) -> NoReturn:  # noqa: N802  # Pyro5's name, in its private form
        # Pyro5 unmarshals the annotation of such a call whatever the serializer is; a name server needs none of them.
        raise SerializeError("serialized blobs are refused by the name server")

    def hang_up(self) -> None:
        """Close every connection, so that the threads that wait on them end at once."""
        with self._waiting_lock:
            connections = list(self._waiting)
        for connection in connections:
            self._hang_up(connection)

    def _hang_up(self, connection: Any) -> None:
        self._forget(connection)
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was closed already

    def _forget(self, connection: Any) -> None:
        with self._waiting_lock:
            self._waiting.pop(connection, None)


def _wait_readable(sock: Any) -> None:  # a socket, or an SSL socket with bytes left over
    pending = getattr(sock, "pending", None)
    if pending is not None and pending():
        return
    # Not select(), which cannot watch descriptors over 1023.
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll()


def _set_keepalive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)  # not every system has all of them
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
