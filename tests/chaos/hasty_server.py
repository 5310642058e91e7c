"""A server with a planted bug: it confirms before its standby has anything, and ships late."""

from __future__ import annotations

import asyncio

from rmimom.cluster import rules
from rmimom.cluster.state import State
from rmimom.coordination.link import Link, LinkPhase
from rmimom.server_cli import main

LATE = 0.5
"""Seconds from a batch to its shipment."""
ship = Link._ship


def nobody(state: State) -> set[str]:
    """Whose acknowledgement is waited for."""
    del state
    return set()


async def ship_late(link: Link, limit: float) -> None:
    """Ship, but not at once."""
    if link.phase is LinkPhase.IN_STEP:
        await asyncio.sleep(LATE)
    await ship(link, limit)


if __name__ == "__main__":
    rules.required = nobody
    Link._ship = ship_late  # type: ignore[method-assign]
    main()
