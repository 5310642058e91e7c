"""Clients of a simulated world: they keep the rules of the protocol (docs/design/0003) and write down what they see."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from support.messages import frame_for
from support.world import Link, LostError, World

from rmimom.commands import Connect, Send
from rmimom.destination import Destination
from rmimom.errors import IllegalStateError, StoreFullError
from rmimom.frame import Delivered
from rmimom_chaos.history import FAIL, INFO, INVOKE, OK

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
            link = server.link(self.world.new_name(self.name), self.deliver)
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
