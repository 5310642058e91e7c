"""A seeded world: the real engine and core, with a disk, a network, clients and a clock that are simulated.

One seed is one run, always the same.  Things go wrong on purpose: the server crashes at any point (before a commit,
after it and before anything was told, in between), links tear in the middle of a call or stay half open, requests come
twice, the disk is slow or full.  At the end everything heals, the consumers take what is left, and the history of all
clients goes through the checkers (tests/chaos/rmimom_chaos/checkers.py).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable
from typing import TypeVar

import msgspec
from support.engines import inheritance
from support.invariants import check_broker, check_store, mailboxes_of
from support.messages import body_of
from support.simulated import SimulatedLoop

from rmimom.commands import Acknowledge, Command, Disconnect, Send
from rmimom.core.broker import Broker
from rmimom.core.place import QueuePlace
from rmimom.core.state import Rules
from rmimom.destination import Queue, Topic
from rmimom.engine import Engine
from rmimom.errors import JMSError
from rmimom.frame import Delivered
from rmimom.policy import Policies, RedeliveryPolicy, Rule
from rmimom.store.memory import MemoryStore
from rmimom.store.thread import StoreThread
from rmimom_chaos.history import INFO, INVOKE, OK, Event, History

T = TypeVar("T")


class LostError(Exception):
    """The link tore before the answer came: nobody knows what was done."""


class Plan(msgspec.Struct, frozen=True):
    """What is in a world; times in seconds of the world."""

    producers: int = 3
    messages: int = 40
    queues: int = 2
    workers: int = 3
    topics: int = 1
    subscribers: int = 2
    listeners: int = 1
    forwarders: int = 1
    """Clients that take from the first queue and send to the second one and the topics, in transactions."""
    choosers: int = 1
    """Workers, and subscribers, that take only messages of high priority."""
    sharers: int = 2
    """Consumers of one shared subscription, durable or not."""
    gatherers: int = 1
    """Durable subscriptions to a pattern that all topics match."""
    visitors: int = 1
    """Clients that browse the queues and send dead letters back."""
    failures: float = 0.15
    """How often, of the times that it has messages, a consumer fails on some of them."""
    crashes: int = 3
    tears: int = 6
    full_periods: int = 1
    duration: float = 6.0
    resident_bytes: int = 2000
    checks_inside: bool = True
    """Whether the rules of the core are checked on the way, too, and not only the history."""


DEAD_TOPICS = Queue("DLQ.topics")
POLICIES = Policies(
    [
        Rule("queue://q0", RedeliveryPolicy(maximum=2, expiry="EXP.{name}")),
        Rule("queue://q1", RedeliveryPolicy(maximum=1, delay=200, multiplier=2, maximum_delay=500, jitter=0.5)),
        Rule("topic://>", RedeliveryPolicy(maximum=1, dead_letter=DEAD_TOPICS.name)),
    ]
)
"""What becomes of messages in the world: dead letters of all kinds, and expired messages that are kept or not."""


class DiskThread(StoreThread):
    """A store thread whose work takes time, and of which a crash leaves only what was done."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ends = 0.0
        self.dead = False
        self.delays = (0.0, 0.0002, 0.001, 0.02)
        """Seconds that a piece of work may take."""

    def run(self, function: Callable[[], T], *, small: bool = False) -> asyncio.Future[T]:
        """Do the work a moment later, and tell of it another moment later; each may be the last one."""
        del small
        world = self._world
        future: asyncio.Future[T] = world.loop.create_future()
        begins = max(world.loop.time(), self._ends)
        self._ends = begins + world.chance.choice(self.delays)
        world.loop.call_at(self._ends, self._work, function, future)
        return future

    def _work(self, function: Callable[[], T], future: asyncio.Future[T]) -> None:
        if self.dead:
            return
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            self._world.loop.call_later(0.0001, self._settle, future, None, error)
        else:
            self._world.loop.call_later(0.0001, self._settle, future, result, None)

    def _settle(self, future: asyncio.Future[T], result: T, error: Exception | None) -> None:
        if self.dead or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    async def stop(self) -> None:
        """Nothing is left behind."""


class Server:
    """The engine in one life of the server process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.links: dict[str, Link] = {}
        self.thread = DiskThread(world)
        self.engine = Engine(Broker(world.rules), world.store, world.loop, on_failure=world.failures.append)

    def link(self, name: str, deliver: Callable[[list[Delivered], int], None]) -> Link:
        """Let a client in."""
        return Link(self, name, deliver)

    def crash(self) -> None:
        """End at once: what the disk has is all that is left."""
        self.thread.dead = True
        for timer in self.engine._timers:
            timer.cancel()
        for link in list(self.links.values()):
            link.tear()
        self.world.store.close()


class Link:
    """A client's connection to one life of the server.  What goes in one direction arrives in order, or not at all."""

    def __init__(self, server: Server, name: str, deliver: Callable[[list[Delivered], int], None]) -> None:
        self.server = server
        self.world = server.world
        self.name = name
        self._deliver = deliver
        self._waiting: dict[asyncio.Future[object], None] = {}  # a set has another order in every process
        self._latency = self.world.chance.choice((0.0001, 0.001, 0.005))
        self._last = {"to the server": 0.0, "answers": 0.0, "deliveries": 0.0}
        self.torn = False
        self.heard = True  # by the server; a half-open link is torn and still heard of
        server.links[name] = self
        server.engine.dispatch.attach(name, self)

    # What the client does.

    async def call(self, command: Command) -> object:
        """Ask the server; raises what it refuses with, or LostError if the answer is lost."""
        if self.torn:
            raise LostError
        answer: asyncio.Future[object] = self.world.loop.create_future()
        self._waiting[answer] = None
        self._travel("to the server", self._arrive, command, answer)
        if isinstance(command, Send | Acknowledge) and self.world.chance.random() < 0.05:
            self._travel("to the server", self._arrive, command, None)
        return await answer

    def _travel(self, way: str, arrive: Callable[..., None], *load: object) -> None:
        """Arrive after a moment, and after all that went the same way before."""
        when = max(self.world.loop.time() + self._latency, self._last[way] + 1e-6)
        self._last[way] = when
        self.world.loop.call_at(when, arrive, *load)

    def _arrive(self, command: Command, answer: asyncio.Future[object] | None) -> None:
        if self.torn or not self.heard:
            return
        told = self.server.engine.submit(command)
        if answer is None:
            told.add_done_callback(lambda done: done.exception())
        else:
            told.add_done_callback(lambda done: self._travel("answers", self._answer, answer, done))

    def _answer(self, answer: asyncio.Future[object], done: asyncio.Future[object]) -> None:
        self._waiting.pop(answer, None)
        error = done.exception()
        if answer.done():
            return
        if error is None:
            answer.set_result(done.result())
        else:
            answer.set_exception(error)

    # What the server does: it sees this object as the sink of the connection.

    def deliver(self, deliveries: list[Delivered]) -> None:
        """Take messages, which arrive a moment later."""
        self._travel("deliveries", self._arrived, deliveries, self.world.loop.now())

    def _arrived(self, deliveries: list[Delivered], released: int) -> None:
        if not self.torn:
            self._deliver(deliveries, released)

    def consumer_closed(self, consumer: int, error: JMSError) -> None:
        """Nothing closes consumers in this world."""
        raise AssertionError(error)

    # What goes wrong.

    def tear(self, noticed_after: float | None = None) -> None:
        """Break: the client notices at once, the server after a while, or not at all if it is the one that died."""
        if not self.torn:
            self.torn = True
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(LostError())
            self._waiting.clear()
        if noticed_after is not None:
            self.world.loop.call_later(noticed_after, self.end)

    def end(self) -> None:
        """The server notices."""
        if self.heard and not self.server.thread.dead:
            self.heard = False
            self.server.links.pop(self.name, None)
            self.server.engine.dispatch.detach(self.name)
            self.server.engine.tell(Disconnect(self.name))


class World:
    """Everything there is; see the module's text.

    `subscriptions` are the durable ones that exist, `working` is how many producers are not done.
    """

    def __init__(self, loop: SimulatedLoop, seed: int, plan: Plan) -> None:
        self.loop = loop
        self.plan = plan
        self.chance = random.Random(seed)
        self.queues = [Queue(f"q{number}") for number in range(plan.queues)]
        self.topics = [Topic(f"t.{number}") for number in range(plan.topics)]
        self.pattern = Topic("t.*")
        self.rules = Rules(resident_bytes=self.plan.resident_bytes, policies=POLICIES)
        self.burials: list[Queue] = []
        self.store = MemoryStore()
        self.history: History = []
        self.failures: list[BaseException] = []
        self.server: Server | None = None
        self.faults_until = 0.0
        self.subscriptions: list[str] = []
        self.working = 0
        self._up = asyncio.Event()
        self._names = 0

    # What clients use.

    def note(self, process: str, kind: str, op: str, **facts: object) -> None:
        """Write an event into the history."""
        self.history.append(Event(self.loop.now(), process, kind, op, **facts))  # type: ignore[arg-type]

    async def find_server(self) -> Server:
        """The server, once there is one."""
        while self.server is None:
            self._up.clear()
            await self._up.wait()
        return self.server

    def new_name(self, client: str) -> str:
        """A name for a connection or an incarnation."""
        self._names += 1
        return f"{client}#{self._names}"

    @property
    def healed(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self.loop.time() >= self.faults_until

    # What happens.

    def _note_policies(self) -> None:
        for origin in (*self.queues, *self.topics, self.pattern):
            policy = self.rules.policies.of(origin)
            for what, name in (("dead", policy.dead_letter_queue(origin)), ("expired", policy.expiry_queue(origin))):
                if name:
                    self.note("world", INFO, "policy", value=what, place=str(origin), destination=str(Queue(name)))
                    if Queue(name) not in self.burials:
                        self.burials.append(Queue(name))

    async def _start_server(self) -> None:
        server = Server(self)
        await server.engine.start(await inheritance(self.store, lambda: server.thread))
        self.server = server
        self._up.set()

    async def _crash(self) -> None:
        server, self.server = self.server, None
        if server is None:
            return
        self.note("server", INFO, "fault", value="crash")
        server.crash()
        await asyncio.sleep(self.chance.choice((0.0, 0.01, 0.5, 2.0)))
        await self._start_server()

    async def _fill_disk(self) -> None:
        self.note("disk", INFO, "fault", value="full")
        self.store.capacity = self.chance.choice((0, 100, 1000))
        await asyncio.sleep(self.chance.uniform(0.0, 1.0))
        self.store.capacity = None

    async def _tear(self) -> None:
        if self.server is not None and self.server.links:
            link = self.chance.choice(sorted(self.server.links.items()))[1]
            self.note(link.name, INFO, "fault", value="torn")
            link.tear(noticed_after=self.chance.choice((0.0, 0.001, 0.3, 1.5)))

    async def _trouble(self) -> None:
        plan = self.plan
        kinds = [self._crash] * plan.crashes + [self._tear] * plan.tears + [self._fill_disk] * plan.full_periods
        times = sorted(self.chance.uniform(0.0, plan.duration) for _ in kinds)
        self.chance.shuffle(kinds)
        for when, kind in zip(times, kinds, strict=True):
            await asyncio.sleep(max(0.0, when - self.loop.time()))
            self.check_core()
            await kind()
        await asyncio.sleep(max(0.0, self.faults_until - self.loop.time()))

    def check_core(self) -> None:
        """The rules of the core hold now."""
        if self.server is not None and self.plan.checks_inside:
            check_broker(self.server.engine.broker)

    async def run(self, clients: Clients) -> None:
        """Let the world go its way: trouble for a while, then peace until the consumers have taken all."""
        self.faults_until = self.plan.duration
        self._note_policies()
        await self._start_server()
        tasks = [self.loop.create_task(client) for client in clients(self)]
        await self._trouble()
        await asyncio.sleep(1.0)  # what was begun in trouble comes to its end
        places = self._places()
        for place in places:
            self.note("world", INVOKE, "drain", place=place)
        quiet = await self._settle()
        for place in places:
            self.note("world", OK if quiet else INFO, "drain", place=place)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and task.exception() is not None:
                raise AssertionError("a client failed") from task.exception()
        assert not self.failures, self.failures
        self._note_remains()

    async def _settle(self) -> bool:
        """Wait until nothing moves any more; False if that takes too long."""
        for _ in range(400):
            await asyncio.sleep(0.2)
            assert self.server is not None
            broker = self.server.engine.broker
            watched = [mailbox.pending for mailbox in mailboxes_of(broker.state).values() if mailbox.durable]
            if not any(watched) and not self.working:
                await asyncio.sleep(0.5)
                self.check_core()
                if self.plan.checks_inside:
                    check_store(broker, self.store)
                return True
        return False

    def _places(self) -> list[str]:
        return [*(str(queue) for queue in (*self.queues, *self.burials)), *self.subscriptions]

    def _note_remains(self) -> None:
        assert self.server is not None
        state = self.server.engine.broker.state
        found = [
            (str(place.destination), place.mailbox) for place in state.places.values() if isinstance(place, QueuePlace)
        ]
        # Their mailboxes know the topic or pattern that was subscribed to.
        found += [(f"{one.mailbox.origin}#{one.name}", one.mailbox) for one in state.subscriptions.values()]
        for name, mailbox in found:
            frames = self.store.frames([entry.id for entry in mailbox.entries()])
            for entry in mailbox.entries():
                frame = entry.frame or frames.get(entry.id)
                assert frame is not None or not self.plan.checks_inside, f"the frame of {entry} is nowhere"
                if frame is not None:
                    self.note("world", OK, "remains", value=body_of(frame), place=name, tag=entry.id)


Clients = Callable[[World], Iterable[Coroutine[object, object, None]]]
"""Makes the clients of a world."""


def run_world(seed: int, clients: Clients, plan: Plan | None = None) -> History:
    """Run one world to its end; its history."""
    with SimulatedLoop() as loop:
        world = World(loop, seed, plan or Plan())
        loop.run_until_complete(world.run(clients))
        return world.history
