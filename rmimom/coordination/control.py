"""Orders for the cluster, for whoever lets operators in: how it is, and who is to be active."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from Pyro5.core import URI

from rmimom.cluster.state import Phase
from rmimom.coordination.coordinator import Coordinator
from rmimom.errors import IllegalStateError

TIME_LIMIT: Final = 10.0
"""Seconds that a change of the active may take before whoever asked for it is told how things are."""


class ClusterControl:
    """What can be asked of the cluster at one of its servers, whatever the role of that is.

    `coordinator` gives None for a server without a cluster, `facts` what the server is.
    """

    def __init__(self, coordinator: Callable[[], Coordinator | None], facts: Callable[[], dict[str, object]]) -> None:
        self._coordinator = coordinator
        self._facts = facts

    @property
    def exists(self) -> bool:
        """Whether the server has a cluster."""
        return self._coordinator() is not None

    def facts(self) -> dict[str, object]:
        """What this server is: its role, where it is, since when."""
        return self._facts()

    def status(self) -> dict[str, object]:
        """The cluster as this server sees it; docs/http-api.md has the form."""
        return self._status(self._running())

    async def switch_over(self, to: str | None = None) -> dict[str, object]:
        """Let a standby in sync, by id or HOST:PORT, become active; the first one if none is named.

        Answers the status afterwards.  Raises IllegalStateError if it cannot be, or did not happen.
        """
        return await self._switch_over(self._running(), to)

    async def promote(self, *, force: bool) -> dict[str, object]:
        """Make this server active without asking any other one; what it lacks is lost.  Answers the status afterwards.

        Raises IllegalStateError without `force`, or if it is active already.
        """
        if force is not True:
            raise IllegalStateError(
                "a standby in sync takes over by itself; to make this server active whatever it lacks, say force"
            )
        coordinator = self._running()
        await _in_time(coordinator.orders.force(), "becoming active")
        return self._status(coordinator)

    def _running(self) -> Coordinator:
        coordinator = self._coordinator()
        if coordinator is None:
            raise IllegalStateError("this server is alone: it has no name server, and so no cluster")
        return coordinator

    async def _switch_over(self, coordinator: Coordinator, to: str | None) -> dict[str, object]:
        state = coordinator.state
        held = state.held
        if state.phase is not Phase.ACTIVE or held is None:
            active = f"{held.active} at {_location(held.address_of(held.active))}" if held is not None else "not known"
            raise IllegalStateError(f"only the active server can hand over; the active is {active}")
        heirs = coordinator.orders.heirs
        if to is not None:
            heirs = [server for server in heirs if to in {server, _location(held.address_of(server))}]
        if not heirs:
            raise IllegalStateError(
                "no standby is in sync" if to is None else f"no standby {to} is in sync; wait until it has caught up"
            )
        await _in_time(coordinator.orders.hand_over(heirs[0]), "the switchover")
        return self._status(coordinator)

    def _status(self, coordinator: Coordinator) -> dict[str, object]:
        reading, state = coordinator.statistics(), coordinator.state
        held = reading.configuration
        links = {link.server: link for link in reading.standbys}
        members = held.members if held is not None else ()
        lost = dict(state.lost)
        servers: list[dict[str, object]] = []
        for server in dict.fromkeys([*members, *links]):
            link = links.get(server)
            uri = held.address_of(server) if held is not None else ""
            servers.append(
                {
                    "server_id": server,
                    "address": _location(uri or coordinator.shipping.uri_of(server)),
                    "role": "active" if held is not None and server == held.active else "standby",
                    "in_sync": server in members and server not in lost,
                    "phase": link.phase if link is not None else None,
                    "behind": link.behind if link is not None else None,
                    "copied": link.copied if link is not None else None,
                    "to_copy": link.to_copy if link is not None else None,
                }
            )
        return {
            "cluster": self._facts()["cluster"],
            "server_id": coordinator.server_id,
            "phase": reading.phase,
            "position": {"epoch": reading.position.epoch, "sequence": reading.position.sequence},
            "suspected": reading.suspected,
            "refusal": reading.refusal,
            "configuration": held and held.number,
            "epoch": held and held.epoch,
            "forced": held is not None and held.forced,
            "why": held.why if held is not None else "",
            "servers": servers,
        }


async def _in_time(work: Coroutine[Any, Any, None], what: str) -> None:
    try:
        async with asyncio.timeout(TIME_LIMIT):
            await work
    except TimeoutError:
        raise IllegalStateError(
            f"{what} is not done after {TIME_LIMIT:g} s and may still happen: does the name server answer? "
            "`rmimom-admin cluster status` tells what comes of it"
        ) from None


def _location(uri: str) -> str:
    return str(URI(uri).location) if uri else ""
