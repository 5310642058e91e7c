"""Segments: what was packed is found again, and damage is found too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.store.segment import SEGMENT_SIZE, Segment, SegmentDamaged, SegmentPacker


def pack(sizes, calls=1):
    """Frames of these sizes packed in so many calls: rows, places and frames."""
    frames = {number: bytes([number % 256]) * size for number, size in enumerate(sizes, 100)}
    ids = list(frames)
    packer = SegmentPacker(7)
    places = {}
    for call in range(calls):
        part = ids[call::calls]
        given = [frames[number] for number in part]
        for segment, position, start, end in packer.pack(part, given, [len(frame) for frame in given]):
            for number in part[start:end]:
                places[number] = (segment, position)
                position += len(frames[number])  # noqa: PLW2901 - the next one lies behind it
    return packer.finish(), places, frames


@given(sizes=st.lists(st.integers(1, 40_000) | st.integers(60_000, 140_000), max_size=40), calls=st.integers(1, 4))
def test_every_frame_lies_where_it_is_said_to_lie(sizes, calls):
    rows, places, frames = pack(sizes, calls)
    assert [row[0] for row in rows] == list(range(7, 7 + len(rows)))
    data = {number: stored for number, _, _, stored in rows}
    segments = {number: Segment(layout.encode(), checksum, stored) for number, layout, checksum, stored in rows}
    for number, frame in frames.items():
        segment, position = places[number]
        assert data[segment][position : position + len(frame)] == frame
        assert segments[segment].frame(number) == frame
    assert sorted(number for segment in segments.values() for number in segment) == list(frames)
    assert all(len(stored) <= SEGMENT_SIZE or len(list(segments[number])) == 1 for number, stored in data.items())


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([SEGMENT_SIZE], [1]),
        ([SEGMENT_SIZE - 1, 1], [2]),
        ([SEGMENT_SIZE, 1], [1, 1]),
        ([1, SEGMENT_SIZE], [1, 1]),
        ([1, SEGMENT_SIZE * 3, 1], [1, 1, 1]),
        ([1000] * 100, [65, 35]),
    ],
)
def test_a_segment_is_filled_but_not_overfilled(sizes, expected):
    rows, _, _ = pack(sizes)
    assert [len(list(Segment(layout.encode(), checksum, data))) for _, layout, checksum, data in rows] == expected


def test_a_finished_packer_starts_afresh():
    packer = SegmentPacker(1)
    list(packer.pack([1], [b"one"], [3]))
    assert len(packer.finish()) == 1
    assert packer.finish() == []
    assert list(packer.pack([2], [b"two"], [3])) == [(2, 0, 0, 1)]


def test_the_layout_can_be_read_by_people():
    rows, _, _ = pack([3, 4])
    assert rows[0][1] == "[[100,101],[3,4]]"


@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_flipped_bit_is_found(place):
    [(_, layout, checksum, data)], _, _ = pack([100])
    damaged = bytearray(data)
    damaged[place] ^= 1
    with pytest.raises(SegmentDamaged, match="checksum"):
        Segment(layout.encode(), checksum, bytes(damaged))


@pytest.mark.parametrize(
    ("layout", "checksum", "data"),
    [
        (b"[[100],[99]]", None, None),
        (b"[[101],[100]]", None, None),
        (None, 0, b""),
        (b"[[],[]]", 0, None),
        (b"[[],[]]", "text", b""),
    ],
)
def test_a_damaged_row_is_found(layout, checksum, data):
    [(_, _, right, frames)], _, _ = pack([100])
    with pytest.raises(SegmentDamaged):
        Segment(layout, right if checksum is None else checksum, frames if checksum is None else data)


def test_a_frame_of_another_segment_is_not_made_up():
    [(_, layout, checksum, data)], _, _ = pack([100, 100])
    with pytest.raises(SegmentDamaged, match="102"):
        Segment(layout.encode(), checksum, data).frame(102)
