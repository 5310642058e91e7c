"""The administration object, for programs with Pyro5 and `rmimom-server status`.

Every method asks for a login with an administrator's name and password, given as the handshake object of the proxy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from rmimom.commands import (
    CancelScheduled,
    CreateDestination,
    DeleteDestination,
    DeliverScheduled,
    Purge,
    RemoveUser,
    Retry,
)
from rmimom.core.state import SERVER
from rmimom.destination import KINDS, SYSTEM_PREFIX, Destination, Queue
from rmimom.engine import Engine
from rmimom.errors import InvalidDestinationError, JMSSecurityError, MessageFormatError
from rmimom.listeners.rmi.call import current_call
from rmimom.listeners.rmi.objects.login import login_of
from rmimom.rmi.exposure import expose
from rmimom.store.base import Store


class Users(Protocol):
    """The users of the server."""

    async def put(self, name: str, password: str) -> bool:
        """Add a user or change a password; True if the user is new."""
        ...

    def names(self) -> list[dict[str, object]]:
        """Every user as {"name": text, "administrator": bool}."""
        ...


class Administration:
    """Facts and orders, in plain data with stable names; `facts` gives what the assembly knows of the server."""

    def __init__(self, engine: Engine, users: Users, facts: Callable[[], dict[str, object]]) -> None:
        self._engine = engine
        self._users = users
        self._facts = facts

    @expose
    def status(self) -> Awaitable[dict[str, object]]:
        """The server as a whole: its facts, and the readings of core, engine and store."""
        _check_administrator()
        return self._status()

    async def _status(self) -> dict[str, object]:
        broker = self._engine.broker.statistics()
        store = await self._engine.run_on_store(_store_statistics)
        return {
            **self._facts(),
            "connections": broker.connections,
            "consumers": broker.consumers,
            "messages_in": broker.messages_in,
            "messages_out": broker.messages_out,
            "resident_bytes": broker.resident_bytes,
            "topics": sum(1 for destination in broker.destinations if destination.kind == "topic"),
            "queues": sum(1 for destination in broker.destinations if destination.kind == "queue"),
            "pending": sum(destination.pending for destination in broker.destinations),
            "engine": msgspec.to_builtins(self._engine.statistics()),
            "store": store,
        }

    @expose
    def topics(self) -> list[object]:
        """Every topic with its counters, by name."""
        return self._destinations("topic")

    @expose
    def queues(self) -> list[object]:
        """Every queue with its counters, by name."""
        return self._destinations("queue")

    def _destinations(self, kind: str) -> list[object]:
        _check_administrator()
        found = [entry for entry in self._engine.broker.statistics().destinations if entry.kind == kind]
        return [msgspec.to_builtins(entry) for entry in sorted(found, key=lambda entry: entry.name)]

    @expose
    def subscriptions(self) -> list[object]:
        """Every durable subscription with its counters, by client id and name."""
        _check_administrator()
        found = self._engine.broker.statistics().subscriptions
        return [msgspec.to_builtins(entry) for entry in sorted(found, key=lambda entry: (entry.client_id, entry.name))]

    @expose
    def create(self, kind: str, name: str) -> asyncio.Future[object]:
        """Create a queue or topic; the answer is False if it was there."""
        _check_administrator()
        return self._engine.submit(CreateDestination(SERVER, _destination(kind, name)))

    @expose
    def delete(self, kind: str, name: str) -> asyncio.Future[object]:
        """Delete a queue or topic that nobody consumes from, with all that waits there."""
        _check_administrator()
        return self._engine.submit(DeleteDestination(SERVER, _destination(kind, name)))

    @expose
    def purge(self, name: str) -> asyncio.Future[object]:
        """Empty a queue; the answer is the number of messages removed."""
        _check_administrator()
        return self._engine.submit(Purge(SERVER, _destination("queue", name)))

    @expose
    def dead_letters(self, name: str) -> list[dict[str, object]]:
        """The dead letters and expired messages in a queue, the oldest first; bodies are not among what is told."""
        _check_administrator()
        return [msgspec.to_builtins(letter) for letter in self._engine.broker.dead_letters(Queue(name))]

    @expose
    def retry(self, name: str, ids: Sequence[int] | None = None) -> asyncio.Future[object]:
        """Send dead letters of a queue back to where they came from: all, or those of `ids`; answers how many went."""
        _check_administrator()
        if ids is not None and not all(type(number) is int for number in ids):
            raise MessageFormatError("dead letters are known by whole numbers, as dead_letters() lists them")
        return self._engine.submit(Retry(SERVER, _destination("queue", name), None if ids is None else tuple(ids)))

    @expose
    def scheduled(self) -> list[dict[str, object]]:
        """Every scheduled message, what is due next first; bodies are not among what is told."""
        _check_administrator()
        return [msgspec.to_builtins(one) for one in self._engine.broker.scheduled()]

    @expose
    def cancel_scheduled(self, ids: Sequence[int] | None = None) -> asyncio.Future[object]:
        """Forget scheduled messages: all, or those of `ids`; answers how many there were."""
        _check_administrator()
        return self._engine.submit(CancelScheduled(SERVER, None if ids is None else _ids(ids)))

    @expose
    def deliver_scheduled(self, ids: Sequence[int]) -> asyncio.Future[object]:
        """Send scheduled messages now, whatever their time; answers how many there were."""
        _check_administrator()
        return self._engine.submit(DeliverScheduled(SERVER, _ids(ids)))

    @expose
    def users(self) -> list[dict[str, object]]:
        """The names of all users."""
        _check_administrator()
        return self._users.names()

    @expose
    def put_user(self, name: str, password: str) -> Awaitable[bool]:
        """Add a user or change a password; the answer is True if the user is new."""
        _check_administrator()
        return self._users.put(name, password)

    @expose
    def remove_user(self, name: str) -> asyncio.Future[object]:
        """Remove a user."""
        login = _check_administrator()
        if name == login:
            raise JMSSecurityError("an administrator cannot remove itself", user=name)
        return self._engine.submit(RemoveUser(SERVER, name))


def _check_administrator() -> str:
    login = login_of(current_call().peer)
    if login is None or not login.administrator:
        raise JMSSecurityError("administration needs the login of an administrator, as the handshake of the proxy")
    return login.user


def _ids(ids: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(ids, list | tuple) or not all(type(number) is int for number in ids):
        raise MessageFormatError("messages are known by a list of whole numbers, as scheduled() lists them")
    return tuple(ids)


def _destination(kind: str, name: str) -> Destination:
    made = KINDS.get(kind)
    if made is None or not isinstance(name, str):
        raise InvalidDestinationError(f"there are topics and queues, but no {kind!r}", kind=str(kind))
    if name.startswith(SYSTEM_PREFIX):
        # The core lets the connection of the server itself have them, and administrators act in its name.
        raise InvalidDestinationError(
            f"names that start with {SYSTEM_PREFIX!r} belong to the server; choose another name than {name!r}",
            kind=kind,
            name=name,
        )
    return made(name).checked()


def _store_statistics(store: Store) -> object:
    return msgspec.to_builtins(store.statistics())
