"""The STOMP door of the server: accepts clients over TCP, TLS and WebSocket, in one event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import Final

import msgspec

from rmimom.clock import Clock
from rmimom.engine import Engine
from rmimom.errors import ConfigurationError
from rmimom.listeners.stomp.connection import StompConnection
from rmimom.listeners.stomp.websocket import WebSocketConnection
from rmimom.stomp.settings import Settings

_SWEEP: Final = 0.5
_BACKLOG: Final = 1024
_REFUSALS: Final = 100
"""Connections over the limit that are told so; more are just closed."""
_PROGRESS: Final = 1024
"""Bytes of an incomplete frame that count as progress; a byte now and then does not."""

Admit = Callable[[str, str], Awaitable[None]]
"""Raises JMSSecurityError unless this user may come in with this password."""


class StompLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one client, or all together, may take beside what `Settings` says.  Sizes in bytes, times in seconds."""

    connections: int = 10_000
    connect_seconds: float = 10.0
    frame_seconds: float = 30.0
    """A frame that has begun must get on in this time."""
    unanswered_bytes: int = 8 * 1024 * 1024
    """Messages of one client that wait to be safe; meanwhile nothing more is read of it."""
    unsent_bytes: int = 64 * 1024 * 1024
    """What may wait for a client to read; subscriptions bound it by their prefetch long before."""
    unsent_seconds: float = 60.0
    """A client for which something waits must read something in this time."""
    last_seconds: float = 10.0
    """A client that was told of the end must close in this time."""
    drain_seconds: float = 5.0
    """What clients get to read the last words when the listener stops."""


class StompStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How the listener is; all but the first two are counted since it was made."""

    connections: int
    subscriptions: int
    accepted: int
    refused: int
    timeouts: int


class StompListener:
    """Serves STOMP from `start` to `stop`; to serve again, make another.

    `host` is a name or an address, `port` 0 lets the system choose; `ssl` makes it TLS.  With `websocket` the bytes
    come in WebSocket messages.  `name` is the setting to change if the address cannot be had.
    """

    def __init__(
        self,
        engine: Engine,
        admit: Admit,
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        settings: Settings | None = None,
        limits: StompLimits | None = None,
        ssl: SSLContext | None = None,
        websocket: bool = False,
        name: str = "--stomp HOST:PORT",
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.settings = settings if settings is not None else Settings()
        self.limits = limits if limits is not None else StompLimits()
        self._admit = admit
        self._host = host
        self._port = port
        self._ssl = ssl
        self._protocol: type[StompConnection] = WebSocketConnection if websocket else StompConnection
        self._name = name
        self._servers: list[asyncio.Server] = []
        self._connections: set[StompConnection] = set()
        # Who is given time for what, and since when: the sweep looks at these only.
        self._opening: dict[StompConnection, float] = {}
        self._incomplete: dict[StompConnection, tuple[float, int]] = {}
        self._unread: dict[StompConnection, tuple[float, int]] = {}
        self._finishing: dict[StompConnection, float] = {}
        self.loop: asyncio.AbstractEventLoop
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._stopping = False
        self._accepted = 0
        self._refused = 0
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
                        lambda: self._protocol(self),
                        str(address),
                        port,
                        backlog=_BACKLOG,
                        ssl=self._ssl,
                        ssl_handshake_timeout=self.limits.connect_seconds if self._ssl is not None else None,
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
            raise ConfigurationError(
                f"cannot listen for STOMP on {self._host or '*'}:{self._port}: {error.strerror or error}; "
                f"choose another address with {self._name}, or do without it: --stomp off",
                host=self._host,
                port=self._port,
            ) from error
        self._sweeper = self.loop.call_later(_SWEEP, self._sweep_again)

    @property
    def port(self) -> int:
        """The port that is served; 0 while none is."""
        return self._servers[0].sockets[0].getsockname()[1] if self._servers else 0

    async def stop(self) -> None:
        """Accept nobody more, tell everybody, close everything.  Harmless twice."""
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
            await self._wait_until_empty()
        for connection in list(self._connections):
            connection.abort("the server stops")
        if self._connections:
            await self._wait_until_empty()
        for server in servers:
            await server.wait_closed()

    async def _wait_until_empty(self) -> None:
        self._emptied = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.limits.drain_seconds):
                await self._emptied
        except TimeoutError:
            pass
        finally:
            self._emptied = None

    def statistics(self) -> StompStatistics:
        """How the listener is."""
        return StompStatistics(
            connections=len(self._connections),
            subscriptions=sum(len(connection.session.subscriptions) for connection in self._connections),
            accepted=self._accepted,
            refused=self._refused,
            timeouts=self.timeouts,
        )

    # What the connections ask and tell.

    async def admit(self, user: str, passcode: str) -> None:
        """Raise JMSSecurityError unless this user may come in."""
        await self._admit(user, passcode)

    def connection_made(self, connection: StompConnection) -> str:
        """A connection is there; returns why it is refused, or an empty text."""
        self._accepted += 1
        self._connections.add(connection)
        self._opening[connection] = self.loop.time()
        limit = self.limits.connections
        if self._stopping:
            return "the server stops"
        if len(self._connections) > limit:
            self._refused += 1
            if len(self._connections) > limit + _REFUSALS:
                connection.abort("far too many connections")
            return f"too many connections: {limit} are allowed; close some, or raise max_connections on the server"
        return ""

    def connection_lost(self, connection: StompConnection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        for waiting in (self._opening, self._incomplete, self._unread, self._finishing):
            waiting.pop(connection, None)
        if not self._connections and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def greeted(self, connection: StompConnection) -> None:
        """CONNECTED was sent."""
        self._opening.pop(connection, None)

    def frame_incomplete(self, connection: StompConnection) -> None:
        """A frame has begun and its rest is awaited."""
        if connection not in self._incomplete:
            self._incomplete[connection] = (self.loop.time(), connection.received)

    def frame_complete(self, connection: StompConnection) -> None:
        """Nothing is awaited any more."""
        self._incomplete.pop(connection, None)

    def writing_paused(self, connection: StompConnection) -> None:
        """The client does not read what we write."""
        self._unread[connection] = (self.loop.time(), connection.unsent)

    def writing_resumed(self, connection: StompConnection) -> None:
        """The client reads again."""
        self._unread.pop(connection, None)

    def finishing(self, connection: StompConnection) -> None:
        """The connection is over; its client has some time to read the last words and to close."""
        self._opening.pop(connection, None)
        self._incomplete.pop(connection, None)
        self._finishing.setdefault(connection, self.loop.time())

    # Time limits.

    def _sweep_again(self) -> None:
        self.sweep(self.loop.time())
        self._sweeper = self.loop.call_later(_SWEEP, self._sweep_again)

    def sweep(self, now: float) -> None:
        """Cut off those whose time is over; `now` is the loop's time in seconds."""
        limits = self.limits
        for connection, since in list(self._opening.items()):
            if now - since < limits.connect_seconds:
                break  # the later ones have more time left
            self._cut_off(connection, f"no CONNECT for {limits.connect_seconds:g} s")
        for connection, since in list(self._finishing.items()):
            if now - since < limits.last_seconds:
                break
            self._cut_off(connection, f"it has not closed for {limits.last_seconds:g} s")
        for connection, (since, received) in list(self._incomplete.items()):
            if now - since >= limits.frame_seconds:
                if connection.received - received < _PROGRESS:
                    self._cut_off(connection, f"a frame has been incomplete for {limits.frame_seconds:g} s")
                else:
                    self._incomplete[connection] = (now, connection.received)
        for connection, (since, unsent) in list(self._unread.items()):
            if now - since >= limits.unsent_seconds:
                if connection.unsent >= unsent:
                    self._cut_off(connection, f"it has not read what was sent for {limits.unsent_seconds:g} s")
                else:
                    self._unread[connection] = (now, connection.unsent)

    def _cut_off(self, connection: StompConnection, reason: str) -> None:
        self.timeouts += 1
        for waiting in (self._opening, self._incomplete, self._unread, self._finishing):
            waiting.pop(connection, None)
        connection.abort(reason)
