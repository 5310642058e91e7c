"""A name server in a thread of this process: what `rmimom-ns` runs, and `rmimom-server` when it finds none."""

from __future__ import annotations

import errno
import logging
import threading
from pathlib import Path
from types import TracebackType

from Pyro5.nameserver import BroadcastServer, MemoryStorage

from rmimom.errors import ConfigurationError
from rmimom.nameserver.daemon import REQUEST_TIMEOUT, GuardedDaemon
from rmimom.nameserver.storage import DurableStorage

log = logging.getLogger("rmimom.nameserver")

FILE_NAME = "nameserver.sqlite"
# Seconds to wait for the thread at the end; Pyro5 itself needs a fifth of one.
_STOP_TIMEOUT = 10.0


class EmbeddedNameServer:
    """A running name server; `close()` ends it, and so does leaving its `with` block.

    `uri` is Pyro5's URI of it, `location` the `host:port` in that; `host` and `port` are where it listens; `file` is
    where the names are kept (None: nowhere).
    """

    def __init__(self, daemon: GuardedDaemon, file: Path | None) -> None:
        self._daemon = daemon
        self._broadcast: BroadcastServer | None = None
        self.uri = str(daemon.uriFor(daemon.nameserver))
        self.location: str = daemon.locationStr
        self.host: str
        self.port: int
        self.host, self.port = daemon.sock.getsockname()[:2]
        self.file = file
        self._service = daemon.nameserver
        self._ended = threading.Event()
        # A daemon thread: a process that fails must not be held by its name server.
        self._thread = threading.Thread(target=self._serve, name="name server", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._daemon.requestLoop()
        finally:
            self._ended.set()

    @property
    def count(self) -> int:
        """How many names it holds, its own not counted."""
        total: int = self._service.count()
        return total - 1

    @property
    def running(self) -> bool:
        """False once the serving thread has ended, for whatever reason."""
        return not self._ended.is_set()

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host.startswith("127.") or self.host == "::1"

    def start_broadcast(self) -> None:
        """Answer Pyro5's broadcast search, as a stock name server does on an address that others can reach.

        Raises OSError if its UDP port is taken.  Harmless when done twice.
        """
        if self._broadcast is None:
            self._broadcast = BroadcastServer(self._daemon.uriFor(self._service, nat=False))
            self._broadcast.runInThread()

    def close(self) -> None:
        """Stop serving, close every connection and let go of the file; harmless when done twice."""
        if self._broadcast is not None:
            self._broadcast.close()
            self._broadcast = None
        if self._daemon.transportServer is not None:
            self._daemon.hang_up()
            self._daemon.shutdown()
        self._thread.join(_STOP_TIMEOUT)

    def __enter__(self) -> EmbeddedNameServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def start_embedded(
    host: str = "127.0.0.1", port: int = 9090, storage: Path | None = None, *, request_timeout: float = REQUEST_TIMEOUT
) -> EmbeddedNameServer:
    """Start a name server on `host` and `port` (0: a free one) and return it when it serves.

    `storage` is the SQLite file that keeps the names, made when it is missing; None keeps them in memory only.
    `request_timeout` is how many seconds a request may take to arrive, and its answer to be taken.

    Raises ConfigurationError if the address cannot be used; StoreInUseError, StoreDamagedError or StoreError if the
    file cannot be used.
    """
    names = MemoryStorage() if storage is None else DurableStorage(storage)
    try:
        daemon = GuardedDaemon(host, port, names, request_timeout)
    except OSError as error:
        names.close()
        raise _unusable(host, port, error) from error
    except BaseException:
        names.close()
        raise
    return EmbeddedNameServer(daemon, storage)


def _unusable(host: str, port: int, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        text = f"port {port} on {host} is in use, perhaps by another name server; stop that, or choose another --port"
    else:
        text = f"cannot listen on {host} port {port}: {error.strerror or error}"
    return ConfigurationError(text, host=host, port=port)
