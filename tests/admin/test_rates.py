"""Rates from two looks at counters."""

from __future__ import annotations

from typing import Any

from rmimom.admin.rates import Line, Rates, in_order


def row(name: str, enqueued: int, dequeued: int) -> dict[str, Any]:
    """A queue as the interface lists it."""
    counters = {"enqueued": enqueued, "dequeued": dequeued}
    return {"kind": "queue", "name": name, "pending": 0, "consumers": 1, **counters}


def test_rates_are_of_the_time_between_two_looks() -> None:
    rates = Rates()
    assert [line.rate_in for line in rates.look([row("a", 100, 50)], 10.0)] == [0.0]
    [line] = rates.look([row("a", 140, 60)], 12.0)
    assert (line.rate_in, line.rate_out) == (20.0, 5.0)


def test_what_is_new_or_began_anew_has_no_rate_below_zero() -> None:
    rates = Rates()
    rates.look([row("a", 100, 50)], 1.0)
    found = rates.look([row("a", 10, 5), row("b", 1000, 0)], 2.0)
    assert [(line.rate_in, line.rate_out) for line in found] == [(0.0, 0.0), (0.0, 0.0)]
    assert [line.rate_in for line in rates.look([row("a", 30, 5), row("b", 1000, 0)], 3.0)] == [20.0, 0.0]


def test_the_busiest_come_first() -> None:
    lines = [
        Line("queue", "b", 1, 0, 5.0, 0.0),
        Line("queue", "a", 1, 3, 0.0, 7.0),
        Line("topic", "c", 9, 0, 1.0, 0.0),
    ]
    assert [line.name for line in in_order(lines, "pending")] == ["c", "a", "b"]
    assert [line.name for line in in_order(lines, "in")] == ["b", "c", "a"]
    assert [line.name for line in in_order(lines, "out")] == ["a", "b", "c"]
    assert [line.name for line in in_order(lines, "consumers")] == ["a", "b", "c"]
    assert [line.name for line in in_order(lines, "name")] == ["a", "b", "c"]
