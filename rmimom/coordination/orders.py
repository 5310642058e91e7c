"""What an operator, or a stop, asks of a server in a cluster: to hand over, to leave, to become active."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from rmimom.cluster.configuration import Configuration
from rmimom.cluster.events import Event, Force, HandOver
from rmimom.cluster.state import Phase, State
from rmimom.errors import IllegalStateError

log = logging.getLogger(__name__)

AGAIN: Final = 0.1
"""Seconds between attempts to hand over before a stop, while something else is changed for example."""


class Place(Protocol):
    """This server's place in its cluster."""

    @property
    def state(self) -> State:
        """What the member knows."""
        ...

    @property
    def serving(self) -> Configuration | None:
        """The configuration in which this server is active."""
        ...

    async def learn(self, event: Event) -> None:
        """Let the member know, and wait until what follows from it at once is done."""
        ...

    async def next_change(self) -> None:
        """Wait until the member has handled all that happened.  Raises IllegalStateError if this server stops."""
        ...

    async def settled(self) -> None:
        """Wait until this server is in the role that was decided last, and others were told."""
        ...


class Orders:
    """Carries out what is asked, at one place."""

    def __init__(self, place: Place) -> None:
        self.leaving = False
        """Whether this server is about to stop, and follows nobody any more."""
        self._place = place

    @property
    def heirs(self) -> list[str]:
        """The standbys that this server could hand over to; none if it is not active."""
        serving, lost = self._place.serving, dict(self._place.state.lost)
        return [server for server in serving.standbys if server not in lost] if serving is not None else []

    async def leave(self) -> bool:
        """Hand over and leave the cluster, before a stop; False if there is nobody to hand over to.

        It tries until it succeeds.  When it returns, this server has stepped down and the heir knows.
        """
        self.leaving = True
        while True:
            if not self.heirs:
                return False
            try:
                await self.hand_over(self.heirs[0], stay=False)
                break
            except IllegalStateError as error:
                log.info("this server does not hand over yet: %s", error.text)
                await asyncio.sleep(AGAIN)
        await self._place.settled()
        return True

    async def hand_over(self, to: str, *, stay: bool = True) -> None:
        """Let a standby in step become active.  Raises IllegalStateError if that cannot be."""
        place = self._place
        before = place.state.number
        await place.learn(HandOver(to, stay))
        if place.state.heir != to:
            raise IllegalStateError(
                place.state.refusal or "only the active can hand over, and only to a standby that is in sync", server=to
            )
        while place.state.heir == to and place.state.phase is Phase.ACTIVE:
            await place.next_change()
        if place.state.phase is Phase.ACTIVE or place.state.number == before:
            raise IllegalStateError(f"the switchover to {to} did not happen; this server goes on")

    async def force(self) -> None:
        """Become active whatever others are, and wait for it.  Raises IllegalStateError if it is active already."""
        place = self._place
        if place.serving is not None:
            raise IllegalStateError("this server is active already")
        await place.learn(Force())
        while place.serving is None:
            await place.next_change()
