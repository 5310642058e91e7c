"""The RMI door of the server: accepts stock Pyro5 proxies, thousands of them, in one event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from ssl import SSLContext

import msgspec

from rmimom.listeners.door import Door, Patience
from rmimom.listeners.rmi.connection import RmiConnection
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.rmi import wire

log = logging.getLogger(__name__)

Authenticate = Callable[[Peer, object], object]
"""Judges a handshake object: returns what becomes `Peer.user`, or an awaitable of it; raises JMSSecurityError."""


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


class RmiListener(Door[RmiConnection]):
    """Serves the objects of a registry on one port, from `start` to `stop`; to serve again, make another.

    `host` is a name or an address; a name with several addresses is served on all of them, an empty one on all
    interfaces.  `port` 0 lets the system choose.  `authenticate` judges handshakes; without it everybody is let in with
    the user None.
    """

    protocol = "rmi"

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
        self.limits = limits = limits if limits is not None else RmiLimits()
        self._authenticate = authenticate
        self.calls = 0
        self.failed_calls = 0
        self.protocol_errors = 0
        patience = Patience(
            connections=limits.connections,
            greeting=limits.handshake_seconds,
            frame=limits.frame_seconds,
            reading=limits.unsent_seconds,
            leaving=limits.frame_seconds,
            draining=limits.drain_seconds,
            progress=4096,
            sweep=1.0,
        )
        super().__init__(host, port, ssl, patience, "choose another host or port")

    def make_connection(self) -> RmiConnection:
        """A connection for a proxy that comes in."""
        return RmiConnection(self)

    def let_go(self, keep: Callable[[Peer], bool], reason: str) -> None:
        """Cut off every connection but those whose peers are to be kept; calls under way are not answered."""
        for connection in list(self._connections):
            if not keep(connection.peer):
                connection.abort(reason)

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
