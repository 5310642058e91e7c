"""One active server: its parts, the order in which they start, and the order in which they stop.

Start: data, then doors, then names.  Nobody can connect before everything is recovered, and nobody finds the server
before it can be connected to.  Stop goes the other way: names, doors, data.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar, cast

import msgspec

import rmimom
from rmimom.access import Access
from rmimom.admin_token import LOCAL_USER, Token, remove_token, write_token
from rmimom.clock import SystemClock
from rmimom.cluster.role import Epoch, Role
from rmimom.config import ServerConfig
from rmimom.core.broker import Broker
from rmimom.core.state import Rules
from rmimom.destination import ADMINISTRATION_NAME, FACTORY_NAME
from rmimom.effects import DestinationAdded, DestinationRemoved
from rmimom.engine import Engine
from rmimom.errors import ConfigurationError, JMSSecurityError, StoreError
from rmimom.listeners.registrar import Registrar, RegistrarStatistics
from rmimom.listeners.rmi.listener import RmiLimits, RmiListener
from rmimom.listeners.rmi.objects.assembly import RemoteObjects
from rmimom.listeners.rmi.objects.factory import ServerFacts
from rmimom.listeners.rmi.objects.login import Login
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.nameserver.embedded import EmbeddedNameServer
from rmimom.policy import Policies
from rmimom.rmi.exceptions import register_errors
from rmimom.server.identity import read_or_make_server_id
from rmimom.server.naming import embed_if_none_answers
from rmimom.server.pidfile import PidFile
from rmimom.snapshot import Position
from rmimom.store.base import Store, StoreStatistics
from rmimom.store.memory import MemoryStore
from rmimom.store.sqlite import SqliteStore

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_REGISTRATION: Final = 10.0
"""Seconds that a start waits for the name server before it says that everything is up."""
NAMES_AT_STOP: Final = 5.0
"""Seconds that a stop gives the name server."""
STEP_AT_STOP: Final = 30.0
"""Seconds that any step of a stop may take: a full disk, for example, may never have room for the last batch."""
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


class Server:
    """An active server with these settings.

    `failed` is done when it cannot go on, with the reason.  `first_password` is that of the administrator's account if
    this start made it.
    """

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.role = Role.ACTIVE
        self.server_id = ""
        self.recovered: Recovered | None = None
        self.first_password: str | None = None
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._clock = SystemClock()
        self._started = self._clock.now()
        self._pidfile = PidFile(config.pid_path)
        self._registry = ObjectRegistry()
        self._engine = Engine(
            Broker(
                Rules(
                    auto_create=config.auto_create,
                    max_message_size=config.max_message_size,
                    resident_bytes=config.resident_bytes,
                    recovery_grace=round(config.recovery_grace * 1000),
                    policies=Policies(config.redelivery),
                )
            ),
            self._make_store(),
            self._clock,
            free_bytes=self._free_bytes if config.store == "sqlite" else None,
            reserve=config.disk_reserve,
            on_failure=self._fail,
        )
        self._listener = RmiListener(
            self._registry,
            host=config.host,
            port=config.port,
            limits=RmiLimits(connections=config.max_connections, message_bytes=config.max_message_size + WIRE_OVERHEAD),
            authenticate=self._authenticate,
        )
        self._access: Access | None = None
        self._objects: RemoteObjects | None = None
        self._registrar: Registrar | None = None
        self.embedded: EmbeddedNameServer | None = None
        self._calling_back: asyncio.Task[None] | None = None
        self._engine_runs = False

    def _make_store(self) -> Store:
        return MemoryStore() if self.config.store == "memory" else SqliteStore(self.config.data)

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.config.data).free

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    async def start(self) -> None:
        """Recover, open the doors, register the names.

        Raises ConfigurationError (also for an address in use), the errors of `Store.open`, or OSError.  Call `stop`
        afterwards in any case.
        """
        register_errors()
        config = self.config
        await asyncio.to_thread(self._prepare_directory)
        before = self._loop_time()
        await self._engine.start(self._next_epoch)
        self._engine_runs = True
        await self._describe_recovery(self._loop_time() - before)
        await asyncio.to_thread(self._pidfile.acquire)
        token = secrets.token_urlsafe(32)
        local = await asyncio.to_thread(is_loopback, config.host)
        self._access = access = Access(self._engine, open=local, token=token)
        if not local and not access.has_messaging_users:
            raise ConfigurationError(
                f"the server has no users, so it does not listen on {config.host}, where others can reach it; "
                "start it with --host 127.0.0.1, add a user with `rmimom-admin user add NAME`, then start it again",
                host=config.host,
            )
        self._objects = RemoteObjects(
            self._engine,
            self._registry,
            access,
            self._clock,
            ServerFacts(
                server=f"rmimom/{rmimom.__version__}",
                server_id=self.server_id,
                epoch=self.epoch,
                max_message_size=config.max_message_size,
                heartbeat=config.heartbeat,
            ),
            uri_for=self.uri_for,
            facts=self.facts,
            callback_timeout=config.callback_timeout,
        )
        await self._listener.start()
        await asyncio.to_thread(
            write_token, config.data, Token(self.uri_for(ADMINISTRATION_NAME, reachable=True), LOCAL_USER, token)
        )
        await self._register_names()
        # Last of all: a start that fails must not take the password with it.
        self.first_password = await access.ensure_administrator()
        self._calling_back = asyncio.create_task(self._call_back())
        # What recovery made lives as long as the server: the collector need not look at it ever again.
        gc.collect()
        gc.freeze()

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

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()

    def _next_epoch(self, position: Position) -> Epoch:
        # Who was active before is not kept: the number alone tells the reigns apart.
        return Epoch(position.epoch, "").succeeded_by(self.server_id)

    async def _describe_recovery(self, seconds: float) -> None:
        broker = self._engine.broker.statistics()
        store = await self._engine.run_on_store(lambda store: store.statistics())
        assert isinstance(store, StoreStatistics)
        self.recovered = Recovered(
            messages=store.messages,
            queues=sum(1 for place in broker.destinations if place.kind == "queue"),
            topics=sum(1 for place in broker.destinations if place.kind == "topic"),
            subscriptions=len(broker.subscriptions),
            bytes_used=store.bytes_used,
            seconds=seconds,
        )

    async def _register_names(self) -> None:
        address = self.config.nameserver_address
        if address is None:
            return
        keep = self.config.data if self.config.store == "sqlite" else None
        self.embedded = await in_thread(lambda: embed_if_none_answers(address, keep))
        self._registrar = registrar = Registrar(address, self.location, self.server_id)
        registrar.add(self._engine.broker.state.places)
        self._engine.dispatch.watch_destinations(self._follow)
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

    async def _authenticate(self, peer: Peer, handshake: object) -> Login | None:
        """Who a proxy is.  Names and passwords count where rules ask for them; elsewhere anybody may say anything."""
        assert self._access is not None
        if not isinstance(handshake, Mapping) or not handshake.keys() & {"user", "password"}:
            return None
        if peer.object_id != ADMINISTRATION_NAME and not self._access.has_messaging_users:
            return None
        user, password = handshake.get("user"), handshake.get("password")
        if not isinstance(user, str) or not isinstance(password, str):
            raise JMSSecurityError('a login is {"user": ..., "password": ...}, both of them text')
        identity = await self._access.authenticate(user, password)
        return Login(identity.user, identity.administrator)

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Withdraw the names, end the calls under way, commit what was decided, close the store.

        `hurry` cuts short what waits for others.  Works from whatever `start` had reached; twice is harmless.
        """
        hurry = hurry or asyncio.Event()
        if self._calling_back is not None:
            self._calling_back.cancel()
        if self._registrar is not None:
            registrar, self._registrar = self._registrar, None
            await _attempt("withdraw the names", in_thread(lambda: registrar.stop(NAMES_AT_STOP)), hurry)
        if self._objects is not None:
            objects, self._objects = self._objects, None
            await _attempt("end the connections", objects.stop(), hurry)
        await _attempt("close the listener", self._listener.stop(), hurry)
        if self._engine_runs:
            self._engine_runs = False
            await _attempt("close the store", self._engine.stop(), hurry)
        if self._access is not None:
            self._access.close()
            self._access = None
            await _attempt("remove the token", asyncio.to_thread(remove_token, self.config.data))
        if self.embedded is not None:
            embedded, self.embedded = self.embedded, None
            await _attempt("stop the name server", asyncio.to_thread(embedded.close))
        self._pidfile.release()

    @property
    def epoch(self) -> int:
        """The number of the epoch in which this server is active."""
        return self._engine.epoch.number if self._engine.epoch else 0

    @property
    def port(self) -> int:
        """The port that is served."""
        return self._listener.port

    @property
    def location(self) -> str:
        """Host and port as clients are told them."""
        return _location(self.config.advertise or _reachable_name(self.config.host), self.port)

    def uri_for(self, object_id: str, *, reachable: bool = False) -> str:
        """The URI of one of our objects; `reachable`: from this machine itself."""
        location = self.location
        if reachable:
            host = self.config.host
            location = _location(_LOOPBACKS.get(host, host), self.port)
        return f"PYRO:{object_id}@{location}"

    def names(self) -> list[str]:
        """The names of all administered objects of ours, destinations by name."""
        places = [place.registered_name for place in self._engine.broker.state.places]
        return [FACTORY_NAME, ADMINISTRATION_NAME, *sorted(places)]

    def registration(self) -> RegistrarStatistics | None:
        """How the registration in the name server is, or None if there is none."""
        return self._registrar.statistics() if self._registrar is not None else None

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
            "address": self.location,
            "data": str(self.config.data),
            "store_kind": self.config.store,
            "started": self._started,
            "uptime": round((self._clock.now() - self._started) / 1000, 3),
            "nameserver": self.config.nameserver or None,
            "nameserver_embedded": self.embedded is not None,
            "registration": msgspec.to_builtins(registration) if registration else None,
            "listener": msgspec.to_builtins(self._listener.statistics()),
        }


_LOOPBACKS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`: all its addresses are loopback ones."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise ConfigurationError(f"the host {host!r} has no address: {error}", host=host) from error
    return all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found)


def _reachable_name(host: str) -> str:
    return socket.gethostname() if host in _LOOPBACKS else host


def _location(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do work that may wait for another machine in a thread of its own.

    Unlike those of `asyncio.to_thread`, it is not waited for when the process ends.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="rmimom-waits", daemon=True).start()
    return future


async def _attempt(what: str, work: Awaitable[object], hurry: asyncio.Event | None = None) -> None:
    """Do one step of the stop.

    It ends with the hurry or its time limit at the latest, and its failure keeps no other step from being done.
    """
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future((hurry or asyncio.Event()).wait())
    await asyncio.wait({task, waiting}, timeout=STEP_AT_STOP, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        log.warning("the stop could not wait any longer to %s", what)
        task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception as error:  # noqa: BLE001 - the other steps must be done all the same
        log.warning("the stop failed to %s: %s", what, error)
