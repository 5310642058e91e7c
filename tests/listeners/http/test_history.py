"""A day in fixed memory."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rmimom.listeners.http.history import RINGS, History, Sample


def filled(seconds: int, rate: int = 5) -> History:
    """A history of so many seconds, in each of which some messages came and half as many went."""
    history = History()
    for second in range(seconds):
        history.add(Sample(1_000_000 + second * 1000, second * rate * 2, second * rate, second, 1, 2, 3))
    return history


def test_nothing_is_known_before_the_first_sample() -> None:
    assert History().points(60, 10) == []


def test_rates_are_made_of_counters() -> None:
    points = filled(10).points(60, 100)
    assert [point.pending for point in points] == list(range(10))
    assert [(point.in_rate, point.out_rate) for point in points] == [(0, 0)] + [(10, 5)] * 9


@pytest.mark.parametrize(
    ("seconds", "most", "count", "step"),
    [(60, 1000, 61, 1), (900, 1000, 900, 1), (900, 300, 300, 3), (3600, 1000, 360, 10), (86400, 2000, 1440, 60)],
)
def test_the_last_minutes_and_the_last_day(seconds: int, most: int, count: int, step: int) -> None:
    """Given two days, when some of it is asked for, then it comes in as many points as are kept or wanted."""
    history = filled(2 * 86400)
    points = history.points(seconds, most)
    assert len(points) == count
    gaps = {after.at - before.at for before, after in pairwise(points)}
    assert gaps == {step * 1000}
    assert 1_000_000 + (2 * 86400 - 1) * 1000 - points[-1].at < step * 1000
    assert {round(point.in_rate, 6) for point in points[1:]} == {10}


def test_memory_is_bounded() -> None:
    history = filled(100_000)
    assert sum(len(list(ring)) for ring in history._rings) == sum(size for _, size in RINGS)


def test_counters_that_begin_anew_are_no_negative_rate() -> None:
    history = filled(5)
    history.add(Sample(1_005_000, 3, 0, 0, 0, 0, 0))
    assert history.points(60, 100)[-1].in_rate == 0
