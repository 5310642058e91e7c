"""The ConnectionFactory: where every client begins (IConnectionFactoryRMI)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from rmimom.clock import Clock
from rmimom.commands import Connect
from rmimom.engine import Engine
from rmimom.errors import IllegalStateError, InvalidClientIDError, JMSError
from rmimom.listeners.rmi.call import current_call
from rmimom.listeners.rmi.objects.connection import ConnectionObject
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.rmi.exposure import expose

log = logging.getLogger(__name__)

CONNECTION_PREFIX = "rmimom.connection."
SILENT_HEARTBEATS = 3
"""A connection that was silent for so many heartbeats is closed: two may be lost to a busy machine."""


class Gate(Protocol):
    """Who may connect for messaging."""

    async def admit(self, user: str, password: str) -> None:
        """Raise JMSSecurityError unless the user may connect with this password."""
        ...


class ServerFacts(msgspec.Struct, frozen=True):
    """What a client is told of the server; `heartbeat` in seconds, `max_message_size` in bytes."""

    server: str
    server_id: str
    epoch: int
    max_message_size: int
    heartbeat: float


class ConnectionFactoryObject:
    """Makes connections, and closes those whose clients fell silent."""

    def __init__(
        self,
        engine: Engine,
        registry: ObjectRegistry,
        gate: Gate,
        clock: Clock,
        facts: ServerFacts,
        *,
        uri_for: Callable[[str], str],
        callback_timeout: float,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._gate = gate
        self._clock = clock
        self._facts = facts
        self._uri_for = uri_for
        self._callback_timeout = callback_timeout
        self._connections: dict[str, ConnectionObject] = {}
        self._loop = asyncio.get_running_loop()
        self._endings: set[asyncio.Task[None]] = set()
        self._watch = self._loop.call_later(facts.heartbeat, self._close_silent)

    @expose
    async def create_connection(
        self, user: str | None = None, password: str | None = None, options: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        """Connect (§6.1.1); options may hold `client_id`, and `replaces`: the connection that this one follows.

        The answer is described in docs/design/0003.  Raises JMSSecurityError or InvalidClientIDError.
        """
        options = dict(options or {})
        client_id = _text(options.pop("client_id", ""), "client_id")
        replaces = _text(options.pop("replaces", ""), "replaces")
        if options:
            raise IllegalStateError(f"unknown options {sorted(map(str, options))}; known are client_id and replaces")
        name = _text(user, "user")
        address = current_call().peer.address
        await self._gate.admit(name, _text(password, "password"))
        old = self._connections.get(replaces.removeprefix(CONNECTION_PREFIX))
        if old is not None:
            await old.end("its client connected anew")
        connection = secrets.token_hex(16)
        await self._engine.submit(Connect(connection, name, client_id))
        remote = ConnectionObject(
            self._engine,
            connection,
            user=name,
            address=f"{address[0]}:{address[1]}",
            since=self._clock.now(),
            callback_timeout=self._callback_timeout,
            on_close=self._closed,
        )
        self._connections[connection] = remote
        self._registry.register(CONNECTION_PREFIX + connection, remote)
        log.info("connection of %r from %s", name, address)
        facts = self._facts
        return {
            "connection": self._uri_for(CONNECTION_PREFIX + connection),
            "server": facts.server,
            "server_time": self._clock.now(),
            "server_id": facts.server_id,
            "epoch": facts.epoch,
            "max_message_size": facts.max_message_size,
            "heartbeat": facts.heartbeat,
        }

    def _closed(self, remote: ConnectionObject) -> None:
        if self._connections.pop(remote.connection, None) is not None:
            self._registry.unregister(CONNECTION_PREFIX + remote.connection)

    def _close_silent(self) -> None:
        limit = self._facts.heartbeat * SILENT_HEARTBEATS
        for remote in list(self._connections.values()):
            if remote.silent_for > limit:
                ending = self._loop.create_task(self._end(remote, f"silent for over {limit:g} seconds"))
                self._endings.add(ending)
                ending.add_done_callback(self._endings.discard)
        self._watch = self._loop.call_later(self._facts.heartbeat, self._close_silent)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def stop(self) -> None:
        """Close every connection."""
        self._watch.cancel()
        for remote in list(self._connections.values()):
            await self._end(remote, "the server stops")

    async def _end(self, remote: ConnectionObject, reason: str) -> None:
        try:
            await remote.end(reason)
        except JMSError as error:
            # An engine that can decide nothing any more cannot be told; the client is let go all the same.
            log.info("the end of connection %s… could not be decided: %s", remote.connection[:4], error)


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidClientIDError(f"{name} must be text, not {type(value).__name__}")
    return value
