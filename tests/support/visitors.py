"""Clients of a simulated world that look into queues, and send back what they find among the dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from support.clients import PAUSE, Client
from support.messages import body_of
from support.world import Link, LostError, World

from rmimom.commands import Browse, Retry
from rmimom.core.browsing import complete
from rmimom.destination import Queue
from rmimom.effects import Page
from rmimom.errors import IllegalStateError, InvalidDestinationError
from rmimom.frame import decode_head
from rmimom.note import decode_note
from rmimom_chaos.history import INVOKE, OK


class Visitor(Client):
    """Browses queues page by page, as the listener does, and has some of the dead letters sent back."""

    def __init__(self, world: World, name: str, queues: Sequence[Queue], burials: Sequence[Queue]) -> None:
        super().__init__(world, name)
        self.queues = queues
        self.burials = burials
        self.passes = 0

    async def run(self) -> None:
        """Come and go until the trouble is over."""
        chance = self.chance
        while not self.world.healed:
            await asyncio.sleep(chance.uniform(0.0, 0.2))
            try:
                link = await self.connect()
                seen = await self._browse(link, chance.choice([*self.queues, *self.burials]))
                if chance.random() < 0.4:
                    await self._retry(link, chance.choice(self.burials), seen)
            except LostError:
                await asyncio.sleep(PAUSE)
            except IllegalStateError:
                self.lose()
                await asyncio.sleep(PAUSE)

    async def _browse(self, link: Link, queue: Queue) -> list[int]:
        """One pass through a queue; the tags of what was seen."""
        world = self.world
        least = self.chance.choice((0, 0, 5))
        selector = f"JMSPriority >= {least}" if least else ""
        limit = self.chance.choice((1, 3, 100))
        self.passes += 1
        after: tuple[int, int] | None = None
        tags: list[int] = []
        while True:
            asked = world.loop.now()
            page = await link.call(Browse(link.name, queue, selector, after, limit))
            assert isinstance(page, Page)
            if link.torn:
                raise LostError
            frames = world.store.frames([message.tag for message in page.messages if not len(message.frame)])
            for message in complete(page, selector, frames):
                frame = bytes(message.frame)
                assert decode_head(frame).priority >= least, f"{body_of(frame)} is not selected"
                note = decode_note(message.note)
                tags.append(message.tag)
                world.note(
                    self.name,
                    OK,
                    "browse",
                    value=body_of(frame),
                    place=str(queue),
                    consumer=f"{self.name}.{self.passes}",
                    tag=message.tag,
                    released=asked,
                    dead_at=note.dead_at,
                    retried_at=note.retried_at,
                )
            after = page.after
            if after is None:
                return tags

    async def _retry(self, link: Link, queue: Queue, seen: list[int]) -> None:
        ids = self.chance.choice((None, seen[:2]))
        self.world.note(self.name, INVOKE, "retry", place=str(queue))
        try:
            await link.call(Retry(link.name, queue, ids))
        except InvalidDestinationError:  # nothing was ever buried there
            return
        self.world.note(self.name, OK, "retry", place=str(queue))
