"""Redelivery policies: which counts, how long a delay is, and what is refused."""

from __future__ import annotations

import pytest

from rmimom.destination import Destination, Queue, Topic
from rmimom.errors import ConfigurationError
from rmimom.policy import Policies, RedeliveryPolicy, Rule


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        (">", [Queue("a"), Topic("a.b.c")], []),
        ("queue://>", [Queue("a.b")], [Topic("a.b")]),
        ("a.*", [Queue("a.b"), Topic("a.c")], [Queue("a"), Queue("a.b.c"), Queue("xa.b")]),
        ("a.>", [Queue("a"), Queue("a.b"), Queue("a.b.c")], [Queue("ab"), Queue("b.a")]),
        ("*.b", [Queue("a.b")], [Queue("b"), Queue("a.c")]),
        ("topic://a", [Topic("a")], [Queue("a"), Topic("a.b")]),
        ("a+b", [Queue("a+b")], [Queue("aab")]),
    ],
)
def test_patterns(pattern: str, fits: list[Destination], others: list[Destination]) -> None:
    policy = RedeliveryPolicy(maximum=1)
    policies = Policies([Rule(pattern, policy)])
    for _ in range(2):
        assert all(policies.of(destination) is policy for destination in fits)
        assert all(policies.of(destination) is policies.default for destination in others)


def test_the_first_rule_that_fits_counts() -> None:
    first, second = RedeliveryPolicy(maximum=1), RedeliveryPolicy(maximum=2)
    policies = Policies([Rule("a.*", first), Rule(">", second)])
    assert [policies.of(Queue(name)).maximum for name in ("a.b", "c")] == [1, 2]


@pytest.mark.parametrize("pattern", ["", "a b", "a.>.b", "a..b", "ftp://a", "a*", ">a", "queue://"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="no pattern"):
        Rule(pattern, RedeliveryPolicy())


def test_delays_grow_up_to_the_longest() -> None:
    policy = RedeliveryPolicy(delay=100, multiplier=3, maximum_delay=1000)
    assert [policy.delay_after(failures, 1) for failures in (1, 2, 3, 4, 1_000_000)] == [100, 300, 900, 1000, 1000]
    assert RedeliveryPolicy(delay=0, multiplier=9).delay_after(5, 1) == 0
    assert RedeliveryPolicy(delay=10).delay_after(1_000_000, 1) == 10


def test_jitter_shortens_and_is_the_same_every_time() -> None:
    """The core is deterministic, and so is the chance in it."""
    policy = RedeliveryPolicy(delay=1000, jitter=0.5)
    delays = [policy.delay_after(1, number) for number in range(100)]
    assert delays == [policy.delay_after(1, number) for number in range(100)]
    assert all(500 <= delay <= 1000 for delay in delays)
    assert len(set(delays)) > 80


def test_names_of_queues() -> None:
    policy = RedeliveryPolicy(dead_letter="dead/{name}", expiry="")
    assert policy.dead_letter_queue(Topic("a.b")) == "dead/a.b"
    assert policy.expiry_queue(Topic("a.b")) == ""
    assert len(RedeliveryPolicy().dead_letter_queue(Queue("x" * 255))) == 255


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"maximum": -2}, "maximum is -2"),
        ({"delay": -1}, "delay is -1"),
        ({"multiplier": 0.5}, "multiplier is 0.5"),
        ({"jitter": 1.5}, "jitter is 1.5"),
        ({"jitter": float("nan")}, "jitter is nan"),
        ({"dead_letter": "a b"}, "dead_letter is 'a b'"),
        ({"expiry": "rmimom.{name}"}, "belong to the server"),
    ],
)
def test_values_out_of_range_are_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        RedeliveryPolicy(**settings)  # type: ignore[arg-type]
