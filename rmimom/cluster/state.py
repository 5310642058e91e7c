"""What a member of a cluster knows; frozen, so that a model check can keep thousands of them."""

from __future__ import annotations

from enum import Enum

import msgspec

from rmimom.cluster.configuration import NOWHERE, Configuration, LogPosition


class Phase(Enum):
    """What a server is doing."""

    IDLE = "idle"
    """Started; neither serves nor follows anybody yet."""
    FOLLOWING = "following"
    """Takes batches from an active and acknowledges them."""
    STOPPING = "stopping"
    """Acknowledges nothing; something may still be under way to its disk."""
    STOPPED = "stopped"
    """Acknowledges nothing, and its log stands still: it may try to become active."""
    ACTIVE = "active"
    """Serves."""
    OUT = "out"
    """Cannot go on with the data it has; says no more."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a member decides by.  `held` and `promise` are on its disk, and so is its log up to `position`.

    `held` is the newest configuration that it knows to be decided.  `promise` is the only configuration that it will
    ever support for a number above that: without a seal if it claims it at the name server, with one if it consented.
    """

    me: str
    cluster: str
    address: str = ""
    wait_for_lost: bool = False
    """`--on-lost-standby=wait`: a lost member is not dropped."""

    held: Configuration | None = None
    promise: Configuration | None = None
    position: LogPosition = NOWHERE
    phase: Phase = Phase.IDLE
    refusal: str = ""
    """Why the last wish cannot be fulfilled now; empty if there is none."""

    starting: bool = False
    """Wishes to become active without having suspected anybody: the first start, or a restart of the last active."""
    suspected: str = ""
    """Standby: why it thinks that the active is gone; empty if it does not."""
    forcing: bool = False
    """An operator wishes it to become active."""

    released: LogPosition = NOWHERE
    acked: tuple[tuple[str, LogPosition], ...] = ()
    """Active: what is on the disks of the others, by server."""
    joined: tuple[tuple[str, str], ...] = ()
    """Active: standbys that get every batch, with their URIs."""
    lost: tuple[tuple[str, str], ...] = ()
    """Active: members that do not, and why."""
    outcast: tuple[str, ...] = ()
    """Active: lost members that cannot come back as they are."""
    consents: tuple[str, ...] = ()
    """Active: who consented to the promise."""
    forgotten: bool = False
    """Active: the name server did not know what we hold when it was last asked."""
    heir: str = ""
    """Active: to whom it is handing over."""
    stays: bool = True
    drained: bool = False

    @property
    def number(self) -> int:
        """The number of the configuration it holds; 0 if it holds none."""
        return self.held.number if self.held else 0

    @property
    def is_member(self) -> bool:
        """Whether it is a member of the configuration it holds."""
        return self.held is not None and self.me in self.held.members

    @property
    def members(self) -> tuple[str, ...]:
        """The members of the configuration it holds."""
        return self.held.members if self.held else ()
