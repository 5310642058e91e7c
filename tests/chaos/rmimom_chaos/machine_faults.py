"""Faults of the machine that a server runs on: its clock, and its disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rmimom_chaos.cluster import Cluster
from rmimom_chaos.fault import Fault
from rmimom_chaos.small_disk import SmallDisk, sweep
from rmimom_chaos.wall_clock import WallClock, build_library

LARGEST_STEP: Final = 3000
"""Milliseconds.  More would only leave messages waiting, for their senders go by the clock of the server."""


class ClockStep(Fault):
    """The wall clock of one server jumps."""

    name = "clock-step"
    summary = "the wall clock of one server jumps by one to three seconds, forward or back, and back again"

    @classmethod
    def lacks(cls, cluster: Cluster) -> str:
        """It needs a compiler."""
        del cluster
        return WallClock.missing()

    @classmethod
    def prepare(cls, cluster: Cluster) -> Callable[[], None] | None:
        """Start all servers with a clock that can be set."""
        library = build_library(cluster.directory)
        for server in cluster.servers:
            server.clock = WallClock(library, server.log.with_suffix(".clock"))
        return None

    def inject(self) -> str:
        """Set the clock of one server."""
        victim = self.chance.choice(self.cluster.servers)
        assert victim.clock is not None
        self._clock = victim.clock
        step = self.chance.choice((-1, 1)) * self.chance.choice((1, LARGEST_STEP // 1000))
        self._clock.set(step)
        return f"{victim.name}, by {step:+d} s"

    def heal(self) -> None:
        """Set it back."""
        self._clock.set(0)


class DiskFull(Fault):
    """The disk of one server is full."""

    name = "disk-full"
    summary = "the file system with the data of one server is full to the last byte"

    @classmethod
    def lacks(cls, cluster: Cluster) -> str:
        """It needs file systems of their own for the servers."""
        del cluster
        return SmallDisk.missing()

    @classmethod
    def prepare(cls, cluster: Cluster) -> Callable[[], None] | None:
        """Make these file systems."""
        sweep()
        for server in cluster.servers:
            server.small_disk = SmallDisk(server.disk)

        def clean_up() -> None:
            for server in cluster.servers:
                assert server.small_disk is not None
                server.small_disk.close()

        return clean_up

    def inject(self) -> str:
        """Fill it."""
        active = self.cluster.active()
        servers = self.cluster.servers if active is None else [active, *self.cluster.servers]
        victim = self.chance.choice(servers)
        assert victim.small_disk is not None
        self._disk = victim.small_disk
        self._disk.fill()
        return victim.name

    def heal(self) -> None:
        """Make room."""
        self._disk.make_room()
