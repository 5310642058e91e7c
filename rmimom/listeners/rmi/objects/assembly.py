"""Puts the remote objects into the registry of the listener, and keeps them in step with the destinations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rmimom.clock import Clock
from rmimom.core.place import QueuePlace
from rmimom.destination import ADMINISTRATION_NAME, FACTORY_NAME, Destination, Queue
from rmimom.effects import DestinationAdded, DestinationRemoved
from rmimom.engine import Engine
from rmimom.errors import JMSError
from rmimom.listeners.rmi.objects.administration import Administration, Users
from rmimom.listeners.rmi.objects.destinations import Admission, BareClients, QueueProxy, TopicProxy
from rmimom.listeners.rmi.objects.factory import ConnectionFactoryObject, Gate, ServerFacts
from rmimom.listeners.rmi.registry import ObjectRegistry


class Access(Gate, Admission, Users, Protocol):
    """Everything that the remote objects ask about users."""


class RemoteObjects:
    """All remote objects of a server.

    `uri_for` makes the URI of an object id; `facts` gives what the assembly knows of the server, for administration.
    """

    def __init__(
        self,
        engine: Engine,
        registry: ObjectRegistry,
        access: Access,
        clock: Clock,
        server: ServerFacts,
        *,
        uri_for: Callable[[str], str],
        facts: Callable[[], dict[str, object]],
        callback_timeout: float,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._clients = BareClients(engine, clock, access, callback_timeout=callback_timeout)
        self.factory = ConnectionFactoryObject(
            engine, registry, access, clock, server, uri_for=uri_for, callback_timeout=callback_timeout
        )
        registry.register(FACTORY_NAME, self.factory)
        registry.register(ADMINISTRATION_NAME, Administration(engine, access, facts))
        for destination in engine.broker.state.places:
            self._add(destination)
        engine.dispatch.watch_destinations(self._follow)

    def _follow(self, change: DestinationAdded | DestinationRemoved) -> None:
        if isinstance(change, DestinationAdded):
            # It may have been decided before these objects were made, and be told only now that it is on disk.
            if change.destination.registered_name not in self._registry:
                self._add(change.destination)
        else:
            self._registry.unregister(change.destination.registered_name)

    def _add(self, destination: Destination) -> None:
        kind = QueueProxy if isinstance(destination, Queue) else TopicProxy
        self._registry.register(destination.registered_name, kind(destination, self._clients))

    async def call_back_known_subscribers(self) -> list[str]:
        """After a restart, call the bare subscribers that were online before; returns those that do not answer.

        They stay subscribed; what is sent waits until they say that they are online.
        """
        silent: list[str] = []
        for place in list(self._engine.broker.state.places.values()):
            if isinstance(place, QueuePlace):
                continue
            for subscription in list(place.subscriptions.values()):
                if subscription.callback and not subscription.active:
                    try:
                        await self._clients.put_online(
                            place.destination, subscription.owner, subscription.callback, subscription.name
                        )
                    except JMSError:
                        silent.append(f"{subscription.owner} on {place.destination}")
        return silent

    @property
    def bare_subscribers(self) -> int:
        """How many bare subscribers are online."""
        return self._clients.online

    async def stop(self) -> None:
        """Close every connection, let every subscriber go, and offer no objects any more."""
        self._clients.stop()
        for object_id in (FACTORY_NAME, ADMINISTRATION_NAME):
            self._registry.unregister(object_id)
        for destination in self._engine.broker.state.places:
            self._registry.unregister(destination.registered_name)
        await self.factory.stop()
