"""What waits for a connection is cut into batches that tell each consumer its messages, in their order, once."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmimom.errors import IllegalStateError
from rmimom.frame import Delivered, decode_deliveries
from rmimom.listeners.rmi.objects import outbound
from rmimom.listeners.rmi.objects.outbound import Outbound


def delivered(tag: int, *consumers: int, count: int = 1, note: str = "", size: int = 2) -> Delivered:
    frame = msgspec.Raw(msgspec.msgpack.encode("x" * size))
    return Delivered(tag, list(consumers), [count] * len(consumers), frame, note)


def told(sink: Outbound) -> list[list[Delivered]]:
    """All batches, as a client reads them."""
    batches: list[list[Delivered]] = []
    while sink.has_more(len(batches)):
        number, data = sink.batch_after(len(batches))
        assert number == len(batches) + 1
        batches.append(decode_deliveries(data).delivered)
    return batches


def shapes(batches: list[list[Delivered]]) -> list[list[tuple[int, list[int]]]]:
    return [[(one.tag, one.consumers) for one in batch] for batch in batches]


def sink_with(*messages: Delivered) -> Outbound:
    sink = Outbound(lambda: None)
    sink.deliver(list(messages))
    return sink


def test_what_several_were_handed_one_after_the_other_is_told_once() -> None:
    turns = [delivered(tag, consumer, count=consumer) for consumer in (1, 2, 3) for tag in (4, 5)]
    [[first, second]] = told(sink_with(*turns))
    assert (first.tag, first.consumers, first.counts) == (4, [1, 2, 3], [1, 2, 3])
    assert (second.tag, second.consumers, second.counts) == (5, [1, 2, 3], [1, 2, 3])


def test_nothing_is_told_before_what_came_before_it() -> None:
    """Given a consumer that is handed 4 and then 5, when 5 is there before 4, then it is told again behind 4."""
    batches = told(sink_with(delivered(5, 1), delivered(6, 1), delivered(4, 2), delivered(5, 2), delivered(5, 3)))
    assert shapes(batches) == [[(5, [1]), (6, [1]), (4, [2]), (5, [2, 3])]]


def test_another_note_is_another_message() -> None:
    assert shapes(told(sink_with(delivered(4, 1), delivered(4, 2, note="{}")))) == [[(4, [1]), (4, [2])]]


def test_lists_that_the_core_shares_stay_as_they_are() -> None:
    consumers, counts, frame = [1, 2], [1, 1], msgspec.Raw(msgspec.msgpack.encode("x"))
    many = [Delivered(tag, consumers, counts, frame) for tag in (4, 5)]
    assert shapes(told(sink_with(*many, delivered(4, 3)))) == [[(4, [1, 2, 3]), (5, [1, 2])]]
    assert (consumers, counts) == ([1, 2], [1, 1])


def test_the_last_batch_is_told_again_until_the_next_is_asked_for() -> None:
    sink = sink_with(delivered(4, 1))
    first = sink.batch_after(0)
    sink.deliver([delivered(5, 1)])
    assert sink.batch_after(0) == first
    number, data = sink.batch_after(1)
    assert (number, decode_deliveries(data).delivered[0].tag) == (2, 5)
    with pytest.raises(IndexError):
        sink.batch_after(2)


def test_a_consumer_ends_after_all_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "MAX_BATCH_MESSAGES", 2)
    sink = sink_with(*[delivered(tag, 1) for tag in range(1, 4)])
    sink.consumer_closed(1, IllegalStateError("gone"))
    batches = [decode_deliveries(sink.batch_after(number)[1]) for number in (0, 1)]
    assert [[one.tag for one in batch.delivered] for batch in batches] == [[1, 2], [3]]
    assert [len(batch.closed) for batch in batches] == [0, 1]


def test_a_large_message_ends_a_batch() -> None:
    batches = told(sink_with(delivered(1, 1), delivered(2, 1, size=outbound.MAX_BATCH_BYTES), delivered(3, 1)))
    assert shapes(batches) == [[(1, [1]), (2, [1])], [(3, [1])]]


@given(st.lists(st.tuples(st.integers(1, 6), st.sets(st.integers(1, 4), min_size=1))), st.integers(1, 5))
def test_each_consumer_is_told_all_of_its_own_in_order(turns: list[tuple[int, set[int]]], most: int) -> None:
    """Whatever is shared."""
    given_to: dict[int, list[tuple[int, int]]] = defaultdict(list)
    messages: list[Delivered] = []
    for count, (tag, consumers) in enumerate(turns):
        messages.append(delivered(tag, *consumers, count=count))
        for consumer in consumers:
            given_to[consumer].append((tag, count))
    heard: dict[int, list[tuple[int, int]]] = defaultdict(list)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbound, "MAX_BATCH_MESSAGES", most)
        for batch in told(sink_with(*messages)):
            assert len(batch) <= most
            for one in batch:
                for consumer, count in zip(one.consumers, one.counts, strict=True):
                    heard[consumer].append((one.tag, count))
    assert heard == given_to
