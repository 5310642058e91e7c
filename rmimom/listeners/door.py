"""A door of the server: sockets that are listened on, the connections that came in, and the time that each is given.

What the protocols have in common: a limit for all connections together, an orderly end, and a sweep that looks only at
those who are given time for something: to greet, to finish a frame, to read, to go.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from abc import ABC, abstractmethod
from ssl import SSLContext
from typing import ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from rmimom.errors import ConfigurationError
from rmimom.incidents import CUT_OFF, REFUSED, Incident, Incidents

_BACKLOG: Final = 1024
"""Clients may come all at once, after a failover for example."""
_REFUSALS: Final = 100
"""Connections over the limit that are told so; more are just closed."""
STOPS: Final = "the server stops"


class Visitor(Protocol):
    """A connection, as the door sees it: it is a protocol of asyncio."""

    @property
    def received(self) -> int:
        """Bytes that came so far."""
        ...

    @property
    def name(self) -> str:
        """How the core knows its client, empty if it does not."""
        ...

    @property
    def address(self) -> str:
        """Where it comes from."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes that wait for the other side to read."""
        ...

    def shut(self, reason: str) -> None:
        """End when what is under way is done."""
        ...

    def abort(self, reason: str) -> None:
        """End at once."""
        ...


C = TypeVar("C", bound=Visitor)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How many may come, and how long each may take for what, in seconds; the sweep comes every `sweep` seconds.

    `progress` are bytes of an incomplete frame that count as progress; a byte now and then does not.
    """

    connections: int
    greeting: float
    frame: float
    reading: float
    leaving: float
    draining: float
    progress: int
    sweep: float


class Door(ABC, Generic[C]):
    """Serves one port from `start` to `stop`; to serve again, make another.

    `host` is a name or an address; a name with several addresses is served on all of them, an empty one on all
    interfaces.  `port` 0 lets the system choose.  `advice` says what to change if the address cannot be had.
    What goes wrong with clients is reported to `incidents`.
    """

    protocol: ClassVar[str]

    def __init__(self, host: str, port: int, ssl: SSLContext | None, patience: Patience, advice: str) -> None:
        self._host = host
        self._port = port
        self._ssl = ssl
        self._patience = patience
        self._advice = advice
        self.incidents = Incidents()
        self._servers: list[asyncio.Server] = []
        self._connections: set[C] = set()
        # Who is given time for what, and since when: the sweep looks at these only.
        self._opening: dict[C, float] = {}
        self._incomplete: dict[C, tuple[float, int]] = {}
        self._unread: dict[C, tuple[float, int]] = {}
        self._finishing: dict[C, float] = {}
        self.loop: asyncio.AbstractEventLoop
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._stopping = False
        self.accepted = 0
        self.refused = 0
        self.timeouts = 0

    @abstractmethod
    def make_connection(self) -> asyncio.Protocol:
        """A connection for somebody who comes in."""

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
                        self.make_connection,
                        str(address),
                        port,
                        backlog=_BACKLOG,
                        ssl=self._ssl,
                        ssl_handshake_timeout=self._patience.greeting if self._ssl is not None else None,
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
                f"cannot listen on {self._host or '*'}:{self._port}: {error.strerror or error}; {self._advice}",
                host=self._host,
                port=self._port,
            ) from error
        self._sweeper = self.loop.call_later(self._patience.sweep, self._sweep_again)

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
        """Accept nobody more, let end what is under way, close everything.  Harmless twice."""
        self._stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        for connection in list(self._connections):
            connection.shut(STOPS)
        await self._wait_until_empty()
        for connection in list(self._connections):
            connection.abort(STOPS)
        await self._wait_until_empty()
        for server in servers:
            await server.wait_closed()

    async def _wait_until_empty(self) -> None:
        if not self._connections:
            return
        self._emptied = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._patience.draining):
                await self._emptied
        except TimeoutError:
            pass
        finally:
            self._emptied = None

    # What the connections tell.

    def connection_made(self, connection: C) -> str:
        """A connection is there; returns why it will be refused, or an empty text."""
        self.accepted += 1
        self._connections.add(connection)
        self._opening[connection] = self.loop.time()
        limit = self._patience.connections
        if self._stopping:
            connection.shut(STOPS)
        elif len(self._connections) > limit:
            refusal = f"too many connections: {limit} are allowed; close some, or raise max_connections on the server"
            self.incidents.report(Incident(REFUSED, refusal, self.protocol, connection.address))
            if len(self._connections) <= limit + _REFUSALS:
                return refusal
            self.refused += 1
            connection.abort("far too many connections")
        return ""

    def connection_lost(self, connection: C) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        self._forget(connection)
        if not self._connections and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def greeted(self, connection: C) -> None:
        """The greeting was accepted."""
        self._opening.pop(connection, None)

    def frame_incomplete(self, connection: C) -> None:
        """A frame has begun and its rest is awaited."""
        if connection not in self._incomplete:
            self._incomplete[connection] = (self.loop.time(), connection.received)

    def frame_complete(self, connection: C) -> None:
        """Nothing is awaited any more."""
        self._incomplete.pop(connection, None)

    def writing_paused(self, connection: C) -> None:
        """The other side does not read what we write."""
        self._unread[connection] = (self.loop.time(), connection.unsent)

    def writing_resumed(self, connection: C) -> None:
        """The other side reads again."""
        self._unread.pop(connection, None)

    def finishing(self, connection: C) -> None:
        """The connection is over; the other side has some time to read the last words and to go."""
        self._opening.pop(connection, None)
        self._incomplete.pop(connection, None)
        self._finishing.setdefault(connection, self.loop.time())

    # Time limits.

    def _sweep_again(self) -> None:
        self.sweep(self.loop.time())
        self._sweeper = self.loop.call_later(self._patience.sweep, self._sweep_again)

    def sweep(self, now: float) -> None:
        """Cut off those whose time is over; `now` is the loop's time in seconds."""
        patience = self._patience
        for waiting, seconds, reason in (
            (self._opening, patience.greeting, "it has not greeted"),
            (self._finishing, patience.leaving, "it has not read the end and closed"),
        ):
            for connection, since in list(waiting.items()):
                if now - since < seconds:
                    break  # the later ones have more time left
                self.cut_off(connection, f"{reason} for {seconds:g} s")
        for connection, (since, received) in list(self._incomplete.items()):
            if now - since >= patience.frame:
                if connection.received - received < patience.progress:
                    self.cut_off(connection, f"what it sends has been incomplete for {patience.frame:g} s")
                else:
                    self._incomplete[connection] = (now, connection.received)
        for connection, (since, unsent) in list(self._unread.items()):
            if now - since >= patience.reading:
                if connection.unsent >= unsent:
                    self.cut_off(connection, f"it has not read what was sent for {patience.reading:g} s")
                else:
                    self._unread[connection] = (now, connection.unsent)

    def cut_off(self, connection: C, reason: str) -> None:
        """End a connection at once because its client takes too much room or time."""
        self.timeouts += 1
        if connection.name:
            incident = Incident(CUT_OFF, reason, self.protocol, connection.address, connection.name)
            self.incidents.report(incident)
        self._forget(connection)
        connection.abort(reason)

    def _forget(self, connection: C) -> None:
        for waiting in (self._opening, self._incomplete, self._unread, self._finishing):
            waiting.pop(connection, None)
