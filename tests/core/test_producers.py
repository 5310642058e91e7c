"""What is accepted of each producer."""

from __future__ import annotations

from rmimom.core.producers import Producers


def test_unknown_producer_has_nothing_accepted() -> None:
    assert Producers(1000).accepted_up_to("x") == 0


def test_last_number_counts() -> None:
    producers = Producers(1000)
    producers.advance("x", 3, 0)
    producers.advance("y", 1, 0)
    producers.advance("x", 8, 1)
    assert (producers.accepted_up_to("x"), producers.accepted_up_to("y"), len(producers)) == (8, 1, 2)


def test_silent_producers_are_forgotten_and_those_heard_again_are_not() -> None:
    """Given a memory of 1000 ms, when 1000 ms have passed since the last send of y alone, then y is forgotten."""
    producers = Producers(1000)
    producers.advance("x", 1, 0)
    producers.advance("y", 1, 10)
    producers.advance("x", 2, 20)
    assert list(producers.items()) == [("y", 1), ("x", 2)]
    assert producers.forget_silent(1009) == []
    assert producers.forget_silent(1010) == ["y"]
    assert list(producers.items()) == [("x", 2)]
