"""One server: what it is made of, whatever its role, and in which order that starts and stops."""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import os
import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

import rmimom
from rmimom.admin_token import LOCAL_USER, Token, read_token, remove_token, write_token
from rmimom.clock import SystemClock
from rmimom.cluster.configuration import Configuration
from rmimom.cluster.role import Epoch, Role
from rmimom.cluster.state import Phase
from rmimom.config import ServerConfig
from rmimom.coordination.administration import ClusterAdministration
from rmimom.coordination.control import ClusterControl
from rmimom.coordination.coordinator import CoordinationSettings, Coordinator
from rmimom.coordination.key import ClusterKey, ServerLogin
from rmimom.coordination.orders import Orders
from rmimom.coordination.standby import SERVER_PREFIX
from rmimom.coordination.witness import Witness
from rmimom.destination import ADMINISTRATION_NAME, CLUSTER_NAME
from rmimom.engine import UPKEEP
from rmimom.errors import ConfigurationError, JMSSecurityError, StoreError, StoreFullError
from rmimom.follower import Follower
from rmimom.listeners.registrar import RegistrarStatistics
from rmimom.listeners.rmi.listener import RmiLimits, RmiListener
from rmimom.listeners.rmi.objects.login import Login
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.nameserver.embedded import EmbeddedNameServer
from rmimom.replication import NotActiveError
from rmimom.rmi.exceptions import register_errors
from rmimom.server.http import View, make_listener
from rmimom.server.identity import read_or_make_server_id
from rmimom.server.naming import embed_if_none_answers
from rmimom.server.pidfile import PidFile
from rmimom.server.place import Place, is_loopback
from rmimom.server.pulse import Pulse
from rmimom.server.reign import Reign
from rmimom.server.steps import attempt, in_thread
from rmimom.server.stomp import stomp_hosts
from rmimom.snapshot import Position
from rmimom.store.base import Store, StoreStatistics
from rmimom.store.memory import MemoryStore
from rmimom.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

WIRE_OVERHEAD: Final = 1024 * 1024
"""Bytes that a request may be larger than the largest message in it."""


class Recovered(msgspec.Struct, frozen=True):
    """What a start found in the store, and how long that took in seconds; `bytes_used` on disk."""

    messages: int
    queues: int
    topics: int
    subscriptions: int
    bytes_used: int
    seconds: float


def _stays(peer: Peer) -> bool:
    """Whether a connection goes on when the server serves clients no more."""
    return peer.object_id == CLUSTER_NAME or isinstance(peer.user, ServerLogin)


class Server:
    """A server with these settings, which is to become active or to follow the one that is.

    `failed` is done when it cannot go on, with the reason.
    """

    def __init__(self, config: ServerConfig, role: Role = Role.ACTIVE) -> None:
        self.config = config
        self.role = role
        self.server_id = ""
        self.recovered: Recovered | None = None
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.embedded: EmbeddedNameServer | None = None
        self.reign: Reign | None = None
        self.coordinator: Coordinator | None = None
        self._clock = SystemClock()
        self._started = self._clock.now()
        self._pidfile = PidFile(config.pid_path)
        self.follower = Follower(self._make_store())
        self._placed = asyncio.Event()
        """Set once this server is active, or follows the one that is."""
        self._pulse: Pulse | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._token = secrets.token_urlsafe(32)
        self._registry = ObjectRegistry()
        cluster = ClusterControl(lambda: self.coordinator, self.facts)
        self._registry.register(CLUSTER_NAME, ClusterAdministration(cluster))
        self._view = View(
            config,
            self._clock,
            self.follower,
            reign=lambda: self.reign,
            facts=self.facts,
            active=self._active_location,
            active_http=self._active_http,
            token=self._token,
            cluster=cluster,
        )
        self.http = make_listener(self._view)
        self._listener = RmiListener(
            self._registry,
            host=config.host,
            port=config.port,
            limits=RmiLimits(connections=config.max_connections, message_bytes=config.max_message_size + WIRE_OVERHEAD),
            authenticate=self._authenticate,
        )

    def _make_store(self) -> Store:
        return MemoryStore() if self.config.store == "memory" else SqliteStore(self.config.data)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    def _engine_failed(self, error: BaseException) -> None:
        # An engine that may not go on because another server is active ends with its reign, the server does not.
        if not isinstance(error, NotActiveError):
            self._fail(error)

    async def start(self) -> None:
        """Open the store and the doors, and serve or follow.

        Raises ConfigurationError (also for an address in use, or if another server of the cluster is active), the
        errors of `Store.open`, or OSError.  Call `stop` afterwards in any case.
        """
        register_errors()
        await asyncio.to_thread(self._prepare_directory)
        before = asyncio.get_running_loop().time()
        await self.follower.start()
        await asyncio.to_thread(self._pidfile.acquire)
        if self.role is Role.ACTIVE:
            await self._check_exposure()
        await self._find_name_server()
        await self._listener.start()
        if self.http is not None:
            await self.http.open()
        if self.config.nameserver_address is None:
            if self.role is Role.STANDBY:
                raise ConfigurationError(
                    "a standby finds the active server through the name server; say where it is with --nameserver"
                )
            await self._reign(Epoch(self.follower.position.epoch, "").succeeded_by(self.server_id), "")
        else:
            await self._take_part(self.config.nameserver_address)
        if self.http is not None:
            self.http.start()
        if self.role is Role.ACTIVE:
            await self._describe_recovery(asyncio.get_running_loop().time() - before)

    async def _take_part(self, nameserver: tuple[str, int]) -> None:
        """Take part in the cluster; returns when this server is active, or follows."""
        config = self.config
        key = await asyncio.to_thread(ClusterKey, config.cluster_key_path)
        self.coordinator = Coordinator(
            CoordinationSettings(
                cluster=config.cluster,
                may_begin=self.role is Role.ACTIVE,
                wait_for_lost=config.on_lost_standby == "wait",
                standby_timeout=config.standby_timeout,
                reserve=config.disk_reserve,
            ),
            self.server_id,
            self.place.uri_for,
            key,
            Witness(nameserver, config.cluster),
            config.data,
            self,
        )
        self._registry.register(SERVER_PREFIX + self.server_id, self.coordinator.object)
        self._upkeep = asyncio.create_task(self._maintain())
        wanted = self.role
        self.role = Role.STANDBY
        await self.coordinator.start()
        # A server that does not serve clients can be asked for its place in the cluster, and be promoted.
        uri = self.place.uri_for(ADMINISTRATION_NAME, reachable=True)
        await asyncio.to_thread(write_token, config.data, Token(uri, LOCAL_USER, self._token, self._http_location))
        if wanted is Role.ACTIVE:
            placed = asyncio.ensure_future(self._placed.wait())
            ends: set[asyncio.Future[Any]] = {placed, self.failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            placed.cancel()
            if self.failed.done():
                raise self.failed.result()
            if self.reign is None:
                log.warning(
                    "the active server is at %s: this one was active before, and stands by now", self._active_location()
                )

    def _prepare_directory(self) -> None:
        directory = self.config.data
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.server_id = read_or_make_server_id(directory)
        except OSError as error:
            raise StoreError(
                f"the data directory {directory} cannot be used: {error.strerror}; choose another with --data, or make "
                "it writable for the account that runs the server",
                path=str(directory),
            ) from error

    async def _check_exposure(self) -> None:
        """A server without users is for this machine only; later ones are checked by `Access`."""
        hosts = [self.config.host, *stomp_hosts(self.config)]
        host = await asyncio.to_thread(lambda: next((host for host in hosts if not is_loopback(host)), None))
        if host is None:
            return
        if all(user.administrator for user in await self.follower.users()):
            raise ConfigurationError(
                f"the server has no users, so it does not listen on {host}, where others can reach it; "
                "start it with --host 127.0.0.1, add a user with `rmimom-admin user add NAME`, then start it again",
                host=host,
            )

    async def _find_name_server(self) -> None:
        address = self.config.nameserver_address
        if address is not None:
            keep = self.config.data if self.config.store == "sqlite" else None
            self.embedded = await in_thread(lambda: embed_if_none_answers(address, keep))

    async def _reign(self, epoch: Epoch, chain: str) -> None:
        self.reign = Reign(
            self.config,
            epoch,
            chain,
            self._clock,
            self.follower.store,
            self._registry,
            self.place,
            token=self._token,
            facts=self.facts,
            on_failure=self._engine_failed,
            coordinator=self.coordinator,
            http=self._http_location,
        )
        self._listener.incidents = self.reign.engine.incidents
        await self.reign.start(await self.follower.hand_over())
        self.role = Role.ACTIVE
        self._placed.set()

    async def _maintain(self) -> None:
        """While another server is active nobody else sees to the upkeep of the store."""
        while True:
            await asyncio.sleep(UPKEEP)
            try:
                while self.follower.running and await self.follower.maintain():
                    pass
            except StoreFullError as error:
                log.warning("upkeep of the store waits for room on disk: %s", error)
            except StoreError as error:
                self._fail(error)
                return

    # What the coordinator asks for (see `rmimom.coordination.roles.Roles`).

    async def become_active(self, configuration: Configuration) -> None:
        """Serve clients in a new epoch."""
        self._stop_listening()
        await self._reign(Epoch(configuration.epoch, self.server_id), configuration.chain)

    async def step_down(self, why: str) -> None:
        """Serve no more: clients are let go, and the log is followed again."""
        self.role = Role.STANDBY
        if self.reign is not None:
            reign, self.reign = self.reign, None
            await reign.abdicate(lambda: self._listener.let_go(_stays, f"this server is not active any more: {why}"))
            # Its state refers to itself in circles, and the image that is read now needs the room.  It was not frozen
            # before: CPython 3.11 crashed here when it was, at an object that another thread had used meanwhile.
            del reign
            gc.collect()
        await self.follower.start()

    async def follow(self, configuration: Configuration) -> None:
        """Listen to the heartbeat of the server that is active."""
        self._stop_listening()
        assert self.coordinator is not None
        password = self.coordinator.key.password
        self._pulse = Pulse(configuration, password, self.config.heartbeat_interval, self.coordinator)
        if self.coordinator.state.phase is Phase.FOLLOWING:
            self._placed.set()

    def _stop_listening(self) -> None:
        if self._pulse is not None:
            self._pulse.stop()
            self._pulse = None

    async def stop_deciding(self) -> Position:
        """Let commands wait."""
        assert self.reign is not None
        return await self.reign.engine.pause()

    def resume_deciding(self) -> None:
        """Decide what has waited, and go on."""
        if self.reign is not None:
            self.reign.engine.resume()

    def give_up(self, error: BaseException) -> None:
        """This server cannot go on in its cluster."""
        self._fail(error)

    async def _describe_recovery(self, seconds: float) -> None:
        assert self.reign is not None
        broker = self.reign.engine.broker.statistics()
        store = await self.reign.engine.run_on_store(lambda store: store.statistics())
        assert isinstance(store, StoreStatistics)
        self.recovered = Recovered(
            messages=store.messages,
            queues=sum(1 for place in broker.destinations if place.kind == "queue"),
            topics=sum(1 for place in broker.destinations if place.kind == "topic"),
            subscriptions=len(broker.subscriptions),
            bytes_used=store.bytes_used,
            seconds=seconds,
        )

    async def _authenticate(self, peer: Peer, handshake: object) -> object:
        if self.coordinator is not None and isinstance(handshake, Mapping) and "cluster_key" in handshake:
            return self.coordinator.key.check(handshake)
        if peer.object_id == CLUSTER_NAME and isinstance(handshake, Mapping) and handshake.get("user") == LOCAL_USER:
            return self._check_token(handshake.get("password"))
        if self.reign is not None:
            return await self.reign.authenticate(peer, handshake)
        if peer.object_id == CLUSTER_NAME:
            raise JMSSecurityError(
                "this server is not active, so it knows no users; ask it on its own machine, with --data and its data "
                "directory"
            )
        return None

    def _check_token(self, password: object) -> Login:
        """The same in both roles, and in between."""
        if not isinstance(password, str) or not hmac.compare_digest(
            password.encode("utf-8", "replace"), self._token.encode()
        ):
            raise JMSSecurityError("this is not the token in the server's data directory")
        return Login(LOCAL_USER, administrator=True)

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """End everything in order; `hurry` cuts short what waits for others.

        Works from whatever `start` had reached; twice is harmless.
        """
        hurry = hurry or asyncio.Event()
        if self.reign is not None and self.coordinator is not None:
            await attempt("hand over", self._leave_to_a_standby(self.coordinator.orders), hurry)
        self._stop_listening()
        if self._upkeep is not None:
            self._upkeep.cancel()
        if self.http is not None:
            await attempt("close the HTTP interface", self.http.stop(), hurry)
        self._view.close()
        if self.reign is not None:
            await self.reign.stop(hurry, self._listener.stop)
        if self.coordinator is not None:
            await attempt("leave the cluster", self.coordinator.stop(), hurry)
        await attempt("close the listener", self._listener.stop(), hurry)
        await attempt("close the store", self.follower.stop(), hurry)
        await attempt("remove the token", asyncio.to_thread(self._remove_token))
        if self.embedded is not None:
            embedded, self.embedded = self.embedded, None
            await attempt("stop the name server", asyncio.to_thread(embedded.close))
        self._pidfile.release()

    async def _leave_to_a_standby(self, orders: Orders) -> None:
        """A standby in sync goes on in our place before we stop, so that clients are served all the time."""
        if self.embedded is not None and orders.heirs:
            log.warning("the name server ends with this server, so it does not hand over: nobody would find the other")
            return
        timeout = self.config.handover_timeout
        if timeout == 0 or self.failed.done():
            return
        try:
            async with asyncio.timeout(timeout):
                if await orders.leave():
                    log.info("handed over")
        except TimeoutError:
            log.warning("no standby took over within %g s; this server stops all the same", timeout)

    def _remove_token(self) -> None:
        token = read_token(self.config.data)
        if token is not None and token.password == self._token:
            remove_token(self.config.data)

    @property
    def epoch(self) -> int:
        """The number of the epoch in which this server is active, 0 if it is not."""
        return self.reign.epoch.number if self.reign is not None else 0

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._listener.port

    @property
    def place(self) -> Place:
        """Where the server is."""
        return Place(self.config, self.port)

    def stomp_ports(self) -> dict[str, int]:
        """The ports on which STOMP is served, by setting; only an active server has some."""
        return self.reign.stomp.ports() if self.reign is not None else {}

    def stomp_addresses(self) -> list[tuple[str, str, int]]:
        """Where STOMP is served: title, host and port."""
        return self.reign.stomp.addresses() if self.reign is not None else []

    @property
    def _http_location(self) -> str:
        return self.http.location if self.http is not None else ""

    def _active_location(self) -> str:
        """Where the active server of the cluster is, as far as is known."""
        if self.reign is not None:
            return self.place.location
        held = self.coordinator.state.held if self.coordinator is not None else None
        uri = dict(held.addresses).get(held.active, "") if held is not None else ""
        return uri.rpartition("@")[2]

    def _active_http(self) -> str:
        """Where the active server serves HTTP for others, as far as is known."""
        if self.reign is not None:
            return self.place.http_for_others(self._http_location)
        return self._pulse.http if self._pulse is not None else ""

    def registration(self) -> RegistrarStatistics | None:
        """How the registration in the name server is, or None if there is none."""
        return self.reign.registration() if self.reign is not None else None

    def facts(self) -> dict[str, object]:
        """What administration and scripts are told of this server."""
        registration = self.registration()
        return {
            "version": rmimom.__version__,
            "role": self.role.value,
            "cluster": self.config.cluster,
            "server_id": self.server_id,
            "epoch": self.epoch,
            "pid": os.getpid(),
            "address": self.place.location,
            "data": str(self.config.data),
            "store_kind": self.config.store,
            "started": self._started,
            "uptime": round((self._clock.now() - self._started) / 1000, 3),
            "nameserver": self.config.nameserver or None,
            "nameserver_embedded": self.embedded is not None,
            "registration": msgspec.to_builtins(registration) if registration else None,
            "listener": msgspec.to_builtins(self._listener.statistics()),
            "http": self._http_location or None,
            "stomp": self.reign.stomp.facts() if self.reign is not None else {},
            "coordination": msgspec.to_builtins(self.coordinator.statistics()) if self.coordinator else None,
        }
