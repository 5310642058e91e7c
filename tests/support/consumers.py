"""Clients of a simulated world that receive."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from support.clients import PAUSE, Client
from support.messages import body_of
from support.world import Link, LostError, World

from rmimom.commands import Acknowledge, CloseConsumer, DeleteSubscription, Release, Subscribe
from rmimom.destination import Destination, Queue
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.frame import Delivered, decode_head
from rmimom.note import decode_note
from rmimom_chaos.history import INFO, INVOKE, OK


class Held(NamedTuple):
    """A message that a consumer has; `link` is the one it came by."""

    value: str
    link: str
    count: int
    note: str


class Consumer(Client):
    """Receives from a queue or a durable subscription, and acknowledges.

    After a reconnection it says which tags it acknowledged without hearing the answer, and which it still holds.
    """

    def __init__(
        self,
        world: World,
        name: str,
        destination: Destination,
        *,
        durable: bool = False,
        shared: str = "",
        least_priority: int = 0,
        idle: float = 0.0,
    ) -> None:
        super().__init__(world, name)
        self.destination = destination
        self.durable = durable
        self.shared = shared
        self.least_priority = least_priority
        self.idle = idle  # seconds that it is away between its turns, at most
        self.generation = 1
        self.prefetch = self.chance.choice((1, 3, 10))
        self.policy = world.rules.policies.of(destination)
        self.buries = destination not in world.burials
        self.held: dict[int, Held] = {}
        self.settling: dict[int, str] = {}
        self.subscribed = False
        self.news = asyncio.Event()

    @property
    def subscription(self) -> str:
        """The name of the durable or shared subscription."""
        return self.shared or (f"{self.name}.{self.generation}" if self.durable else "")

    @property
    def place(self) -> str:
        """Where its messages wait."""
        return f"{self.destination}#{self.subscription}" if self.subscription else str(self.destination)

    @property
    def lasting(self) -> bool:
        """Whether the server remembers what it handed out from there."""
        return self.durable or isinstance(self.destination, Queue)

    def deliver(self, deliveries: list[Delivered], released: int) -> None:
        """Take messages off the wire."""
        assert self.link is not None
        for delivered in deliveries:
            value = body_of(bytes(delivered.frame))
            assert decode_head(delivered.frame).priority >= self.least_priority, f"{value} is not selected"
            message = Held(value, self.link.name, delivered.counts[0], delivered.note)
            self.held[delivered.tag] = message
            self._received(delivered.tag, message, released)
        self.news.set()

    def _received(self, tag: int, message: Held, released: int) -> None:
        note = decode_note(message.note)
        self.world.note(
            self.name,
            OK,
            "receive",
            value=message.value,
            place=self.place,
            consumer=message.link,
            tag=tag,
            count=message.count,
            released=released,
            shared=bool(self.shared),
            origin=note.original_destination,
            reason=note.reason,
            failures=note.failures,
            dead_at=note.dead_at,
            retried_at=note.retried_at,
        )

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
                durable=self.subscription if self.durable else "",
                shared=bool(self.shared),
                name="" if self.durable else self.shared,
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
            await self._reopen(link)
        elif act < 0.05:
            self._die(link)
        elif act < 0.06 and self.durable and not self.shared:
            await self._unsubscribe(link)
        elif act < 0.06 + self.world.plan.failures:
            await self._fail(link)
        elif self.held:
            await self._acknowledge(link)
        if self.idle and not self.world.healed:
            await asyncio.sleep(self.chance.uniform(0.0, self.idle))

    async def _work(self, link: Link) -> None:
        """Wait for messages, not for ever, and work on them."""
        while not self.held and not link.torn:
            self.news.clear()
            try:
                async with asyncio.timeout(0.3):
                    await self.news.wait()
            except TimeoutError:
                break
        if link.torn:
            raise LostError
        await asyncio.sleep(self.chance.choice((0.0, 0.001, 0.05)))

    async def _acknowledge(self, link: Link) -> None:
        count = self.chance.randint(1, len(self.held))
        tags = list(self.held)[:count]
        for tag in tags:
            value = self.held.pop(tag).value
            self.settling[tag] = value
            self.world.note(self.name, INVOKE, "acknowledge", value=value, place=self.place, consumer=link.name)
        if self.chance.random() < 0.3:
            await link.call(Acknowledge(link.name, 1, up_to=tags[-1]))
        else:
            await link.call(Acknowledge(link.name, 1, tags=tags))
        self._acknowledged(link)

    async def _fail(self, link: Link) -> None:
        """Fail on some messages: as the policy says, or after a while, or for the last time, or at a chosen limit."""
        tags = self.chance.sample(sorted(self.held), self.chance.randint(0, len(self.held)))
        delay, maximum, dead, keep = self.chance.choice(
            (
                (None, None, False, False),
                (None, None, False, self.lasting),
                (self.chance.choice((50, 300, 900)), None, False, False),
                (None, self.chance.choice((-1, 0, 1)), False, False),
                (None, None, True, False),
            )
        )
        await self._release(link, Release(link.name, 1, tags, delay, maximum, dead, "it did not work", keep))

    async def _release(self, link: Link, command: Release) -> None:
        """Say that the work on messages failed, and note what may become of them now."""
        limit = self.policy.maximum if command.maximum is None else command.maximum
        if command.dead:
            limit = 0
        delay = command.delay if command.delay is not None else round(self.policy.delay * (1 - self.policy.jitter))
        failed: dict[int, Held] = {}
        facts: dict[int, dict[str, object]] = {}
        for tag in command.tags:
            failed[tag] = self.held[tag] if command.keep else self.held.pop(tag)
            facts[tag] = {
                "value": failed[tag].value,
                "place": self.place,
                "consumer": link.name,
                "maximum": limit if self.buries else -1,
                "delivery_time": self.world.loop.now() + delay if delay else 0,
            }
            self.world.note(self.name, INVOKE, "release", **facts[tag])
        gone = await link.call(command)
        if self.lasting:  # else it may have been of an earlier subscription, of which the server knows nothing
            for told in facts.values():
                self.world.note(self.name, OK, "release", **told)
        if command.keep:
            assert isinstance(gone, list)
            self._deliver_again(link.name, failed, gone)

    def _deliver_again(self, link: str, failed: dict[int, Held], gone: list[int]) -> None:
        """What the server left with us is delivered once more, without it."""
        for tag, message in failed.items():
            if self.held.get(tag) is not message:
                continue
            if tag in gone:
                del self.held[tag]
            else:
                self.held[tag] = message._replace(count=message.count + 1, link=link)
                self._received(tag, self.held[tag], self.world.loop.now())

    def lose(self) -> None:
        """The link is of no use any more, and what came by it goes to others."""
        self.world.note(self.name, INFO, "fault", value="closed")
        super().lose()

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
