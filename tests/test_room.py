"""When sends are refused for want of room, and who hears of it."""

from __future__ import annotations

from rmimom.incidents import DISK_FULL, DISK_HAS_ROOM, Incidents
from rmimom.room import Room


class Disk:
    def __init__(self, free: int) -> None:
        self.free = free
        self.told: list[tuple[str, str]] = []
        incidents = Incidents()
        incidents.watch(lambda incident: self.told.append((incident.kind, incident.reason)))
        self.room = Room(lambda: self.free, 100, incidents)


def test_it_is_short_below_the_reserve() -> None:
    disk = Disk(100)
    disk.room.check()
    assert not disk.room.is_short
    disk.free = 99
    disk.room.check()
    disk.room.check()
    assert disk.room.is_short
    assert disk.told == [(DISK_FULL, "less than 100 bytes are free on disk: sends are refused until there is room")]
    disk.free = 100
    disk.room.check()
    assert not disk.room.is_short
    assert disk.told[1:] == [(DISK_HAS_ROOM, "there is room on disk again: sends are accepted")]


def test_what_did_not_fit_is_told_once() -> None:
    disk = Disk(1000)
    disk.room.ran_out("no space left")
    disk.room.ran_out("no space left")
    assert disk.room.is_short
    assert disk.told == [(DISK_FULL, "no space left: sends are refused until there is room")]


def test_where_nothing_limits_it_only_what_did_not_fit_counts() -> None:
    room = Room(None, 100, Incidents())
    room.check()
    assert not room.is_short
    room.ran_out("no space left")
    room.check()
    assert not room.is_short
