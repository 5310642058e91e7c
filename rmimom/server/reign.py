"""A reign: the time in which this server is the active one, from the first command to the last.

Start: what the follower holds, then doors, then names.  Nobody can connect before everything is recovered, and nobody
finds the server before it can be connected to.  Stop goes the other way: names, doors, data.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import rmimom
from rmimom.access import Access
from rmimom.admin_token import LOCAL_USER, Token, write_token
from rmimom.clock import Clock
from rmimom.cluster.role import Epoch
from rmimom.config import ServerConfig
from rmimom.coordination.coordinator import Coordinator
from rmimom.coordination.topic import COORDINATION_TOPIC, CoordinationTopic
from rmimom.core.broker import Broker
from rmimom.core.state import Rules
from rmimom.destination import ADMINISTRATION_NAME, CLUSTER_NAME, FACTORY_NAME, Topic
from rmimom.effects import DestinationAdded, DestinationRemoved
from rmimom.engine import Engine
from rmimom.errors import ConfigurationError, JMSSecurityError
from rmimom.follower import Inheritance
from rmimom.listeners.registrar import Registrar, RegistrarStatistics
from rmimom.listeners.rmi.objects.assembly import RemoteObjects
from rmimom.listeners.rmi.objects.factory import ServerFacts
from rmimom.listeners.rmi.objects.login import Login
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.policy import Policies
from rmimom.server.advisories import Advisories
from rmimom.server.heart import Heart
from rmimom.server.place import Place, is_loopback
from rmimom.server.steps import attempt, in_thread
from rmimom.server.stomp import StompDoors, stomp_hosts
from rmimom.store.base import Store

log = logging.getLogger(__name__)

_COORDINATION: Final = Topic(COORDINATION_TOPIC)
_ALWAYS_ASKED: Final = {ADMINISTRATION_NAME, CLUSTER_NAME}
"""Objects that need a login whatever the rules for messaging are."""

FIRST_REGISTRATION: Final = 10.0
"""Seconds that a start waits for the name server before it says that everything is up."""
NAMES_AT_STOP: Final = 5.0
"""Seconds that a stop gives the name server."""


class Reign:
    """This server as the active one, in one epoch.

    `chain` is the word of the cluster's chain of configurations, empty without a cluster.
    `token` lets administrators on this machine in.
    `facts` gives what the assembly knows of the server; `on_failure` is called once if serving has to end.
    `http` is where the HTTP interface is served, empty for nowhere.
    `first_password` is that of the administrator's account if this start made it.
    """

    def __init__(
        self,
        config: ServerConfig,
        epoch: Epoch,
        chain: str,
        clock: Clock,
        store: Store,
        registry: ObjectRegistry,
        place: Place,
        *,
        token: str,
        facts: Callable[[], dict[str, object]],
        on_failure: Callable[[BaseException], None],
        coordinator: Coordinator | None,
        http: str = "",
    ) -> None:
        self.config = config
        self.epoch = epoch
        self.chain = chain
        self.first_password: str | None = None
        self._clock = clock
        self._registry = registry
        self._place = place
        self._token = token
        self._facts = facts
        self._http = http
        self._coordinator = coordinator
        self._heart: Heart | None = None
        self._advisories: Advisories | None = None
        self.engine = Engine(
            Broker(
                Rules(
                    auto_create=config.auto_create,
                    max_message_size=config.max_message_size,
                    resident_bytes=config.resident_bytes,
                    recovery_grace=round(config.recovery_grace * 1000),
                    policies=Policies(config.redelivery),
                    retentions=config.retention,
                )
            ),
            store,
            clock,
            epoch=epoch,
            replication=coordinator.shipping if coordinator is not None else None,
            free_bytes=self._free_bytes if config.store == "sqlite" else None,
            reserve=config.disk_reserve,
            on_failure=on_failure,
        )
        self.stomp = StompDoors(config, epoch, self.engine, clock)
        self.access: Access | None = None
        self._objects: RemoteObjects | None = None
        self._registrar: Registrar | None = None
        self._calling_back: asyncio.Task[None] | None = None
        self._engine_runs = False

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.config.data).free

    async def start(self, inheritance: Inheritance) -> None:
        """Recover, offer the objects, register the names.  Call `stop` afterwards in any case.

        Raises ConfigurationError.
        """
        config = self.config
        await self.engine.start(inheritance)
        del inheritance  # a follower's image has served, and may be large
        self._engine_runs = True
        self._advisories = Advisories(self.engine, self._clock)
        hosts = [config.host, *stomp_hosts(config)]
        local = await asyncio.to_thread(lambda: all(map(is_loopback, hosts)))
        key = self._coordinator.key.password if self._coordinator is not None else ""
        self.access = access = Access(self.engine, open=local, token=self._token, cluster_key=key)
        self._objects = RemoteObjects(
            self.engine,
            self._registry,
            access,
            self._clock,
            ServerFacts(
                server=f"rmimom/{rmimom.__version__}",
                server_id=self.epoch.server_id,
                epoch=self.epoch.number,
                max_message_size=config.max_message_size,
                heartbeat=config.heartbeat,
            ),
            uri_for=self._place.uri_for,
            facts=self._facts,
            callback_timeout=config.callback_timeout,
        )
        if self._coordinator is not None:
            self._registry.register(_COORDINATION.registered_name, CoordinationTopic(self._coordinator.shipping))
            self._heart = Heart(
                self.engine, self._clock, self.epoch, config.heartbeat_interval, self._place.http_for_others(self._http)
            )
        uri = self._place.uri_for(ADMINISTRATION_NAME, reachable=True)
        await asyncio.to_thread(write_token, config.data, Token(uri, LOCAL_USER, self._token, self._http))
        await self.stomp.start(access)
        await self._register_names()
        # Last of all: a start that fails must not take the password with it.
        self.first_password = await access.ensure_administrator()
        self._calling_back = asyncio.create_task(self._call_back())

    async def _register_names(self) -> None:
        address = self.config.nameserver_address
        if address is None:
            return
        self._registrar = registrar = Registrar(
            address, self._place.location, self.epoch.server_id, chain=self.chain, epoch=self.epoch.number
        )
        registrar.add([*self.engine.broker.state.places, *([_COORDINATION] if self._coordinator else [])])
        self.engine.dispatch.watch_destinations(self._follow)
        registrar.start()
        await in_thread(lambda: registrar.wait_settled(FIRST_REGISTRATION))
        if isinstance(registrar.trouble, ConfigurationError):
            raise registrar.trouble

    def _follow(self, change: DestinationAdded | DestinationRemoved) -> None:
        assert self._registrar is not None
        if isinstance(change, DestinationAdded):
            self._registrar.add([change.destination])
        else:
            self._registrar.remove(change.destination)

    async def _call_back(self) -> None:
        assert self._objects is not None
        silent = await self._objects.call_back_known_subscribers()
        for subscriber in silent:
            log.info("subscriber %s does not answer; its messages wait until it says that it is online", subscriber)

    async def authenticate(self, peer: Peer, handshake: object) -> Login | None:
        """Who a proxy is.  Names and passwords count where rules ask for them; elsewhere anybody may say anything."""
        if self.access is None or not isinstance(handshake, Mapping) or not handshake.keys() & {"user", "password"}:
            return None
        if peer.object_id not in _ALWAYS_ASKED and not self.access.has_messaging_users:
            return None
        user, password = handshake.get("user"), handshake.get("password")
        if not isinstance(user, str) or not isinstance(password, str):
            raise JMSSecurityError('a login is {"user": ..., "password": ...}, both of them text')
        identity = await self.access.authenticate(user, password)
        return Login(identity.user, identity.administrator)

    def names(self) -> list[str]:
        """The names of all administered objects of ours, destinations by name."""
        places = [place.registered_name for place in self.engine.broker.state.places if not place.is_system]
        return [FACTORY_NAME, ADMINISTRATION_NAME, *sorted(places)]

    def registration(self) -> RegistrarStatistics | None:
        """How the registration in the name server is, or None if there is none."""
        return self._registrar.statistics() if self._registrar is not None else None

    async def stop(
        self, hurry: asyncio.Event, close_doors: Callable[[], Awaitable[None]], *, abdicates: bool = False
    ) -> None:
        """Withdraw the names, end the calls under way, commit what was decided, close the store.

        `hurry` cuts short what waits for others, but whoever abdicates needs the store again.  Works from whatever
        `start` had reached; twice is harmless.
        """
        if self._calling_back is not None:
            self._calling_back.cancel()
        if self._registrar is not None:
            registrar, self._registrar = self._registrar, None
            await attempt("withdraw the names", in_thread(lambda: registrar.stop(NAMES_AT_STOP)), hurry)
        if self._advisories is not None:
            self._advisories.stop()
        if self._heart is not None:
            self._heart.stop()
            self._registry.unregister(_COORDINATION.registered_name)
        if self._objects is not None:
            objects, self._objects = self._objects, None
            await attempt("end the connections", objects.stop(), hurry)
        await attempt("close the STOMP listeners", self.stomp.stop(), hurry)
        await attempt("close the listener", close_doors(), hurry)
        if self._engine_runs:
            self._engine_runs = False
            await attempt("close the store", self.engine.stop(), None if abdicates else hurry)
        if self.access is not None:
            self.access.close()
            self.access = None

    async def abdicate(self, let_go: Callable[[], None]) -> None:
        """Stop because another server is active: the names are its own by now.

        The doors stay open, but `let_go` sends the clients away.
        """

        async def keep_the_doors() -> None:
            pass

        let_go()
        if self._registrar is not None:
            registrar, self._registrar = self._registrar, None
            in_thread(lambda: registrar.stop(NAMES_AT_STOP))  # not waited for: the name server may be slow
        hurry = asyncio.Event()
        if self.engine.is_paused:
            # After a switchover nothing is decided any more, so nobody's end is either.
            hurry.set()
        await self.stop(hurry, keep_the_doors, abdicates=True)
