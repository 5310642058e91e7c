"""Clients of a simulated world that receive and send in transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from support.clients import PAUSE
from support.consumers import Consumer
from support.messages import frame_for
from support.world import Link, World

from rmimom.commands import Commit, Release
from rmimom.destination import Destination
from rmimom.errors import StoreFullError, TransactionRolledBackError
from rmimom_chaos.history import FAIL, INFO, INVOKE, OK


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
            value = self.held[tag].value
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
            left = [tag for tag in tags if tag in self.held]
            await self._release(link, Release(link.name, 1, left))
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
