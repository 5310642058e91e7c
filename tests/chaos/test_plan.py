"""The plan of a run is decided by its seed alone."""

from __future__ import annotations

from collections import Counter

import pytest

from rmimom_chaos.faults import FAULTS
from rmimom_chaos.plan import make_plan


def test_the_same_seed_makes_the_same_plan() -> None:
    assert make_plan(7, 600, list(FAULTS)) == make_plan(7, 600, list(reversed(FAULTS)))


def test_another_seed_makes_another_plan() -> None:
    assert make_plan(7, 600, list(FAULTS)) != make_plan(8, 600, list(FAULTS))


@pytest.mark.parametrize("seed", range(5))
def test_it_fills_the_time_and_each_kind_comes_before_one_comes_again(seed: int) -> None:
    steps = make_plan(seed, 300, list(FAULTS))
    assert sum(step.calm + step.lasts for step in steps) >= 300
    first = Counter(step.fault for step in steps[: len(FAULTS)])
    assert first == Counter(list(FAULTS))
    counts = Counter(step.fault for step in steps)
    assert max(counts.values()) - min(counts.values()) <= 1
