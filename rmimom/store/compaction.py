"""Merging sparse segments, so that a few messages that nobody takes do not hold the disk.

One call merges a handful of segments, oldest first, in one transaction.  A segment counts as sparse when three
quarters of it are dead: for each byte copied three are won, and the disk holds at most some four times what waits.
"""

from __future__ import annotations

import sqlite3
from heapq import nsmallest
from itertools import accumulate

from rmimom.store.changes import delete_segments, write_segments
from rmimom.store.segment import SEGMENT_SIZE, SegmentPacker
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


def merge(cursor: sqlite3.Cursor, reader: SegmentReader, group: list[int], first: int) -> list[tuple[int, int]]:
    """Rewrite what lives in these segments into new ones with ids from `first`, inside a transaction.

    Returns id and size of the new segments.  Raises sqlite3.Error, or StoreDamagedError if a segment fails its check.
    """
    old = {number: reader.read(number) for number in group}
    candidates = [message for segment in old.values() for message in segment]
    held = [row for row in _HOLDERS.execute(cursor, candidates).fetchall() if row[1] in old]
    ids = [message for message, _ in held]
    frames = [reader.frame(number, message) for message, number in held]
    lengths = [len(frame) for frame in frames]
    packer = SegmentPacker(first)
    places: list[tuple[int, int, int]] = []
    for segment, position, start, end in packer.pack(ids, frames, lengths):
        starts = accumulate(lengths[start:end], initial=position)
        places += [(segment, begin, message) for begin, message in zip(starts, ids[start:end], strict=False)]
    added = write_segments(cursor, packer)
    # Many small steps, but this runs when nothing else wants the interpreter.
    cursor.executemany("UPDATE message SET segment_id = ?, position = ? WHERE id = ?", places)
    delete_segments(cursor, group)
    return added
