"""A seeded world with a cluster in it: two or three servers, a name server, a network between them, and clients.

Everything that `rmimom.coordination` and `rmimom.cluster` decide is the real thing, and so are engine, core, follower
and shipments.  What goes wrong here goes wrong between servers: processes are killed between any two steps, or stopped
for a while; ways of the network are cut, in both directions or in one; the name server is away, late, or forgets;
disks are slow or full, clocks step, operators hand over.  In the end everything heals, and must come together again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from support.simulated_names import NameServer
from support.simulated_network import CLIENTS, NAMES, Network, SimulatedPeer, both_ways
from support.simulated_node import Node, Reign
from support.simulated_processes import ProcessLoop
from support.watched import Watch
from support.world import Clients, Plan, World

from rmimom.cluster import rules
from rmimom.cluster.configuration import Configuration
from rmimom.coordination import backlog, link, shipping
from rmimom.coordination.key import ClusterKey
from rmimom.errors import IllegalStateError
from rmimom.listeners.rmi.caller import CallbackPeer
from rmimom_chaos.history import INFO, History

IDS = ("a" * 16, "b" * 16, "c" * 16)
SMALL = 2000
"""Bytes that wait for a standby, or are kept for it, before something else is done; a shipment, a piece of a copy."""


class ClusterPlan(Plan, frozen=True):
    """What is in a world with a cluster; the numbers of faults are those of the whole time of trouble."""

    messages: int = 30
    crashes: int = 0
    tears: int = 4
    full_periods: int = 0
    duration: float = 8.0
    servers: int = 2
    patience: float = 1.5
    """Seconds that a client waits for an answer."""
    standby_timeout: float = 1.0
    wait_for_lost: bool = False
    names_kept: int = rules.KEPT
    kills: int = 2
    stops: int = 0
    cuts: int = 0
    breaks: int = 0
    """Connections between servers that break."""
    absences: int = 0
    """Of the name server; it may also be late, or lose replies."""
    losses: int = 0
    """How often the name server forgets everything."""
    switchovers: int = 0
    slow_disks: int = 0
    full_disks: int = 0
    clock_steps: int = 0


class ClusterWorld(World):
    """See the module's text; `counted` says what went wrong, and what became of it."""

    loop: ProcessLoop
    plan: ClusterPlan

    def __init__(self, loop: ProcessLoop, chance: random.Random, plan: ClusterPlan, directory: Path) -> None:
        super().__init__(loop, 0, plan)
        self.chance = chance
        self.network = Network(loop, chance, ClusterKey(directory / "key"))
        self.names = NameServer(self.network, "world")
        self.watch = Watch(self.decided, self._complain)
        self.nodes = [
            Node(self, name, directory / name, first=number == 0) for number, name in enumerate(IDS[: plan.servers])
        ]
        for node in self.nodes:
            self.network.hosts[node.name] = node
        self.counted: Counter[str] = Counter()

    # What nodes tell.

    def begun(self, reign: Reign) -> None:
        """A node serves."""
        self.server = reign  # type: ignore[assignment]  # it has what clients need of a server
        self.store = reign.node.store
        self.counted["reigns"] += 1

    def ended(self, reign: Reign) -> None:
        """It serves no more."""
        if self.server is reign:  # type: ignore[comparison-overlap]
            self.server = None

    async def find_server(self) -> Reign:  # type: ignore[override]
        """A server that believes to be active, mostly the one that became it last."""
        while True:
            found = [node.reign for node in self.nodes if node.reign is not None]
            if found:
                if self.chance.random() < 0.2:
                    return self.chance.choice(found)
                return max(found, key=lambda reign: reign.epoch)
            await asyncio.sleep(0.05)

    def decided(self) -> Configuration | None:
        """The newest configuration that is decided, whoever knows it."""
        held = [node.coordinator.state.held for node in self.nodes if node.ready]
        known = {one.number: one for one in held if one is not None}
        newest = max(known.values(), key=lambda one: one.number, default=None)
        chain = {one.number: one for one in self.names.chain()}
        if newest is not None and chain.get(newest.number) == newest:
            while (after := chain.get(newest.number + 1)) is not None and after.chain == newest.chain:
                newest = after
        return newest

    def _complain(self, text: str) -> None:
        if self.plan.checks_inside:
            self.failures.append(AssertionError(text))

    # What goes wrong.

    async def _start_server(self) -> None:
        for node in self.nodes:
            node.boot()
        await self._wait(self._together, 60.0, "the cluster does not begin")

    def _fault(self, kind: str, who: str = "world") -> None:
        self.counted[kind] += 1
        self.note(who, INFO, "fault", value=kind)

    async def _pause(self, *seconds: float) -> None:
        await asyncio.sleep(self.chance.choice(seconds))

    async def _kill(self) -> None:
        node = self.chance.choice(self.nodes)
        if node.process is None:
            return
        self._fault("kill", node.name)
        if self.chance.random() < 0.5:
            node.process.after(self.chance.randint(1, 60), node.kill)
            await self._pause(0.01, 0.05)
        node.kill()
        await self._pause(0.0, 0.02, 0.5, 1.0, 3.0)
        if node.process is None:
            node.boot()

    async def _stop(self) -> None:
        node = self.chance.choice(self.nodes)
        process = node.process
        if process is None or process.stopped:
            return
        self._fault("stop", node.name)
        process.stop()
        await self._pause(0.1, 0.7, 1.5, 4.0)
        process.go_on()

    async def _cut(self) -> None:
        chance = self.chance
        node = chance.choice(self.nodes)
        others = [one.name for one in self.nodes if one is not node]
        places = chance.choice(([*others, NAMES, CLIENTS], [*others, NAMES], others, [NAMES], [CLIENTS], others[:1]))
        ways = both_ways([node.name], places)
        direction = chance.choice(("both", "both", "in", "out"))
        if direction != "both":
            ways = [(source, target) for source, target in ways if (target == node.name) == (direction == "in")]
        self._fault("cut" if direction == "both" else "cut one way", node.name)
        heal = self.network.cut(ways)
        await self._pause(0.3, 1.0, 2.0, 4.0)
        if CLIENTS in places and node.reign is not None:
            for client in list(node.reign.links.values()):
                client.tear(noticed_after=chance.choice((0.0, 0.5)))
        heal()

    async def _break(self) -> None:
        if self.network.connections:
            connection = self.chance.choice(self.network.connections)
            self._fault("break")
            connection.lose(self.chance.choice(connection.ends))

    async def _leave_names(self) -> None:
        names = self.names
        kind = self.chance.choice(("away", "late", "loses replies"))
        self._fault(f"names {kind}")
        if kind == "away":
            names.away = True
        elif kind == "late":
            names.late = 3.0
        else:
            names.loses_replies = 0.5
        await self._pause(0.5, 2.0, 4.0)
        names.away, names.late, names.loses_replies = False, 0.0, 0.0

    async def _forget_names(self) -> None:
        self._fault("names forgotten")
        self.names.forget()

    async def _hand_over(self) -> None:
        node = next((node for node in self.nodes if node.reign is not None), None)
        if node is None or node.process is None or not node.ready:
            return
        held = node.coordinator.state.held
        if held is None or not held.standbys:
            return
        to = self.chance.choice(held.standbys)
        stay = self.chance.random() < 0.8
        self._fault("switchover", node.name)

        async def ask() -> None:
            try:
                await node.coordinator.orders.hand_over(to, stay=stay)
                self.counted["switched over"] += 1
            except IllegalStateError:
                self.counted["switchover refused"] += 1

        node.process.begin(ask)

    async def _slow_disk(self) -> None:
        node = self.chance.choice(self.nodes)
        self._fault("slow disk", node.name)
        node.slow += 1
        await self._pause(0.5, 2.0)
        node.slow -= 1

    async def _fill_disk(self) -> None:
        node = self.chance.choice(self.nodes)
        self.note(node.name, INFO, "fault", value="full")
        self.counted["full disk"] += 1
        node.store.capacity = self.chance.choice((0, 100, 1000))
        await self._pause(0.2, 1.0)
        node.store.capacity = None

    async def _step_clock(self) -> None:
        self._fault("clock step")
        node = self.chance.choice(self.nodes)
        node.clock.offset = self.chance.choice((-STEP, -STEP // 10, STEP // 10, STEP))

    async def _trouble(self) -> None:
        plan = self.plan
        kinds: list[Callable[[], Awaitable[None]]] = [
            *[self._kill] * plan.kills,
            *[self._stop] * plan.stops,
            *[self._cut] * plan.cuts,
            *[self._break] * plan.breaks,
            *[self._leave_names] * plan.absences,
            *[self._forget_names] * plan.losses,
            *[self._hand_over] * plan.switchovers,
            *[self._slow_disk] * plan.slow_disks,
            *[self._fill_disk] * plan.full_disks,
            *[self._step_clock] * plan.clock_steps,
            *[self._tear] * plan.tears,
        ]
        times = sorted(self.chance.uniform(0.0, plan.duration) for _ in kinds)
        self.chance.shuffle(kinds)
        faults: list[asyncio.Future[None]] = []
        begun = self.loop.time()
        for when, kind in zip(times, kinds, strict=True):
            await asyncio.sleep(max(0.0, begun + when - self.loop.time()))
            self.check_core()
            assert not self.failures, self.failures
            faults.append(asyncio.ensure_future(kind()))
        await asyncio.sleep(max(0.0, begun + plan.duration - self.loop.time()))
        await asyncio.gather(*faults)
        for node in self.nodes:
            node.clock.offset = 0
        self.faults_until = self.loop.time()
        await self._come_together()

    # How it ends.

    def _together(self) -> bool:
        """Whether one server is active and all others are in step with it."""
        if not all(node.ready and node.process is not None for node in self.nodes):
            return False
        states = [node.coordinator.state for node in self.nodes]
        held = states[0].held
        reigns = [node for node in self.nodes if node.reign is not None]
        return (
            held is not None
            and all(state.held == held for state in states)
            and len(held.members) == len(self.nodes)
            and [node.name for node in reigns] == [held.active]
            and not reigns[0].coordinator.state.lost
        )

    async def _wait(self, true: Callable[[], bool], seconds: float, complaint: str) -> None:
        until = self.loop.time() + seconds
        while not true():
            assert not self.failures, self.failures
            assert self.loop.time() < until, f"{complaint}\n{self.describe()}"
            await asyncio.sleep(0.05)

    async def _come_together(self) -> None:
        """Nothing goes wrong any more: all servers find together by themselves.

        If the name server forgot, an operator may have to say who has the most; see docs/design/0012.
        """
        if self.plan.losses:
            await asyncio.sleep(20.0)
            if not self._together():
                self._promote()
        await self._wait(self._together, 150.0, "the servers do not find together")

    def _promote(self) -> None:
        """What an operator does: of those that do not serve, the one with the longest log is to be active."""
        node = max((node for node in self.nodes if node.reign is None), key=lambda node: node.store.place)
        self._fault("promoted by force", node.name)
        assert node.process is not None
        node.process.begin(node.coordinator.force)

    def describe(self) -> str:
        """How the servers are, for people."""
        lines = []
        for node in self.nodes:
            state = node.coordinator.state
            held = f"{state.number}: {[one[0] for one in state.members]}"
            promise = state.promise and (state.promise.number, state.promise.active[0], bool(state.promise.seal))
            lines.append(
                f"{node.name[0]} {state.phase.value}, holds {held}, promised {promise}, log {tuple(node.store.place)},"
                f" suspects {state.suspected!r}, lost {state.lost}, joined {[one[0] for one, _ in state.joined]},"
                f" serves {node.reign is not None}, refusal {state.refusal!r}"
            )
        lines.append(f"names: {[(one.number, one.active[0]) for one in self.names.chain()]}")
        return "\n".join(lines)

    async def _settle(self) -> bool:
        quiet = await super()._settle()
        if quiet:
            await self._wait(self._level, 30.0, "the standbys do not catch up")
            for node in self.nodes:
                self.watch.compare(node.name, node.store.image)
                follower = node.follower._image
                if follower is not None:
                    self.watch.compare(node.name, follower)
        return quiet

    def _level(self) -> bool:
        return self._together() and len({node.store.place for node in self.nodes}) == 1


STEP = 3000
"""Milliseconds by which a clock is wrong at most."""


@contextmanager
def simulated_cluster(seed: int, plan: ClusterPlan) -> Iterator[ClusterWorld]:
    """A world in which everything that is chance or outside comes from the seed."""
    chance = random.Random(seed)
    outside = random.getstate()
    random.seed(seed)
    logger = logging.getLogger("rmimom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with (
            tempfile.TemporaryDirectory(dir=_in_memory()) as directory,
            ProcessLoop(chance) as loop,
            patch.object(secrets, "token_hex", lambda size=32: chance.randbytes(size).hex()),
            patch.object(rules, "KEPT", plan.names_kept),
            patch.object(backlog, "IN_MEMORY", SMALL),
            patch.object(link, "SHIPMENT_BYTES", SMALL),
            patch.object(link, "PIECE_BYTES", SMALL),
            patch.object(shipping, "RECENT_BYTES", 20 * SMALL),
        ):
            world = ClusterWorld(loop, chance, plan, Path(directory))
            with patch.object(CallbackPeer, "connect", partial(SimulatedPeer.connect, world.network)):
                try:
                    yield world
                finally:
                    for node in world.nodes:
                        node.close_files()
    finally:
        random.setstate(outside)
        logger.setLevel(level)


def _in_memory() -> str | None:
    """Where files cost nothing, if there is such a place: the world takes its own time for disks."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None


def run_cluster(seed: int, clients: Clients, plan: ClusterPlan | None = None) -> tuple[History, ClusterWorld]:
    """Run one world to its end: its history, and the world as it is then."""
    with simulated_cluster(seed, plan or ClusterPlan()) as world:
        world.loop.run_until_complete(world.run(clients))
        return world.history, world
