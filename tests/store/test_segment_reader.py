"""SegmentReader: checked, and the last ones kept."""

from __future__ import annotations

import pytest
from support.batches import make_frame, queue, stored

from rmimom.errors import StoreDamagedError
from rmimom.records import Batch
from rmimom.store import segment_reader
from rmimom.store.sqlite import SqliteStore

FRAMES = {number: make_frame(bytes([number]) * 30_000) for number in range(10, 20)}


@pytest.fixture
def store(directory):
    made = SqliteStore(directory)
    made.open()
    made.append(Batch(1, 1, 400, [queue(1), stored(1, [1], FRAMES)]))
    yield made
    made.close()


def test_reading_on_reads_no_segment_twice(store, monkeypatch):
    """Two frames lie in each of five segments, and a segment fits into what is kept."""
    monkeypatch.setattr(segment_reader, "KEPT_BYTES", 130_000)
    asked = []
    store._connection.set_trace_callback(lambda text: asked.append(text) if "FROM segment" in text else None)
    for _ in range(2):
        for number, frame in FRAMES.items():
            assert store.frames([number]) == {number: frame}
    assert len(asked) == 10
    assert store._reader._bytes == sum(segment.size for segment in store._reader._kept.values()) <= 130_000


def test_a_segment_too_large_to_be_kept_is_still_read(store, monkeypatch):
    monkeypatch.setattr(segment_reader, "KEPT_BYTES", 10)
    assert store.frames(list(FRAMES)) == FRAMES
    assert store._reader._bytes == len(store._reader._kept) == 0


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ("DELETE FROM segment WHERE id = 2", "segment 2 is missing"),
        ("UPDATE message SET segment_id = 3 WHERE id = 12", "segment 3: it does not hold message 12"),
        ("UPDATE segment SET data = zeroblob(length(data)) WHERE id = 2", "segment 2: its checksum"),
        ("UPDATE segment SET layout = '[]' WHERE id = 2", "segment 2: its checksum"),
    ],
)
def test_damage_is_told_by_segment(store, damage, text):
    store._connection.execute(damage)
    with pytest.raises(StoreDamagedError, match=text):
        store.frames([12])
    assert store.frames([10, 11]) == {10: FRAMES[10], 11: FRAMES[11]}
