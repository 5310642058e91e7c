"""Frames of many messages in one piece.

SQLite spends most of its time on rows, not on bytes: a hundred frames of 1 KiB in two rows cost a third of a hundred
rows.  So frames written together rest together in a segment: the frames one after the other, the layout (ids and
lengths, JSON) and a checksum over both.  What is read is checked, and the layout says where each frame lies; a row
that points into the wrong segment finds no such id there, so a frame cannot be taken for that of another message.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import accumulate

import msgspec

SEGMENT_SIZE = 64 * 1024
"""Bytes of frames in a segment, about: small enough to be read for one message, large enough to cost little each."""

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(tuple[list[int], list[int]]).decode


class SegmentDamaged(Exception):  # noqa: N818 - a finding inside the store, told to others as StoreDamagedError
    """The bytes of a segment fail their check."""


class SegmentBuilder:
    """Gathers frames for one segment."""

    __slots__ = ("_frames", "_ids", "_lengths", "size")

    def __init__(self) -> None:
        self.size = 0
        self._ids: list[int] = []
        self._lengths: list[int] = []
        self._frames: list[bytes] = []

    def takes(self, length: int) -> bool:
        """Whether a frame of this length still belongs in here; the first one always does."""
        return not self.size or self.size + length <= SEGMENT_SIZE

    def add(self, number: int, frame: bytes) -> int:
        """Add a frame; returns its position, in bytes from the start of the segment."""
        position = self.size
        length = len(frame)
        self._ids.append(number)
        self._lengths.append(length)
        self._frames.append(frame)
        self.size = position + length
        return position

    def finish(self) -> tuple[str, int, bytes]:
        """Layout, checksum and data, as they are stored."""
        layout = _encode((self._ids, self._lengths))
        data = b"".join(self._frames)
        return layout.decode("ascii"), zlib.crc32(layout, zlib.crc32(data)), data


class Segment:
    """A segment as it was read, checked.  Raises SegmentDamaged."""

    __slots__ = ("_data", "_places", "size")

    def __init__(self, layout: bytes, checksum: int, data: bytes) -> None:
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
