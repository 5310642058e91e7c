"""Faults of the machine that a server runs on: its clock, and its disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from rmimom_chaos.cluster import Cluster, Server
from rmimom_chaos.fault import Fault
from rmimom_chaos.small_disk import SmallDisk, sweep

LIBRARIES: Final = ("/usr/lib", "/usr/local/lib", "/usr/lib64")
LARGEST_STEP: Final = 3000
"""Milliseconds.  More would only leave messages waiting, for their senders go by the clock of the server."""


def fake_time() -> str:
    """The library that lies about the time, libfaketime; empty if it is not installed."""
    for place in LIBRARIES:
        for found in Path(place).glob("**/faketime/libfaketimeMT.so.1"):
            return str(found)
    return ""


class ClockStep(Fault):
    """The wall clock of one server jumps."""

    name = "clock-step"
    summary = "the wall clock of one server jumps by one to three seconds, forward or back, and back again"

    @classmethod
    def lacks(cls, cluster: Cluster) -> str:
        """It needs a library."""
        del cluster
        return "" if fake_time() else "the library libfaketime is not installed"

    @classmethod
    def prepare(cls, cluster: Cluster) -> Callable[[], None] | None:
        """Start all servers with a clock that can be set; one that only goes on is left alone."""
        for server in cluster.servers:
            set_clock(server, 0)
            server.variables = {
                "LD_PRELOAD": fake_time(),
                "FAKETIME_TIMESTAMP_FILE": str(clock_of(server)),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        return None

    def inject(self) -> str:
        """Set the clock of one server."""
        self._victim = self.chance.choice(self.cluster.servers)
        step = self.chance.choice((-1, 1)) * self.chance.choice((1, LARGEST_STEP // 1000))
        set_clock(self._victim, step)
        return f"{self._victim.name}, by {step:+d} s"

    def heal(self) -> None:
        """Set it back."""
        set_clock(self._victim, 0)


def clock_of(server: Server) -> Path:
    """The file that the clock of a server is set by."""
    return server.log.with_suffix(".clock")


def set_clock(server: Server, seconds: int) -> None:
    """Let it be so many seconds ahead; it looks once a second."""
    clock_of(server).write_text(f"{seconds:+d}s\n", encoding="ascii")


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
