"""Frames of many messages in one piece.

SQLite spends most of its time on rows, not on bytes: a hundred frames of 1 KiB in two rows cost a third of a hundred
rows.  So frames written together rest together in a segment: the frames one after the other, the layout (ids and
lengths, JSON) and a checksum over both.  What is read is checked, and the layout says where each frame lies; a row
that points into the wrong segment finds no such id there, so a frame cannot be taken for that of another message.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec

SEGMENT_SIZE = 64 * 1024
"""Bytes of frames in a segment, about: small enough to be read for one message, large enough to cost little each."""

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(tuple[list[int], list[int]]).decode


class SegmentDamaged(Exception):  # noqa: N818 - a finding inside the store, told to others as StoreDamagedError
    """The bytes of a segment fail their check."""


class SegmentPacker:
    """Lays frames into new segments, whose ids are counted from `first`."""

    __slots__ = ("_finished", "_frames", "_ids", "_lengths", "_segment", "_size")

    def __init__(self, first: int) -> None:
        self._segment = first
        self._size = 0
        self._ids: list[int] = []
        self._lengths: list[int] = []
        self._frames: list[bytes] = []
        self._finished: list[tuple[int, str, int, bytes]] = []

    def pack(
        self, ids: Sequence[int], frames: Sequence[bytes], lengths: Sequence[int]
    ) -> Iterator[tuple[int, int, int, int]]:
        """Pack frames of these lengths; yields for each run of them segment, position in it, start and end of the run.

        A segment takes frames up to SEGMENT_SIZE together, or one of any size.
        """
        start, count = 0, len(ids)
        while start < count:
            position = size = self._size
            end = start
            for length in lengths[start:] if start else lengths:
                if size + length > SEGMENT_SIZE and size:
                    break
                size += length
                end += 1
            if end > start:
                self._ids += ids[start:end]
                self._lengths += lengths[start:end]
                self._frames += frames[start:end]
                self._size = size
                yield self._segment, position, start, end
                start = end
            if start < count:
                self._close()

    def finish(self) -> list[tuple[int, str, int, bytes]]:
        """The segments as rows: id, layout, checksum and data."""
        if self._ids:
            self._close()
        rows, self._finished = self._finished, []
        return rows

    def _close(self) -> None:
        layout = _encode((self._ids, self._lengths))
        data = b"".join(self._frames)
        checksum = zlib.crc32(layout, zlib.crc32(data))
        self._finished.append((self._segment, layout.decode("ascii"), checksum, data))
        self._segment += 1
        self._size = 0
        self._ids, self._lengths, self._frames = [], [], []


class Segment:
    """A segment as it was read, checked.  Raises SegmentDamaged."""

    __slots__ = ("_data", "_places", "size")

    def __init__(self, layout: object, checksum: object, data: object) -> None:
        if not isinstance(layout, bytes) or not isinstance(data, bytes):
            raise SegmentDamaged("its layout or its data are missing")
        if zlib.crc32(layout, zlib.crc32(data)) != checksum:
            raise SegmentDamaged("its checksum does not match")
        try:
            ids, lengths = _decode(layout)
        except msgspec.MsgspecError as error:
            raise SegmentDamaged(f"its layout cannot be read: {error}") from None
        self.size = len(data)
        self._data = data
        self._places = dict(zip(ids, zip(accumulate(lengths, initial=0), lengths, strict=False), strict=True))

    def __iter__(self) -> Iterator[int]:
        """The ids of its messages, in the order of their frames; some may not be stored any more."""
        return iter(self._places)

    def frame(self, number: int) -> bytes:
        """The frame of one message; raises SegmentDamaged if it should be here and is not."""
        place = self._places.get(number)
        if place is None:
            raise SegmentDamaged(f"it does not hold message {number}")
        position, length = place
        return self._data[position : position + length]
