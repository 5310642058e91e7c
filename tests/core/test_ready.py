"""The order of what waits: priority, then age (Jakarta Messaging §3.4.10, §6.2.9)."""

from __future__ import annotations

import random

import pytest

from rmimom.core.entry import Entry
from rmimom.core.ready import ReadyList


def entry(number: int, priority: int = 4) -> Entry:
    return Entry(number, priority, 0, 1, 1, False, b"x")


def filled(*entries: Entry) -> ReadyList:
    ready = ReadyList()
    for one in entries:
        ready.append(one)
    return ready


def ids(ready: ReadyList) -> list[int]:
    """What it holds, taken one by one; the list without taking must say the same."""
    shown = [one.id for one in ready]
    taken = [ready.pop().id for _ in range(len(ready))]
    assert shown == taken
    return taken


@pytest.mark.parametrize(
    ("new", "returned", "expected"),
    [
        ([], [], []),
        ([(1, 4), (2, 4), (3, 4)], [], [1, 2, 3]),
        ([(1, 0), (2, 9), (3, 4), (4, 9)], [], [2, 4, 3, 1]),
        ([(4, 4), (6, 4)], [(5, 4), (3, 4)], [3, 4, 5, 6]),
        ([(4, 4)], [(2, 9), (5, 9), (1, 0)], [2, 5, 4, 1]),
        ([], [(3, 4), (1, 4), (2, 4)], [1, 2, 3]),
    ],
)
def test_order_is_priority_then_age(
    new: list[tuple[int, int]], returned: list[tuple[int, int]], expected: list[int]
) -> None:
    """Given new and returned entries, when they are taken, then the higher priority comes first, then the older."""
    ready = filled(*(entry(*one) for one in new))
    for one in returned:
        ready.put_back(entry(*one))
    assert len(ready) == len(expected)
    assert ids(ready) == expected


def test_empty_list_gives_nothing() -> None:
    with pytest.raises(IndexError):
        ReadyList().pop()


def test_level_is_used_again_after_it_was_empty() -> None:
    ready = filled(entry(1, 9))
    ready.pop()
    ready.append(entry(2, 0))
    ready.append(entry(3, 9))
    assert ids(ready) == [3, 2]


def test_take_returned_finds_only_what_was_put_back() -> None:
    """Given returned entries of two priorities and a new one, when taken by id, then the new one stays."""
    ready = filled(entry(7))
    for number, priority in [(1, 4), (2, 9), (3, 4)]:
        ready.put_back(entry(number, priority))
    assert {one.id for one in ready.take_returned({2, 3, 7, 99})} == {2, 3}
    assert ids(ready) == [1, 7]


def test_take_returned_empties_a_level() -> None:
    ready = ReadyList()
    ready.put_back(entry(1, 9))
    ready.append(entry(2, 0))
    ready.take_returned({1})
    assert ids(ready) == [2]


def test_remove_takes_from_both_places() -> None:
    ready = filled(entry(4), entry(5), entry(6, 9))
    ready.put_back(entry(1))
    ready.put_back(entry(2))
    assert {one.id for one in ready.remove({1, 5, 6, 99})} == {1, 5, 6}
    assert ids(ready) == [2, 4]


def test_clear_gives_everything_in_order() -> None:
    ready = filled(entry(2), entry(3, 9))
    ready.put_back(entry(1))
    assert [one.id for one in ready.clear()] == [3, 1, 2]
    assert len(ready) == 0
    assert ids(ready) == []


@pytest.mark.parametrize("seed", range(20))
def test_taking_some_from_the_middle_leaves_the_others_in_order(seed: int) -> None:
    """Given any list, when some entries are found and removed, then it is as if each had been looked at."""
    dice = random.Random(seed)
    numbers = dice.sample(range(1, 200), dice.randint(0, 100))
    everything = [entry(number, dice.choice([0, 4, 4, 9])) for number in sorted(numbers)]
    ready = ReadyList()
    returned = []
    for one in everything:
        if dice.random() < 0.2:
            returned.append(one)
        else:
            ready.append(one)
    for one in dice.sample(returned, len(returned)):
        ready.put_back(one)
    wanted = set(dice.sample(range(1, 200), dice.randint(0, 60)))
    expected = {one.id for one in everything if one.id in wanted}
    assert {one.id for one in ready.find(wanted)} == expected
    assert {one.id for one in ready.remove(wanted)} == expected
    assert ready.find(wanted) == []
    left = sorted((one for one in everything if one.id not in wanted), key=lambda one: (-one.priority, one.id))
    assert ids(ready) == [one.id for one in left]
