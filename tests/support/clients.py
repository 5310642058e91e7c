"""Clients of a simulated world: they keep the rules of the protocol (docs/design/0003) and write down what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence

from support.history import FAIL, INFO, INVOKE, OK
from support.messages import body_of, frame_for
from support.world import Link, LostError, World

from rmimom.commands import Acknowledge, CloseConsumer, Commit, Connect, DeleteSubscription, Release, Send, Subscribe
from rmimom.destination import Destination
from rmimom.errors import IllegalStateError, InvalidDestinationError, StoreFullError, TransactionRolledBackError
from rmimom.frame import Delivered, decode_head

PAUSE = 0.05
"""Seconds before a client that was refused or lost its link tries again."""


class Client:
    """One client process: it connects, and connects again when its link tears."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.chance = world.chance
        self.name = name
        self.link: Link | None = None

    async def connect(self) -> Link:
        """A link that works; the server ends the old one first, as the connection factory does."""
        while self.link is None or self.link.torn:
            server = await self.world.find_server()
            if self.link is not None and self.chance.random() < 0.7:
                self.link.end()
            link = Link(server, self.world.new_name(self.name), self.deliver)
            try:
                await link.call(Connect(link.name, self.name))
                self.link = link
            except LostError:
                await asyncio.sleep(PAUSE)
        return self.link

    def lose(self) -> None:
        """The link is of no use any more."""
        if self.link is not None:
            self.link.tear(noticed_after=0.0)

    def deliver(self, deliveries: list[Delivered], released: int) -> None:
        """Producers get nothing."""
        raise AssertionError(deliveries)


class Producer(Client):
    """Sends numbered messages, and sends them again when the answer is lost."""

    def __init__(self, world: World, name: str, destinations: Sequence[Destination]) -> None:
        super().__init__(world, name)
        self.destinations = destinations
        self.sequences: dict[Destination, int] = {}
        self.incarnation = 1
        self.counter = 0

    async def run(self) -> None:
        """Send what the plan says, over the time of trouble."""
        world, plan, chance = self.world, self.world.plan, self.chance
        world.working += 1
        sent = 0
        while sent < plan.messages:
            count = chance.randint(1, 4)
            await self._send(chance.choice(self.destinations), count)
            sent += count
            await asyncio.sleep(chance.uniform(0.0, 5.0 * plan.duration / plan.messages))
        world.working -= 1

    async def _send(self, destination: Destination, count: int) -> None:
        world, chance = self.world, self.chance
        now = world.loop.now()
        producer = f"{self.name}.{self.incarnation}"
        values: list[str] = []
        frames: list[bytes] = []
        alike = chance.random() < 0.7  # most batches hold messages of one kind
        fields = self._fields(now)
        for _ in range(count):
            self.counter += 1
            value = f"{producer}-{self.counter}"
            if not alike:
                fields = self._fields(now)
            world.note(self.name, INVOKE, "send", value=value, destination=str(destination), **fields)
            values.append(value)
            frames.append(frame_for(destination, value, **fields))  # type: ignore[arg-type]
        sequence = self.sequences.get(destination, 1)
        outcome = await self._until_known(f"{producer}:{destination}", sequence, destination, frames)
        for value in values:
            world.note(self.name, outcome, "send", value=value)
        if outcome == OK:
            self.sequences[destination] = sequence + count
        if outcome == INFO or chance.random() < 0.03:
            self.incarnation += 1
            self.counter = 0
            self.sequences.clear()

    def _fields(self, now: int) -> dict[str, object]:
        """The headers of a message, mostly the usual ones."""
        chance = self.chance
        return {
            "priority": chance.choice((4, 4, 4, 9, 0)),
            "persistent": chance.random() < 0.8,
            "expiration": now + chance.choice((20, 300, 2000)) if chance.random() < 0.15 else 0,
            "delivery_time": now + chance.choice((10, 300, 1500)) if chance.random() < 0.15 else 0,
        }

    async def _until_known(self, producer: str, sequence: int, destination: Destination, frames: list[bytes]) -> str:
        while True:
            link = await self.connect()
            try:
                await link.call(Send(link.name, producer, sequence, destination, frames))
            except StoreFullError:
                return FAIL
            except (LostError, IllegalStateError):
                self.lose()
                if self.chance.random() < 0.15:
                    return INFO
                await asyncio.sleep(PAUSE)
            else:
                return OK


class Consumer(Client):
    """Receives from a queue or a durable subscription, and acknowledges.

    After a reconnection it says which tags it acknowledged without hearing the answer, and which it still holds.
    """

    def __init__(
        self, world: World, name: str, destination: Destination, *, durable: bool = False, least_priority: int = 0
    ) -> None:
        super().__init__(world, name)
        self.destination = destination
        self.durable = durable
        self.least_priority = least_priority
        self.generation = 1
        self.prefetch = self.chance.choice((1, 3, 10))
        self.held: dict[int, tuple[str, str]] = {}  # tag: value, and the link it came by
        self.settling: dict[int, str] = {}
        self.subscribed = False
        self.news = asyncio.Event()

    @property
    def subscription(self) -> str:
        """The name of the durable subscription."""
        return f"{self.name}.{self.generation}" if self.durable else ""

    @property
    def place(self) -> str:
        """Where its messages wait."""
        return f"{self.destination}#{self.subscription}" if self.durable else str(self.destination)

    def deliver(self, deliveries: list[Delivered], released: int) -> None:
        """Take messages off the wire."""
        assert self.link is not None
        for delivered in deliveries:
            value = body_of(bytes(delivered.frame))
            assert decode_head(delivered.frame).priority >= self.least_priority, f"{value} is not selected"
            self.world.note(
                self.name,
                OK,
                "receive",
                value=value,
                place=self.place,
                consumer=self.link.name,
                tag=delivered.tag,
                count=delivered.counts[0],
                released=released,
            )
            self.held[delivered.tag] = (value, self.link.name)
        self.news.set()

    async def run(self) -> None:
        """Consume until the world ends."""
        while True:
            try:
                link = await self.connect()
                await self._subscribe(link)
                while True:
                    await self._step(link)
            except LostError:
                await asyncio.sleep(PAUSE)
            except IllegalStateError:  # the old consumer of the subscription, or our link, is not what we think
                self.lose()
                await asyncio.sleep(PAUSE)

    async def _subscribe(self, link: Link) -> None:
        world = self.world
        facts = {"place": self.place, "destination": str(self.destination), "least_priority": self.least_priority}
        if self.durable:
            world.note(self.name, INVOKE, "subscribe", **facts)
            if self.place not in world.subscriptions:
                world.subscriptions.append(self.place)
        claimed = dict(self.held)
        lost = await link.call(
            Subscribe(
                link.name,
                1,
                self.destination,
                durable=self.subscription,
                selector=f"JMSPriority >= {self.least_priority}" if self.least_priority else "",
                prefetch=self.prefetch,
                settled=tuple(self.settling),
                held=tuple(claimed),
            )
        )
        assert isinstance(lost, list)
        if self.durable:
            world.note(self.name, OK, "subscribe", **facts)
        self._acknowledged(link)
        for tag in lost:
            if self.held.get(tag) == claimed[tag]:
                del self.held[tag]

    def _acknowledged(self, link: Link) -> None:
        for value in self.settling.values():
            self.world.note(self.name, OK, "acknowledge", value=value, place=self.place, consumer=link.name)
        self.settling.clear()

    async def _step(self, link: Link) -> None:
        """Work a little, then do something with what was received."""
        await self._work(link)
        act = 0.99 if self.world.healed else self.chance.random()
        if act < 0.03:
            await self._give_back(link)
        elif act < 0.06:
            await self._reopen(link)
        elif act < 0.08:
            self._die(link)
        elif act < 0.09 and self.durable:
            await self._unsubscribe(link)
        elif self.held:
            await self._acknowledge(link)

    async def _work(self, link: Link) -> None:
        """Wait for messages, not for ever, and work on them."""
        while not self.held and not link.torn:
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), 0.3)
            except TimeoutError:
                break
        if link.torn:
            raise LostError
        await asyncio.sleep(self.chance.choice((0.0, 0.001, 0.05)))

    async def _acknowledge(self, link: Link) -> None:
        count = self.chance.randint(1, len(self.held))
        tags = list(self.held)[:count]
        for tag in tags:
            value, _ = self.held.pop(tag)
            self.settling[tag] = value
            self.world.note(self.name, INVOKE, "acknowledge", value=value, place=self.place, consumer=link.name)
        if self.chance.random() < 0.3:
            await link.call(Acknowledge(link.name, 1, up_to=tags[-1]))
        else:
            await link.call(Acknowledge(link.name, 1, tags=tags))
        self._acknowledged(link)

    async def _give_back(self, link: Link) -> None:
        tags = self.chance.sample(sorted(self.held), self.chance.randint(0, len(self.held)))
        for tag in tags:
            value, _ = self.held.pop(tag)
            self.world.note(self.name, INFO, "release", value=value, place=self.place, consumer=link.name)
        await link.call(Release(link.name, 1, tags))

    async def _reopen(self, link: Link) -> None:
        self.world.note(self.name, INFO, "fault", value="closed")
        self.held.clear()
        await link.call(CloseConsumer(link.name, 1))
        self.held.clear()
        link.tear(noticed_after=0.0)
        if self.durable:
            await asyncio.sleep(self.chance.choice((0.0, 0.5, 1.5)))
        raise LostError

    def _die(self, link: Link) -> None:
        """The process ends and another one begins, which knows nothing."""
        self.world.note(self.name, INFO, "fault", value="died")
        link.tear(noticed_after=self.chance.choice((0.0, 0.3)))
        self.held.clear()
        raise LostError

    async def _unsubscribe(self, link: Link) -> None:
        place, name = self.place, self.subscription
        self.world.note(self.name, INFO, "fault", value="closed")
        self.held.clear()
        await link.call(CloseConsumer(link.name, 1))
        self.held.clear()
        self.world.note(self.name, INVOKE, "unsubscribe", place=place)
        while True:
            try:
                link = await self.connect()
                await link.call(DeleteSubscription(link.name, name))
            except LostError:
                await asyncio.sleep(PAUSE)
            except IllegalStateError:
                self.lose()
                await asyncio.sleep(PAUSE)
            except InvalidDestinationError:  # an attempt whose answer was lost did it
                break
            else:
                break
        self.world.note(self.name, OK, "unsubscribe", place=place)
        self.world.subscriptions.remove(place)
        self.generation += 1
        self.lose()
        raise LostError


class Forwarder(Consumer):
    """Takes from a queue and sends on, in transactions; what became of one is found out by committing it again."""

    def __init__(self, world: World, name: str, source: Destination, targets: Sequence[Destination]) -> None:
        super().__init__(world, name, source)
        self.targets = targets
        self.incarnation = self.number = 1
        self.attempts = self.counter = 0
        self.under_way: Commit | None = None
        self.told: list[dict[str, str]] = []  # what belongs to the transaction under way

    async def _step(self, link: Link) -> None:
        if self.under_way is None:
            await self._work(link)
            if not self.held:
                return
            self._begin(link)
        if not self.world.healed and self.chance.random() < 0.02:
            self._die(link)
        await self._commit(link)

    def _note(self, kind: str, op: str, **facts: object) -> None:
        attempt = f"{self.name}:{self.attempts}"
        self.world.note(self.name, kind, op, transaction=attempt, **facts)

    def _begin(self, link: Link) -> None:
        chance = self.chance
        self.attempts += 1
        self._note(INVOKE, "commit")
        self.told = [{"op": "commit"}]
        tags = list(self.held)[: chance.randint(1, len(self.held))]
        for tag in tags:
            value, _ = self.held[tag]
            self._note(INVOKE, "acknowledge", value=value, place=self.place)
            self.told.append({"op": "acknowledge", "value": value, "place": self.place})
        sends: list[tuple[Destination, list[bytes]]] = []
        for target in chance.sample(list(self.targets), chance.randint(1, len(self.targets))):
            frames: list[bytes] = []
            for _ in range(chance.randint(1, 3)):
                self.counter += 1
                value = f"{self.producer}-{self.counter}"
                self._note(INVOKE, "send", value=value, destination=str(target))
                self.told.append({"op": "send", "value": value})
                frames.append(frame_for(target, value))
            sends.append((target, frames))
        self.under_way = Commit(link.name, self.producer, self.number, sends, [(1, 0, tags)])

    @property
    def producer(self) -> str:
        """The name of its transactions."""
        return f"{self.name}.{self.incarnation}"

    async def _commit(self, link: Link) -> None:
        asked = self.under_way
        assert asked is not None
        ((_, _, tags),) = asked.acks
        try:
            await link.call(Commit(link.name, asked.transaction, asked.number, asked.sends, asked.acks))
        except TransactionRolledBackError:
            self._end(FAIL)
            self.number += 1
            left = [tag for tag in tags if self.held.pop(tag, None) is not None]
            await link.call(Release(link.name, 1, left))
        except StoreFullError:
            # Nothing was done: other messages may have the same number next time.
            self._end(FAIL)
            await asyncio.sleep(PAUSE)
        else:
            self._end(OK)
            self.number += 1
            for tag in tags:
                self.held.pop(tag, None)

    def _end(self, outcome: str) -> None:
        self.under_way = None
        for event in self.told:
            self._note(outcome, **event)

    def _die(self, link: Link) -> None:
        self._end(INFO)
        self.incarnation += 1
        self.number = 1
        self.counter = 0
        super()._die(link)


class Listener(Consumer):
    """A subscriber that is not durable: each time it subscribes it begins anew."""

    incarnation = ""

    @property
    def place(self) -> str:
        """Its subscription, which nobody else ever sees."""
        return f"{self.destination}#{self.incarnation}"

    async def _subscribe(self, link: Link) -> None:
        self.incarnation = link.name
        self.held.clear()
        self.settling.clear()
        await super()._subscribe(link)


def usual_clients(world: World) -> Iterator[Coroutine[object, object, None]]:
    """Producers for everything, workers on the queues, subscribers on the topics, and those between them."""
    plan, queues, topics = world.plan, world.queues, world.topics
    for number in range(plan.producers):
        yield Producer(world, f"p{number}", [*queues, *topics]).run()
    for number in range(plan.workers):
        yield Consumer(world, f"w{number}", queues[number % plan.queues]).run()
    for number in range(plan.choosers):
        yield Consumer(world, f"c{number}", queues[number % plan.queues], least_priority=5).run()
    for number in range(plan.forwarders if plan.queues > 1 else 0):
        yield Forwarder(world, f"f{number}", queues[0], [*queues[1:], *topics]).run()
    if topics:
        for number in range(plan.subscribers):
            yield Consumer(world, f"s{number}", topics[number % plan.topics], durable=True).run()
        for number in range(plan.choosers):
            yield Consumer(world, f"d{number}", topics[number % plan.topics], durable=True, least_priority=5).run()
        for number in range(plan.listeners):
            yield Listener(world, f"l{number}", topics[number % plan.topics]).run()
