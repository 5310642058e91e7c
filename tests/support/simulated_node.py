"""A server of a simulated cluster: the real coordinator, follower, engine and core in a process that can be killed.

It does what `rmimom.server.service` and `rmimom.server.reign` do; in place of sockets, disk, clock and name server
there are those of the world.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from support.simulated_names import SimulatedWitness
from support.simulated_network import CLIENTS
from support.simulated_processes import Process
from support.watched import WatchedEngine, WatchedStore
from support.world import DiskThread, Link, LostError

from rmimom.cluster.configuration import Configuration
from rmimom.cluster.role import Epoch
from rmimom.commands import Command
from rmimom.coordination.coordinator import CoordinationSettings, Coordinator
from rmimom.coordination.shipping import Shipping
from rmimom.coordination.standby import SERVER_PREFIX
from rmimom.coordination.topic import COORDINATION_TOPIC, CoordinationTopic
from rmimom.core.broker import Broker
from rmimom.destination import Topic
from rmimom.errors import ConnectionFailedError, StoreError, StoreFullError
from rmimom.follower import Follower
from rmimom.frame import Delivered
from rmimom.phi import Rhythm, Suspicion, SuspicionLevel
from rmimom.replication import NotActiveError
from rmimom.server.pulse import FAILED, PAUSE
from rmimom.snapshot import Position
from rmimom_chaos.history import INFO

if TYPE_CHECKING:
    from support.cluster_world import ClusterWorld

T = TypeVar("T")

BEAT = 0.1
"""Seconds between two heartbeats."""
_QUICK = (0.0, 0.0002, 0.001, 0.02)
_SLOW = (0.05, 0.4, 1.5)


class NodeClock:
    """The clock of one machine, which may be wrong by `offset` milliseconds."""

    def __init__(self, world: ClusterWorld) -> None:
        self._world = world
        self.offset = 0

    def now(self) -> int:
        """Milliseconds since 1970 UTC, as far as the machine knows."""
        return self._world.loop.now() + self.offset


class NodeThread(DiskThread):
    """A disk that is as quick as its node."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.world)
        self._node = node

    def run(self, function: Callable[[], T], *, small: bool = False) -> asyncio.Future[T]:
        """See the disk of a world."""
        self.delays = _SLOW if self._node.slow else _QUICK
        return super().run(function, small=small)


class Reign:
    """The time in which a node is active, as its clients see it."""

    def __init__(self, node: Node, configuration: Configuration) -> None:
        assert node.process is not None
        self.node = node
        self.world = node.world
        self.process = node.process
        self.thread = NodeThread(node)  # its links ask it whether the server is dead
        self.links: dict[str, Link] = {}
        self.epoch = configuration.epoch
        self.engine = WatchedEngine(
            node.world.watch,
            node.name,
            Broker(node.world.rules),
            node.store,
            node.clock,
            epoch=Epoch(configuration.epoch, node.name),
            replication=node.coordinator.shipping,
            on_failure=node.engine_failed,
        )

    def link(self, name: str, deliver: Callable[[list[Delivered], int], None]) -> Link:
        """Let a client in."""
        return NodeLink(self, name, deliver)

    def end(self) -> None:
        """Send all clients away."""
        self.thread.dead = True
        for link in list(self.links.values()):
            link.tear()


class NodeLink(Link):
    """A client's connection to a node, by the network of the world."""

    server: Reign  # type: ignore[assignment]  # it has what a link needs of a server

    def __init__(self, server: Reign, name: str, deliver: Callable[[list[Delivered], int], None]) -> None:
        super().__init__(server, name, deliver)  # type: ignore[arg-type]
        self._network = server.node.world.network

    async def call(self, command: Command) -> object:
        """Ask the server, not for ever."""
        try:
            async with asyncio.timeout(self.server.node.world.plan.patience):
                return await super().call(command)
        except StoreFullError:
            raise
        except (TimeoutError, NotActiveError, ConnectionFailedError, StoreError):
            self.tear(noticed_after=self.world.chance.choice((0.0, 0.3)))
            raise LostError from None

    def _travel(self, way: str, arrive: Callable[..., None], *load: object) -> None:
        world, node, process = self.server.node.world, self.server.node.name, self.server.process
        when = max(world.loop.time() + self._latency, self._last[way] + 1e-6)
        self._last[way] = when
        if way == "to the server":
            world.network.travel(CLIENTS, node, lambda: process.soon(arrive, *load), when)
        else:
            world.network.travel(node, CLIENTS, lambda: arrive(*load), when)

    def deliver(self, deliveries: list[Delivered]) -> None:
        """Take messages; they count as told when the standbys were asked, for later these may have another active."""
        self._travel("deliveries", self._arrived, deliveries, self.server.engine.asked_at)

    def end(self) -> None:
        """The server notices, if it lives."""
        self.server.process.soon(super().end)


class Node:
    """One server, with a disk that outlives its processes; `first` is the one that may make configuration 1."""

    def __init__(self, world: ClusterWorld, name: str, directory: Path, *, first: bool) -> None:
        self.world = world
        self.name = name
        self.first = first
        self.store = WatchedStore(world.watch, name)
        self.clock = NodeClock(world)
        self.slow = 0
        """How many reasons there are for its disk to be slow."""
        self.process: Process | None = None
        self.objects: dict[str, object] = {}
        self.follower: Follower
        self.coordinator: Coordinator
        self.ready = False
        self.reign: Reign | None = None
        self._directory = directory
        directory.mkdir()
        self._pulse: Pulse | None = None
        self._heart: asyncio.Task[None] | None = None

    # What the world does.

    def boot(self) -> None:
        """Start a process."""
        assert self.process is None
        self.process = Process(self.world.loop, self.name)
        self.process.begin(self._main)

    def kill(self) -> None:
        """End the process at once: what is on its disk is all that is left."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        self.close_files()
        self.ready = False
        self.objects = {}
        self._end_reign()
        self.store.close()
        self._pulse = None
        self.world.network.break_connections(process)

    def close_files(self) -> None:
        """What the system does for a process that has ended."""
        if self.ready:
            coordinator = self.coordinator
            if coordinator.object._copy is not None:
                coordinator.object._copy.close()
            for link in coordinator.shipping._links.values():
                link._backlog.close()

    async def _main(self) -> None:
        world = self.world
        self.follower = Follower(self.store, lambda: NodeThread(self))
        await self.follower.start()
        self.coordinator = Coordinator(
            CoordinationSettings(
                cluster=world.names.cluster,
                may_begin=self.first,
                wait_for_lost=world.plan.wait_for_lost,
                standby_timeout=world.plan.standby_timeout,
                reserve=0,
            ),
            self.name,
            lambda object_id: world.network.uri_for(self.name, object_id),
            world.network.key,
            SimulatedWitness(world.names),  # type: ignore[arg-type]
            self._directory,
            self,
        )
        self._count_joins(self.coordinator.shipping)
        self.objects[SERVER_PREFIX + self.name] = self.coordinator.object
        await self.coordinator.start()
        self.ready = True

    def _count_joins(self, shipping: Shipping) -> None:
        caught_up = shipping.caught_up

        def count(link: Any) -> None:
            self.world.counted["joined by a copy" if link.statistics().to_copy else "joined by the log"] += 1
            caught_up(link)

        shipping.caught_up = count  # type: ignore[method-assign]

    # What the engine and the coordinator ask for (see `rmimom.server.service`).

    def engine_failed(self, error: BaseException) -> None:
        """An engine that may not go on because another server is active ends with its reign."""
        if not isinstance(error, NotActiveError):
            self.world.failures.append(error)

    async def become_active(self, configuration: Configuration) -> None:
        """Serve clients."""
        self._stop_listening()
        self.world.watch.owns(configuration.epoch, self.name)
        reign = Reign(self, configuration)
        await reign.engine.start(await self.follower.hand_over())
        self.objects[Topic(COORDINATION_TOPIC).registered_name] = CoordinationTopic(self.coordinator.shipping)
        self._heart = asyncio.create_task(self._beat())
        self.world.note(self.name, INFO, "fault", value="crash")  # of the one before, as far as messages are concerned
        self.reign = reign
        self.world.begun(reign)

    async def step_down(self, why: str) -> None:
        """Serve no more."""
        del why
        self.objects.pop(Topic(COORDINATION_TOPIC).registered_name, None)
        if self._heart is not None:
            self._heart.cancel()
        reign = self._end_reign()
        if reign is not None:
            await reign.engine.stop()
        await self.follower.start()

    def _end_reign(self) -> Reign | None:
        reign, self.reign = self.reign, None
        if reign is not None:
            reign.end()
            self.world.note(self.name, INFO, "fault", value="crash")
            self.world.ended(reign)
        return reign

    async def follow(self, configuration: Configuration) -> None:
        """Feel the pulse of the active."""
        self._stop_listening()
        self._pulse = Pulse(self, configuration.active)

    def _stop_listening(self) -> None:
        if self._pulse is not None:
            self._pulse.stop()
            self._pulse = None

    async def stop_deciding(self) -> Position:
        """Let commands wait."""
        assert self.reign is not None
        return await self.reign.engine.pause()

    def resume_deciding(self) -> None:
        """Go on."""
        if self.reign is not None:
            self.reign.engine.resume()

    def give_up(self, error: BaseException) -> None:
        """No server of this world has a reason to."""
        self.world.failures.append(AssertionError(f"{self.name[:1]} gives up: {error}"))

    # Heartbeat.

    async def _beat(self) -> None:
        network = self.world.network
        while True:
            for other in self.world.nodes:
                if other is not self:
                    network.tell(self.name, other.name, lambda other=other: other.hear(self.name))  # type: ignore[misc]
            await asyncio.sleep(BEAT)

    def hear(self, active: str) -> None:
        """A beat arrived."""
        if self.process is not None:
            self.process.soon(self._heard, active)

    def _heard(self, active: str) -> None:
        if self._pulse is not None:
            self._pulse.beat(active)


class Pulse:
    """How a node that follows feels the pulse of the active, as `rmimom.server.pulse` does."""

    def __init__(self, node: Node, active: str) -> None:
        self._node = node
        self._active = active
        self._loop: Any = node.world.loop
        self._suspicion = Suspicion(Rhythm(self._loop.time(), BEAT, acceptable_pause=PAUSE), failed=FAILED)
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Listen no more."""
        self._task.cancel()

    def beat(self, active: str) -> None:
        """A beat came."""
        if active == self._active and self._suspicion.beat(self._loop.time()):
            self._node.coordinator.heard()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            if self._suspicion.check(self._loop.time()) and self._suspicion.level is SuspicionLevel.FAILED:
                self._node.coordinator.suspect("its heartbeat is missed")
