"""The RMI door of the server: accepts stock Pyro5 proxies, thousands of them, in one event loop."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Final

import msgspec

from rmimom.errors import ConfigurationError
from rmimom.listeners.rmi.connection import RmiConnection
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.rmi import wire

log = logging.getLogger(__name__)

Authenticate = Callable[[Peer, object], object]
"""Judges a handshake object: returns what becomes `Peer.user`, or an awaitable of it; raises JMSSecurityError."""

_SWEEP: Final = 1.0
_BACKLOG: Final = 1024
"""Proxies may come all at once, after a failover for example."""
_REFUSALS: Final = 100
"""Connections over the limit that are told so; more are just closed."""
_PROGRESS: Final = 4096
"""Bytes of an incomplete message that count as progress; a byte now and then does not."""


class RmiLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one peer, or all together, may take.  Sizes in bytes, times in seconds."""

    connections: int = 10_000
    """Pyro5's own server refuses the 81st."""
    handshake_bytes: int = 64 * 1024
    """Before the handshake is accepted nobody can make us keep more; annotations are passed over until then."""
    handshake_seconds: float = 10.0
    message_bytes: int = wire.DEFAULT_LIMIT
    frame_seconds: float = 30.0
    """A message that has begun must get on in this time."""
    unsent_bytes: int = 256 * 1024 * 1024
    """Answers that wait for a peer that does not read; two of the largest fit."""
    unsent_seconds: float = 60.0
    """A peer for which answers wait must read something in this time."""
    drain_seconds: float = 5.0
    """What calls under way get when the listener stops."""


class RmiStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How the listener is; all but the first three are counted since it was made."""

    connections: int
    objects: int
    streams: int
    accepted: int
    refused: int
    calls: int
    failed_calls: int
    protocol_errors: int
    timeouts: int


class RmiListener:
    """Serves the objects of a registry on one port, from `start` to `stop`; to serve again, make another.

    `host` is a name or an address; a name with several addresses is served on all of them, an empty one on all
    interfaces.  `port` 0 lets the system choose.  `authenticate` judges handshakes; without it everybody is let in with
    the user None.
    """

    def __init__(
        self,
        registry: ObjectRegistry,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: RmiLimits | None = None,
        authenticate: Authenticate | None = None,
        ssl: SSLContext | None = None,
    ) -> None:
        self.registry = registry
        self.limits = limits if limits is not None else RmiLimits()
        self._host = host
        self._port = port
        self._ssl = ssl
        self._authenticate = authenticate
        self._servers: list[asyncio.Server] = []
        self._connections: set[RmiConnection] = set()
        # Who is given time for what, and since when: the sweep looks at these only.
        self._opening: dict[RmiConnection, float] = {}
        self._incomplete: dict[RmiConnection, tuple[float, int]] = {}
        self._unread: dict[RmiConnection, tuple[float, int]] = {}
        self._finishing: dict[RmiConnection, float] = {}
        self.loop: asyncio.AbstractEventLoop
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._stopping = False
        self.accepted = 0
        self.refused = 0
        self.calls = 0
        self.failed_calls = 0
        self.protocol_errors = 0
        self.timeouts = 0

    async def start(self) -> None:
        """Begin to accept connections; raises ConfigurationError if the address cannot be had."""
        self.loop = asyncio.get_running_loop()
        try:
            found = await self.loop.getaddrinfo(
                self._host or None, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            port = self._port
            for address in dict.fromkeys(info[4][0] for info in found):
                try:
                    server = await self.loop.create_server(
                        lambda: RmiConnection(self),
                        str(address),
                        port,
                        backlog=_BACKLOG,
                        ssl=self._ssl,
                        ssl_handshake_timeout=self.limits.handshake_seconds if self._ssl is not None else None,
                    )
                except OSError as error:
                    # `localhost` often has an IPv6 address on machines that have no IPv6.
                    if self._servers and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                        continue
                    raise
                self._servers.append(server)
                # The system chose for the first address; the others get the same.
                port = server.sockets[0].getsockname()[1]
        except OSError as error:
            await self.stop()
            reason = error.strerror or error
            raise ConfigurationError(
                f"cannot listen on {self._host or '*'}:{self._port}: {reason}; choose another host or port",
                host=self._host,
                port=self._port,
            ) from error
        self._sweeper = self.loop.call_later(_SWEEP, self._sweep_again)

    @property
    def port(self) -> int:
        """The port that is served; 0 while none is."""
        return self.addresses[0][1] if self._servers else 0

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The addresses that are served."""
        names = (sock.getsockname() for server in self._servers for sock in server.sockets)
        return [(name[0], name[1]) for name in names]

    async def stop(self) -> None:
        """Accept nobody more, let the calls under way end (`drain_seconds`), close everything.  Harmless twice."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        for connection in list(self._connections):
            connection.shut("the server stops")
        if self._connections:
            await self._wait_until_empty(self.limits.drain_seconds)
        for connection in list(self._connections):
            connection.abort("the server stops")
        if self._connections:
            await self._wait_until_empty(self.limits.drain_seconds)
        for server in servers:
            await server.wait_closed()

    def let_go(self, keep: Callable[[Peer], bool], reason: str) -> None:
        """Cut off every connection but those whose peers are to be kept; calls under way are not answered."""
        for connection in list(self._connections):
            if not keep(connection.peer):
                connection.abort(reason)

    async def _wait_until_empty(self, seconds: float) -> None:
        self._emptied = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._emptied
        except TimeoutError:
            pass
        finally:
            self._emptied = None

    def statistics(self) -> RmiStatistics:
        """How the listener is."""
        return RmiStatistics(
            connections=len(self._connections),
            objects=len(self.registry),
            streams=len(self.registry.streams),
            accepted=self.accepted,
            refused=self.refused,
            calls=self.calls,
            failed_calls=self.failed_calls,
            protocol_errors=self.protocol_errors,
            timeouts=self.timeouts,
        )

    def authenticate(self, peer: Peer, handshake: object) -> object:
        """Judge a handshake: the user, or an awaitable of it."""
        return self._authenticate(peer, handshake) if self._authenticate is not None else None

    # What the connections tell.

    def connection_made(self, connection: RmiConnection) -> str:
        """A connection is there; returns why it will be refused, or an empty text."""
        self.accepted += 1
        self._connections.add(connection)
        self._opening[connection] = self.loop.time()
        limit = self.limits.connections
        if self._stopping:
            connection.shut("the server stops")
        elif len(self._connections) > limit + _REFUSALS:
            self.refused += 1
            connection.abort("far too many connections")
        elif len(self._connections) > limit:
            return f"too many connections: {limit} are allowed; close some or raise the limit of the server"
        return ""

    def connection_lost(self, connection: RmiConnection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        self._opening.pop(connection, None)
        self._incomplete.pop(connection, None)
        self._unread.pop(connection, None)
        self._finishing.pop(connection, None)
        if not self._connections and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def greeted(self, connection: RmiConnection) -> None:
        """The handshake was accepted."""
        self._opening.pop(connection, None)

    def frame_incomplete(self, connection: RmiConnection) -> None:
        """A message has begun and its rest is awaited."""
        self._incomplete[connection] = (self.loop.time(), connection.received)

    def frame_complete(self, connection: RmiConnection) -> None:
        """Nothing is awaited any more."""
        self._incomplete.pop(connection, None)

    def writing_paused(self, connection: RmiConnection) -> None:
        """The peer does not read what we write."""
        self._unread[connection] = (self.loop.time(), connection.unsent)

    def writing_resumed(self, connection: RmiConnection) -> None:
        """The peer reads again."""
        self._unread.pop(connection, None)

    def finishing(self, connection: RmiConnection) -> None:
        """The connection is closed as soon as its peer has read what was sent."""
        self._finishing.setdefault(connection, self.loop.time())

    # Time limits.

    def _sweep_again(self) -> None:
        self.sweep(self.loop.time())
        self._sweeper = self.loop.call_later(_SWEEP, self._sweep_again)

    def sweep(self, now: float) -> None:
        """Cut off those whose time is over; `now` is the loop's time in seconds."""
        limits = self.limits
        for connection, since in list(self._opening.items()):
            if now - since < limits.handshake_seconds:
                break  # the later ones have more time left
            self._cut_off(connection, f"no handshake for {limits.handshake_seconds} s")
        for connection, since in list(self._finishing.items()):
            if now - since < limits.frame_seconds:
                break
            self._cut_off(connection, f"it has not read the end for {limits.frame_seconds} s")
        for connection, (since, received) in list(self._incomplete.items()):
            if now - since >= limits.frame_seconds:
                if connection.received - received < _PROGRESS:
                    self._cut_off(connection, f"a message has been incomplete for {limits.frame_seconds} s")
                else:
                    self._incomplete[connection] = (now, connection.received)
        for connection, (since, unsent) in list(self._unread.items()):
            if now - since >= limits.unsent_seconds:
                if connection.unsent >= unsent:
                    self._cut_off(connection, f"it has not read its answers for {limits.unsent_seconds} s")
                else:
                    self._unread[connection] = (now, connection.unsent)

    def _cut_off(self, connection: RmiConnection, reason: str) -> None:
        self.timeouts += 1
        for waiting in (self._opening, self._incomplete, self._unread, self._finishing):
            waiting.pop(connection, None)
        connection.abort(reason)
