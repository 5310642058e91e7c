"""Room on the disk: while it is short sends are refused, so that acknowledgements, which make room, still find some."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rmimom.incidents import DISK_FULL, DISK_HAS_ROOM, Incident, Incidents

log = logging.getLogger(__name__)


class Room:
    """What is free on a disk: `free_bytes` tells, if there is a limit; below `reserve` bytes it is short."""

    def __init__(self, free_bytes: Callable[[], int] | None, reserve: int, incidents: Incidents) -> None:
        self.is_short = False
        self._free_bytes = free_bytes
        self._reserve = reserve
        self._incidents = incidents

    def check(self) -> None:
        """Look how much is free."""
        short = self._free_bytes is not None and self._free_bytes() < self._reserve
        if short:
            self.ran_out(f"less than {self._reserve} bytes are free on disk")
        elif self.is_short:
            self.is_short = False
            reason = "there is room on disk again: sends are accepted"
            log.warning(reason)
            self._incidents.report(Incident(DISK_HAS_ROOM, reason))

    def ran_out(self, why: str) -> None:
        """Something did not fit; harmless if that is known."""
        if self.is_short:
            return
        self.is_short = True
        reason = f"{why}: sends are refused until there is room"
        log.error(reason)
        self._incidents.report(Incident(DISK_FULL, reason))
