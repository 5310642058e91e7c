"""Incidents: what happens to a server that people watch for, told to whoever watches.

Listeners and the engine report; what becomes of it (`rmimom/server/advisories.py`) is not their business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

CUT_OFF: Final = "cut-off"
"""A client was disconnected because it does not take what it is sent, or does not finish what it sends."""
REFUSED: Final = "refused"
"""Somebody was not let in, because as many as may are there."""
DISK_FULL: Final = "disk-full"
"""Sends are refused from now on."""
DISK_HAS_ROOM: Final = "disk-has-room"
"""Sends are accepted again."""


class Incident(msgspec.Struct, frozen=True):
    """What happened, and why in words; `connection` is a connection's name in the core, which is a secret."""

    kind: str
    reason: str
    protocol: str = ""
    address: str = ""
    connection: str = ""


class Incidents:
    """Takes reports and hands them to who watches."""

    def __init__(self) -> None:
        self._watchers: list[Callable[[Incident], None]] = []

    def watch(self, watcher: Callable[[Incident], None]) -> None:
        """Tell `watcher` of everything from now on; it may neither wait nor raise."""
        self._watchers.append(watcher)

    def leave(self, watcher: Callable[[Incident], None]) -> None:
        """Tell `watcher` nothing more.  Harmless if it is told nothing."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def report(self, incident: Incident) -> None:
        """Something happened."""
        for watcher in self._watchers:
            watcher(incident)
