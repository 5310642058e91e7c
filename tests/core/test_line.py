"""The consumers that have room (the rules stand in rmimom/core/line.py)."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rmimom.core.consumer import Consumer
from rmimom.core.entry import Entry
from rmimom.core.line import Line


def consumers(ranks: Sequence[tuple[int, bool]]) -> list[Consumer]:
    """Consumers with these priorities, exclusive or not."""
    return [
        Consumer("c", number, 1, 10, priority=rank, exclusive=exclusive)
        for number, (rank, exclusive) in enumerate(ranks)
    ]


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.booleans()), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["come", "go", "full", "free"])), max_size=30),
)
def test_front_is_the_highest_priority_with_room(ranks: list[tuple[int, bool]], acts: list[tuple[int, str]]) -> None:
    """Given consumers that come, go, fill up and get room, then the front is what the rules say."""
    line = Line()
    everybody = consumers(ranks)
    present: list[Consumer] = []
    for number, act in acts:
        one = everybody[number % len(everybody)]
        if act == "come" and one not in present:
            present.append(one)
            line.choose_sole(present)
            line.join(one)
        elif act == "go" and one in present:
            present.remove(one)
            line.leave(one)
            line.choose_sole(present)
        elif act == "full" and not one.held:
            one.hold(Entry(1, 4, 0, 1, 1, False, b""))
            line.leave(one)
        elif act == "free" and one.held:
            one.let_go([1])
            if one in present:
                line.join(one)
        exclusive = [one for one in present if one.exclusive]
        highest = max((one.priority for one in exclusive), default=0)
        sole = next((one for one in exclusive if one.priority == highest), None)
        assert line.sole is sole
        able = [one for one in present if one.has_room and (sole is None or one is sole)]
        assert {id(one) for one in line} == {id(one) for one in able}
        assert [one.priority for one in line] == sorted((one.priority for one in able), reverse=True)
        assert {id(one) for one in line.front} == {
            id(one) for one in able if one.priority == max(other.priority for other in able)
        }
        assert all(one.waiting == (one in able) for one in everybody)
