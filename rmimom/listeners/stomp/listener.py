"""The STOMP door of the server: accepts clients over TCP, TLS and WebSocket, in one event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ssl import SSLContext

import msgspec

from rmimom.clock import Clock
from rmimom.engine import Engine
from rmimom.listeners.door import Door, Patience
from rmimom.listeners.stomp.connection import StompConnection
from rmimom.listeners.stomp.websocket import WebSocketConnection
from rmimom.stomp.settings import Settings

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


class StompListener(Door[StompConnection]):
    """Serves STOMP from `start` to `stop`; to serve again, make another.

    `host` is a name or an address, `port` 0 lets the system choose; `ssl` makes it TLS.  With `websocket` the bytes
    come in WebSocket messages.  `name` is the setting to change if the address cannot be had.
    """

    protocol = "stomp"

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
        self.limits = limits = limits if limits is not None else StompLimits()
        self._admit = admit
        self._protocol: type[StompConnection] = WebSocketConnection if websocket else StompConnection
        patience = Patience(
            connections=limits.connections,
            greeting=limits.connect_seconds,
            frame=limits.frame_seconds,
            reading=limits.unsent_seconds,
            leaving=limits.last_seconds,
            draining=limits.drain_seconds,
            progress=1024,
            sweep=0.5,
        )
        advice = f"choose another address for STOMP with {name}, or do without it: --stomp off"
        super().__init__(host, port, ssl, patience, advice)
        self.incidents = engine.incidents

    def make_connection(self) -> StompConnection:
        """A connection for a client that comes in."""
        return self._protocol(self)

    def statistics(self) -> StompStatistics:
        """How the listener is."""
        return StompStatistics(
            connections=len(self._connections),
            subscriptions=sum(len(connection.session.subscriptions) for connection in self._connections),
            accepted=self.accepted,
            refused=self.refused,
            timeouts=self.timeouts,
        )

    async def admit(self, user: str, passcode: str) -> None:
        """Raise JMSSecurityError unless this user may come in."""
        await self._admit(user, passcode)
