"""What the latest batches did is kept, without the messages, as far as there is room."""

from __future__ import annotations

from support.batches import make_frame
from support.batches import stored as stored_record

from rmimom.records import Batch, MessagesRemoved, MessagesStored
from rmimom.trail import Trail

QUEUE = 1


def stored(sequence: int, *ids: int) -> Batch:
    return Batch(1, sequence, 100, [stored_record(QUEUE, [QUEUE], {number: make_frame() for number in ids})])


def removed(sequence: int, *ids: int) -> Batch:
    return Batch(1, sequence, 100, [MessagesRemoved(QUEUE, list(ids))])


def test_what_is_kept_has_its_time_and_no_messages() -> None:
    trail = Trail()
    trail.add(stored(1, 5), 1000)
    trail.add(removed(2, 5), 1001)
    first, second = trail.kept()
    [record] = first.batch.records
    assert isinstance(record, MessagesStored)
    assert (record.ids, first.message_ids, record.heads, record.frames) == ([5], ["ID:1"], [], [])
    assert (first.at, second.at, second.batch) == (1000, 1001, removed(2, 5))


def test_the_batch_itself_is_left_as_it_is() -> None:
    batch = stored(1, 5)
    Trail().add(batch, 1000)
    assert batch == stored(1, 5)


def test_the_oldest_goes_when_there_is_too_much() -> None:
    """A record counts as one, and each number in it."""
    trail = Trail(most=6)
    for sequence in range(1, 5):
        trail.add(stored(sequence, sequence * 10, sequence * 10 + 1), 0)
    assert [moment.batch.sequence for moment in trail.kept()] == [3, 4]
    trail.add(stored(5, *range(20)), 0)
    assert [moment.batch.sequence for moment in trail.kept()] == [5]
