"""Merging sparse segments, so that a few messages that nobody takes do not hold the disk.

One call merges a handful of segments, oldest first, in one transaction.  A segment counts as sparse when three
quarters of it are dead: for each byte copied three are won, and the disk holds at most some four times what waits.
"""

from __future__ import annotations

import sqlite3
from heapq import nsmallest

from rmimom.store.changes import delete_segments, write_segments
from rmimom.store.segment import SEGMENT_SIZE, SegmentBuilder
from rmimom.store.segment_index import SegmentIndex
from rmimom.store.segment_reader import SegmentReader
from rmimom.store.statements import ManyIds

_GROUP = 32
"""Segments merged at once: up to 2 MiB read, about ten milliseconds."""

_HOLDERS = ManyIds("SELECT id, segment_id FROM message WHERE {} ORDER BY id", "id")


def choose(index: SegmentIndex) -> list[int]:
    """The segments to merge next; empty if merging would not win a segment's worth."""
    group = nsmallest(_GROUP, index.sparse)
    return group if index.dead_bytes(group) >= SEGMENT_SIZE else []


def merge(cursor: sqlite3.Cursor, reader: SegmentReader, group: list[int], first: int) -> list[SegmentBuilder]:
    """Rewrite what lives in these segments into new ones with ids from `first`, inside a transaction.

    Returns the new segments.  Raises sqlite3.Error, or StoreDamagedError if a segment fails its check.
    """
    old = {number: reader.read(number) for number in group}
    ids = [message for segment in old.values() for message in segment]
    builders = [SegmentBuilder()]
    places: list[tuple[int, int, int]] = []
    for message, number in _HOLDERS.execute(cursor, ids).fetchall():
        if number in old:
            frame = reader.frame(number, message)
            if not builders[-1].takes(len(frame)):
                builders.append(SegmentBuilder())
            position = builders[-1].add(message, frame)
            places.append((first + len(builders) - 1, position, message))
    write_segments(cursor, first, builders)
    # Many small steps, but this runs when nothing else wants the interpreter.
    cursor.executemany("UPDATE message SET segment_id = ?, position = ? WHERE id = ?", places)
    delete_segments(cursor, group)
    return builders
