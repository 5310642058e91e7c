"""Who serves: roles and epochs.

An epoch is a number that grows each time another server becomes active.  Every batch carries the epoch in which it
was made, so that what an old active wrote can be told from what its successor wrote.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from rmimom.errors import IllegalStateError


class Role(Enum):
    """What a server of a cluster does."""

    ACTIVE = "active"
    """Serves clients and writes the log."""
    STANDBY = "standby"
    """Keeps a copy of the log and waits."""


class Epoch(msgspec.Struct, frozen=True, order=True):
    """A reign of one active server: its number, from 1, and the id of the server."""

    number: int
    server_id: str

    def succeeded_by(self, server_id: str) -> Epoch:
        """The epoch in which another server, or this one after a restart, is active."""
        if not server_id:
            raise IllegalStateError("an epoch needs the id of its server")
        return Epoch(self.number + 1, server_id)
