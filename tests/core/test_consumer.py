"""The window of a consumer, and how it lets go of what it holds."""

from __future__ import annotations

import pytest

from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry


def holding(*sizes: int, prefetch: int = 10, prefetch_bytes: int = 1000) -> Consumer:
    """A consumer with entries 1, 2, … of these sizes."""
    consumer = Consumer("c", 1, prefetch, prefetch_bytes)
    for number, size in enumerate(sizes, 1):
        consumer.hold(Entry(number, 4, 0, size, 1, False, b""))
    return consumer


@pytest.mark.parametrize(
    ("sizes", "prefetch", "prefetch_bytes", "room"),
    [
        ((), 1, 1, True),
        ((10,), 1, 1000, False),
        ((10,), 2, 1000, True),
        ((10, 10), 5, 21, True),
        ((10, 10), 5, 20, False),
        ((5000,), 5, 20, False),
    ],
)
def test_room(sizes: tuple[int, ...], prefetch: int, prefetch_bytes: int, room: bool) -> None:
    """There is room until the number or the bytes are reached; a single message may be larger than the window."""
    assert holding(*sizes, prefetch=prefetch, prefetch_bytes=prefetch_bytes).has_room is room


@pytest.mark.parametrize(
    ("up_to", "gone", "held_bytes"),
    [(1, [1], 50), (2, [1, 2], 30), (3, [1, 2, 3], 0), (4, [], 60)],
)
def test_let_go_up_to(up_to: int, gone: list[int], held_bytes: int) -> None:
    """Everything delivered up to the tag goes; a tag that is not held lets nothing go."""
    consumer = holding(10, 20, 30)
    assert [entry.id for entry in consumer.let_go_up_to(up_to)] == gone
    assert consumer.held_bytes == held_bytes
    assert len(consumer.held) == 3 - len(gone)


def test_up_to_goes_by_the_order_of_delivery() -> None:
    """Given 3 was delivered before 2, when all up to 3 goes, then 2 stays."""
    consumer = Consumer("c", 1, 10, 100)
    for number in (1, 3, 2):
        consumer.hold(Entry(number, 4, 0, 1, 1, False, b""))
    consumer.let_go_up_to(3)
    assert list(consumer.held) == [2]


def test_let_go_passes_over_what_is_not_held() -> None:
    consumer = holding(10, 20, 30)
    assert [entry.id for entry in consumer.let_go((3, 99, 1, 1))] == [3, 1]
    assert consumer.held_bytes == 20


@pytest.mark.parametrize(("up_to", "gone"), [(1, [1]), (2, [1]), (3, [1, 3]), (4, [1, 3]), (5, [1, 3, 5]), (99, [])])
def test_up_to_what_was_taken_away_means_all_before_it(up_to: int, gone: list[int]) -> None:
    """Given 2 and 4 were settled by somebody else, when all up to 4 is acknowledged, then 1 and 3 are, and 5 is not."""
    consumer = holding(10, 10, 10, 10, 10)
    assert [entry.id for entry in consumer.take_away((4, 2, 77))] == [4, 2]
    assert consumer.held_bytes == 30
    assert [entry.id for entry in consumer.let_go_up_to(up_to)] == gone
    assert consumer.let_go_up_to(up_to) == []


def test_repr_tells_how_full_it_is() -> None:
    assert repr(holding(1, 1)) == "Consumer('c', 1, holds 2 of 10)"
