"""SegmentIndex beside a plain dictionary."""

from __future__ import annotations

import random

import pytest

from rmimom.store.segment_index import GARBAGE_AT_ONCE, GARBAGE_BYTES, GARBAGE_SEGMENTS, SPARSE, SegmentIndex


@pytest.mark.parametrize("seed", range(10))
def test_it_knows_what_a_dictionary_knows(seed):
    chance = random.Random(seed)
    index, model, garbage = SegmentIndex(), {}, []
    for _ in range(2000):
        if chance.random() < 0.4 or not model:
            size = chance.randrange(1, 1000)
            number = index.next_id + chance.randrange(2)
            live = chance.choice((size, size, size, size // 2, size // 5, 0))
            index.add(number, live, size)
            if live:
                model[number] = [live, size]
            else:
                garbage.append(number)
        elif chance.random() < 0.8:
            number = chance.choice(list(model))
            size = chance.randint(1, model[number][0])
            index.drop(number, size)
            model[number][0] -= size
            if not model[number][0]:
                del model[number]
                garbage.append(number)
        else:
            merged = chance.sample(list(model), min(len(model), 3))
            assert index.dead_bytes(merged) == sum(model[number][1] - model[number][0] for number in merged)
            index.replaced(merged)
            for number in merged:
                del model[number]
        assert index.garbage == garbage
        due = index.garbage_due()
        assert due == garbage[: len(due)]
        if chance.random() < 0.1:
            index.swept(due)
            garbage = garbage[len(due) :]
        assert index.sparse == {number for number, (live, size) in model.items() if live * SPARSE < size}
        assert len(index) == len(model)
        assert index.next_id > max(model, default=0)


def test_memory_of_segments_that_are_gone_is_given_back():
    index = SegmentIndex()
    for number in range(1, 10_001):
        index.add(number, 5, 5)
        if number > 100:
            index.drop(number - 100, 5)
    assert len(index) == 100
    assert len(index._ids) < 400
    assert index.next_id == 10_001


@pytest.mark.parametrize(
    ("segments", "size", "due"),
    [
        (0, 1, False),
        (1, 1, False),
        (GARBAGE_SEGMENTS - 1, 1, False),
        (GARBAGE_SEGMENTS, 1, True),
        (1, GARBAGE_BYTES, True),
    ],
)
def test_a_little_garbage_can_wait(segments, size, due):
    index = SegmentIndex()
    for number in range(1, segments + 1):
        index.add(number, size, size)
        index.drop(number, size)
    assert bool(index.garbage_due()) == due


def test_much_garbage_goes_piece_by_piece():
    index = SegmentIndex()
    for number in range(1, 1001):
        index.add(number, 0, 60_000)
    pieces = []
    while due := index.garbage_due():
        pieces.append(due)
        index.swept(due)
    assert [number for piece in pieces for number in piece] == list(range(1, 1001))
    assert max(map(len, pieces)) == GARBAGE_AT_ONCE
