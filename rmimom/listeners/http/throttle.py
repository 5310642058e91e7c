"""Wrong passwords are counted for each address, and after some of them that address has to wait."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from rmimom.clock import Clock
from rmimom.errors import ResourceAllocationError

ATTEMPTS: Final = 10
"""Wrong passwords that one address may try within WINDOW."""
WINDOW: Final = 60_000
"""Milliseconds."""
_MOST_ADDRESSES: Final = 10_000


class Throttle:
    """Counts failures by address; see the module's text."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, list[int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise ResourceAllocationError with the fact `seconds` if the address has to wait."""
        recent = self._recent(address)
        if len(recent) >= ATTEMPTS:
            seconds = max(1, -(-(recent[0] + WINDOW - self._clock.now()) // 1000))
            raise ResourceAllocationError(
                f"too many wrong passwords came from {address}; try again in {seconds} s", seconds=seconds
            )

    def failed(self, address: str) -> None:
        """A password was wrong."""
        recent = [*self._recent(address), self._clock.now()][-ATTEMPTS:]
        self._failures[address] = recent
        self._failures.move_to_end(address)
        while len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def _recent(self, address: str) -> list[int]:
        since = self._clock.now() - WINDOW
        return [when for when in self._failures.get(address, ()) if when > since]
