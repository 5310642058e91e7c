"""Readings of many destinations, some at a time, so that delivery never waits for who looks."""

from __future__ import annotations

import asyncio
from typing import Final

from rmimom.core.place import QueuePlace
from rmimom.core.state import State
from rmimom.core.statistics import DestinationStatistics, read_place

AT_ONCE: Final = 200
"""Destinations that are read before others have their turn: about a millisecond."""


async def read_destinations(state: State, kind: type | None = None) -> list[DestinationStatistics]:
    """A reading of every queue or topic, or of both, but for the server's own; what goes meanwhile is left out."""
    found: list[DestinationStatistics] = []
    wanted = [
        place
        for place in state.places.values()
        if (kind is None or isinstance(place, kind)) and not place.destination.is_system
    ]
    for start in range(0, len(wanted), AT_ONCE):
        if start:
            await asyncio.sleep(0)
        found += [read_place(place) for place in wanted[start : start + AT_ONCE] if place.id in state.places_by_id]
    return found


async def count_waiting_dead(state: State) -> list[tuple[str, int]]:
    """The queues that the policies name for dead letters and expired messages, each with what waits there."""
    names: set[str] = set()
    places = list(state.places.values())
    for start in range(0, len(places), AT_ONCE):
        if start:
            await asyncio.sleep(0)
        for place in places[start : start + AT_ONCE]:
            policy = state.rules.policies.of(place.destination)
            names.add(policy.dead_letter_queue(place.destination))
            names.add(policy.expiry_queue(place.destination))
    found = [
        (place.destination.name, place.mailbox.pending)
        for place in places
        if isinstance(place, QueuePlace) and place.destination.name in names and place.id in state.places_by_id
    ]
    return sorted(found)
