"""What is kept of a topic (rmimom/core/history.py, rmimom/retention.py)."""

from __future__ import annotations

import pytest
from support.messages import frame_for

from rmimom.core.history import History, Kept
from rmimom.destination import TemporaryTopic, Topic
from rmimom.errors import ConfigurationError
from rmimom.frame import decode_head
from rmimom.retention import Retention, retention_of

TOPIC = Topic("prices.one")


def kept(number: int, at: int, size: int = 1) -> Kept:
    """A message."""
    frame = frame_for(TOPIC, "x" * size)
    return Kept(number, at, decode_head(frame), frame, None, "c")


def numbers(history: History, now: int = 0) -> list[int]:
    """What is kept."""
    return [one.number for one in history.recall(now)]


def test_the_last_messages_are_kept() -> None:
    """Given a bound for each, when messages come, then the oldest go first."""
    by_number = History(Retention(pattern=">", messages=2))
    by_age = History(Retention(pattern=">", milliseconds=10))
    by_size = History(Retention(pattern=">", bytes=len(kept(0, 0).frame) * 2))
    for history in (by_number, by_age, by_size):
        for number in range(4):
            history.add(kept(number, number * 5))
    assert numbers(by_number) == [2, 3]
    assert numbers(by_age, 20) == [2, 3]
    assert numbers(by_size) == [2, 3]
    assert numbers(by_age, 26) == []
    by_size.add(kept(9, 0, 1000))
    assert numbers(by_size) == []


def test_the_first_that_fits_counts() -> None:
    """Given two rules, when topics are looked up, then each has the first whose pattern fits, and others none."""
    rules = [Retention(pattern="topic://prices.*"), Retention(pattern="prices.>")]
    assert retention_of(TOPIC, rules) is rules[0]
    assert retention_of(Topic("prices.one.two"), rules) is rules[1]
    assert retention_of(Topic("other"), rules) is None
    assert retention_of(TemporaryTopic("prices.one"), rules) is None


@pytest.mark.parametrize("values", [{"messages": 0}, {"bytes": 0}, {"milliseconds": -1}, {"pattern": "a b"}])
def test_wrong_values_are_named(values: dict[str, object]) -> None:
    """Given a value out of its range, when the rule is made, then it is refused by name."""
    with pytest.raises(ConfigurationError):
        Retention(**{"pattern": ">", **values})  # type: ignore[arg-type]
