"""Worlds full of crashes, torn links and full disks, in which the promises of the design hold (docs/design/0001).

`pytest tests/simulation --seeds 5000 --first-seed 1` runs longer; a failure names its seed and shows a short trace.
"""

from __future__ import annotations

import pytest
from support.cast import usual_clients
from support.reports import explain, run_seed
from support.world import Plan, run_world

from rmimom_chaos.history import write_lines

PLANS = {
    "usual": Plan(),
    "crashes": Plan(crashes=12, tears=2, messages=60, duration=10.0),
    "links": Plan(crashes=0, tears=40, full_periods=0),
    "full disk": Plan(full_periods=6, crashes=2, tears=4),
    "no memory": Plan(resident_bytes=1),
    "much memory": Plan(resident_bytes=10**9, crashes=4),
    "one queue": Plan(queues=1, topics=0, workers=4, producers=2),
    "crowded topic": Plan(queues=1, topics=1, workers=1, subscribers=5, listeners=3),
}
USUAL_SEEDS = 16
"""For each plan; together some ten seconds."""


@pytest.mark.parametrize("name", PLANS)
def test_promises_hold(name: str, request: pytest.FixtureRequest) -> None:
    first = request.config.getoption("--first-seed")
    for seed in range(first, first + (request.config.getoption("--seeds") or USUAL_SEEDS)):
        try:
            bad = run_seed(seed, PLANS[name])
        except AssertionError as error:
            pytest.fail(f"{error}\n{explain(seed, PLANS[name])}")
        if bad:
            pytest.fail(explain(seed, PLANS[name]))


def test_seed_is_one_run() -> None:
    """Given the same seed twice, when both worlds ran, then their histories are the same, byte for byte."""
    histories = [write_lines(run_world(7, usual_clients)) for _ in range(2)]
    assert histories[0] == histories[1]
    assert histories[0] != write_lines(run_world(8, usual_clients))


def test_world_is_eventful() -> None:
    """Given some seeds, when they ran, then all that can go wrong did, and most messages arrived all the same."""
    events = [event for seed in range(25) for event in run_world(seed, usual_clients)]
    faults = {event.value for event in events if event.op == "fault"}
    assert faults == {"crash", "torn", "full", "closed", "died"}
    seen = {(event.type, event.op) for event in events}
    for wanted in [
        "ok receive",
        "ok acknowledge",
        "fail send",
        "info send",
        "ok release",
        "ok unsubscribe",
        "ok browse",
        "ok retry",
    ]:
        assert tuple(wanted.split()) in seen, wanted
    assert max(event.count for event in events) >= 3
    buried = {(event.place, event.reason) for event in events if event.dead_at and event.op == "receive"}
    assert {place for place, reason in buried if reason != "expired"} == {
        "queue://DLQ.q0",
        "queue://DLQ.q1",
        "queue://DLQ.topics",
    }
    assert ("queue://EXP.q0", "expired") in buried
    assert any(event.retried_at and event.op == "receive" for event in events)
    assert any(event.shared for event in events)
