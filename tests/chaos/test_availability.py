"""How long nothing was confirmed is counted from the fault on, and belongs to it."""

from __future__ import annotations

from rmimom_chaos.availability import Availability, Gap, availability, gaps
from rmimom_chaos.history import INFO, OK, Event, History


def history(confirmed: list[int], *marks: tuple[int, str, str]) -> History:
    """Sends confirmed at these times, and (time, fault or heal, which)."""
    events = [Event(time, "p", OK, "send", value=f"p-{time}") for time in confirmed]
    events += [Event(time, "harness", INFO, op, value=which) for time, op, which in marks]
    return sorted(events, key=lambda event: event.time)


def test_the_longest_gap_is_that_after_the_fault() -> None:
    events = history([100, 900, 1000, 1300, 4300, 4400], (1200, "fault", "kill"), (3000, "heal", "kill"))
    assert gaps(events) == [Gap("kill", 1200, 3000)]


def test_a_gap_begins_with_the_fault_at_the_earliest() -> None:
    assert gaps(history([100, 2000, 2100], (1500, "fault", "kill"))) == [Gap("kill", 1500, 500)]


def test_a_gap_that_goes_on_beyond_the_next_fault_counts_for_both() -> None:
    events = history([100, 5000], (1000, "fault", "kill"), (2000, "heal", "kill"), (3000, "fault", "loss"))
    assert gaps(events) == [Gap("kill", 1000, 4000), Gap("loss", 3000, 2000)]


def test_nothing_is_missed_when_nobody_works_any_more() -> None:
    events = history([100, 1100], (1000, "fault", "kill"), (2000, "heal", "kill"))
    assert gaps(events) == [Gap("kill", 1000, 100)]


def test_gaps_are_put_together_by_kind() -> None:
    events = history(
        [100, 1500, 2000, 3900, 4000, 4700, 4800],
        (1000, "fault", "kill"),
        (1600, "fault", "loss"),
        (2000, "fault", "kill"),
        (4000, "fault", "kill"),
    )
    assert availability(events) == [Availability("kill", 3, 700, 1900), Availability("loss", 1, 400, 400)]
