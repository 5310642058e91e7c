"""Segments as they are read: checked, and the last ones kept.

A backlog is read in order, some hundred messages at a time; the segments of the last reads are kept so that a
segment is not read and checked again for each of its messages.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from rmimom.store.segment import Segment, SegmentDamaged
from rmimom.store.trouble import damaged

KEPT_BYTES = 4 * 1024 * 1024
"""Enough for the places at which some sixty consumers read their backlogs."""


class SegmentReader:
    """Reads segments through one connection."""

    def __init__(self, connection: sqlite3.Connection, database: Path) -> None:
        self._connection = connection
        self._database = database
        self._kept: OrderedDict[int, Segment] = OrderedDict()
        self._bytes = 0

    def read(self, number: int) -> Segment:
        """One segment, checked.  Raises StoreDamagedError or sqlite3.Error."""
        segment = self._kept.get(number)
        if segment is not None:
            self._kept.move_to_end(number)
            return segment
        row = self._connection.execute(
            "SELECT CAST(layout AS BLOB), checksum, data FROM segment WHERE id = ?", (number,)
        ).fetchone()
        if row is None:
            raise damaged(self._database, f"segment {number} is missing")
        try:
            segment = Segment(*row)
        except SegmentDamaged as error:
            raise damaged(self._database, f"segment {number}: {error}") from None
        self._kept[number] = segment
        self._bytes += segment.size
        while self._bytes > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size
        return segment

    def frame(self, number: int, message: int) -> bytes:
        """The frame of a message in segment `number`.  Raises StoreDamagedError or sqlite3.Error."""
        try:
            return self.read(number).frame(message)
        except SegmentDamaged as error:
            raise damaged(self._database, f"segment {number}: {error}") from None

    def forget(self, numbers: Iterable[int]) -> None:
        """These segments are gone."""
        for number in numbers:
            segment = self._kept.pop(number, None)
            if segment is not None:
                self._bytes -= segment.size
