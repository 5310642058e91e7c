"""Servers of a cluster with their coordinators, over real connections; only their engines and the name server are not
there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.coordination import A, B, batch, make_key
from support.loops import until, until_nothing_runs

from rmimom.cluster.configuration import Configuration
from rmimom.cluster.state import Phase
from rmimom.coordination import chain_reader, following
from rmimom.coordination.coordinator import CoordinationSettings, Coordinator
from rmimom.coordination.topic import COORDINATION_TOPIC, CoordinationTopic
from rmimom.destination import Topic
from rmimom.errors import ConnectionFailedError
from rmimom.follower import Follower
from rmimom.listeners.rmi.listener import RmiListener
from rmimom.listeners.rmi.peer import Peer
from rmimom.listeners.rmi.registry import ObjectRegistry
from rmimom.snapshot import Position
from rmimom.store.memory import MemoryStore


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the servers of a test ask and try again without long pauses."""
    monkeypatch.setattr(chain_reader, "SELDOM", 0.02)
    monkeypatch.setattr(chain_reader, "OFTEN", 0.02)
    monkeypatch.setattr(chain_reader, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(following, "LONGEST_PAUSE", 0.1)


class Names:
    """A name server for all servers of a test; those in `deaf` do not reach it."""

    def __init__(self) -> None:
        self.chain: dict[int, Configuration] = {}
        self.deaf: set[str] = set()

    @property
    def newest(self) -> Configuration:
        """The last configuration."""
        return self.chain[max(self.chain)]


class Witness:
    """One server's way to the name server."""

    def __init__(self, names: Names, server: str) -> None:
        self._names = names
        self._server = server

    def _check(self) -> None:
        if self._server in self._names.deaf:
            raise ConnectionFailedError("the name server is away")

    async def read(self) -> tuple[Configuration, ...]:
        self._check()
        return tuple(self._names.chain[number] for number in sorted(self._names.chain))

    async def register(self, configuration: Configuration) -> None:
        self._check()
        self._names.chain.setdefault(configuration.number, configuration)

    async def remove(self, configuration: Configuration) -> None:
        self._check()
        self._names.chain.pop(configuration.number, None)


class Roles:
    """What a server would do, written down; its store stays with the follower."""

    def __init__(self, store: MemoryStore) -> None:
        self.follower = Follower(store)
        self.changes: list[str] = []
        self.error: BaseException | None = None
        self.fails: Exception | None = None
        self.stopped = self.resumed = 0
        self.position: Callable[[], Position] = lambda: self.follower.position

    async def become_active(self, configuration: Configuration) -> None:
        if self.fails is not None:
            raise self.fails
        self.changes.append(f"active in {configuration.number}")

    async def step_down(self, why: str) -> None:
        assert why
        self.changes.append("steps down")
        # The engine wrote past it.
        await self.follower.stop()
        await self.follower.start()

    async def follow(self, configuration: Configuration) -> None:
        self.changes.append(f"follows {configuration.active[0]} in {configuration.number}")

    async def stop_deciding(self) -> Position:
        self.stopped += 1
        return self.position()

    def resume_deciding(self) -> None:
        self.resumed += 1

    def give_up(self, error: BaseException) -> None:
        self.error = error


class Server:
    """A server: a listener, a store in memory, a coordinator."""

    def __init__(self, directory: Path, server_id: str, names: Names, *, wait_for_lost: bool) -> None:
        self.id = server_id
        self.directory = directory / server_id
        self.directory.mkdir(exist_ok=True)
        self.roles = Roles(MemoryStore())
        self._names = names
        self._wait_for_lost = wait_for_lost
        self._key = make_key(directory)
        self._registry = ObjectRegistry()
        self._listener = RmiListener(self._registry, authenticate=self._authenticate)
        self.coordinator: Coordinator

    def _authenticate(self, _peer: Peer, handshake: object) -> object:
        return self._key.check(handshake) if isinstance(handshake, Mapping) else None

    async def start(self, *, may_begin: bool) -> None:
        await self.roles.follower.start()
        await self._listener.start()
        self.coordinator = Coordinator(
            CoordinationSettings("test", may_begin, self._wait_for_lost, 20.0, 0),
            self.id,
            lambda name: f"PYRO:{name}@127.0.0.1:{self._listener.port}",
            self._key,
            Witness(self._names, self.id),
            self.directory,
            self.roles,
        )
        self._registry.register(f"rmimom.server.{self.id}", self.coordinator.object)
        topic = Topic(COORDINATION_TOPIC).registered_name
        self._registry.register(topic, CoordinationTopic(self.coordinator.shipping))
        await self.coordinator.start()

    async def stop(self) -> None:
        """As a crash would, but for what Python wants to be closed."""
        await self.coordinator.stop()
        await self._listener.stop()
        await self.roles.follower.stop()

    @property
    def phase(self) -> Phase:
        return self.coordinator.state.phase

    @property
    def members(self) -> tuple[str, ...]:
        return self.coordinator.state.members

    def decide(self, sequence: int, epoch: int = 1) -> asyncio.Future[None] | None:
        """What the engine does with a batch: ship it, and put it on the disk; what has to be waited for."""
        one = batch(sequence, epoch)
        shipped = self.coordinator.shipping.offer(one)
        self.roles.follower.store.append(one)
        self.coordinator.shipping.stored(one)
        self.roles.position = lambda: Position(epoch, sequence, sequence + 1)
        return shipped

    def has(self) -> int:
        """The last batch in its store."""
        return self.roles.follower.store.load().position.sequence


class Scene:
    """A name server, and servers that are stopped at the end."""

    def __init__(self, directory: Path) -> None:
        self.names = Names()
        self.servers: list[Server] = []
        self._directory = directory

    async def server(self, server_id: str, *, may_begin: bool = False, wait_for_lost: bool = False) -> Server:
        server = Server(self._directory, server_id, self.names, wait_for_lost=wait_for_lost)
        self.servers.append(server)
        await server.start(may_begin=may_begin)
        return server

    async def pair(self, *, wait_for_lost: bool = False) -> tuple[Server, Server]:
        """An active, and a standby in sync."""
        first = await self.server(A, may_begin=True, wait_for_lost=wait_for_lost)
        await until(lambda: first.coordinator.serving is not None)
        second = await self.server(B)
        await until(lambda: first.members == second.members == (A, B))
        return first, second

    async def crash(self, server: Server) -> None:
        self.servers.remove(server)
        await server.stop()


@asynccontextmanager
async def scene(directory: Path) -> AsyncIterator[Scene]:
    made = Scene(directory)
    try:
        yield made
    finally:
        for server in list(made.servers):
            await made.crash(server)
        await until_nothing_runs()
