"""What a batch collects (rmimom/open_batch.py)."""

from __future__ import annotations

import asyncio

import pytest

from rmimom.effects import NOT_LOADED, Accepted, Deliver, Examine, Fetch, Outcome
from rmimom.frame import Delivered
from rmimom.open_batch import SMALL_BYTES, SMALL_RECORDS, OpenBatch
from rmimom.records import MessagesRemoved, MessagesStored, Record


def test_what_was_decided_is_kept_in_order() -> None:
    """Given outcomes, then records, effects and replies are there, and what has to be read is known."""
    loop = asyncio.new_event_loop()
    try:
        batch = OpenBatch()
        assert batch.empty
        record = MessagesRemoved(1, [2])
        told = Deliver("c", [Delivered(5, [1], [1], NOT_LOADED)])
        batch.add(None, Outcome(Accepted(), [record], [told, Fetch([7]), Examine(1, ["a = 1"], [8])]))
        future = loop.create_future()
        batch.add(future, Outcome(Accepted(3), [], []))
        assert (batch.records, batch.effects, batch.missing) == ([record], [told], [5])
        assert batch.examinations == [Fetch([7]), Examine(1, ["a = 1"], [8])]
        assert batch.replies == [(future, Accepted(3))]
        assert not batch.empty
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("records", "small"),
    [
        ([], True),
        ([MessagesRemoved(1, list(range(SMALL_RECORDS)))], True),
        ([MessagesRemoved(1, list(range(SMALL_RECORDS + 1)))], False),
        ([MessagesRemoved(1, [])] * (SMALL_RECORDS + 1), False),
    ],
    ids=["nothing", "some messages", "many messages", "many records"],
)
def test_a_message_or_two_are_small(records: list[Record], small: bool) -> None:
    batch = OpenBatch()
    batch.add(None, Outcome(Accepted(), records, []))
    assert batch.small is small


def test_large_frames_are_not_small() -> None:
    for size, small in ((SMALL_BYTES, True), (SMALL_BYTES + 1, False)):
        batch = OpenBatch()
        batch.records.append(MessagesStored(1, [1], [2], [], [bytes(size)]))
        assert batch.small is small
