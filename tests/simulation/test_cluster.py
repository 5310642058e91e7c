"""Clusters in which servers die, stop, and lose each other, and in which the promises of the design hold all the same.

`pytest tests/simulation/test_cluster.py --seeds 500 --first-seed 1` runs longer; a failure names its seed.
"""

from __future__ import annotations

from collections import Counter

import pytest
from support.cast import usual_clients
from support.cluster_reports import run_cluster_seed
from support.cluster_world import ClusterPlan, run_cluster

from rmimom_chaos.history import write_lines

PLANS = {
    "pair": ClusterPlan(kills=3, breaks=2),
    "pair, all kinds of trouble": ClusterPlan(
        kills=2, stops=2, cuts=2, breaks=3, absences=1, switchovers=2, slow_disks=1, full_disks=1
    ),
}
USUAL_SEEDS = 8
"""For each plan; together some thirty seconds."""


@pytest.mark.parametrize("name", PLANS)
def test_promises_hold(name: str, request: pytest.FixtureRequest) -> None:
    first = request.config.getoption("--first-seed")
    counted: Counter[str] = Counter()
    for seed in range(first, first + (request.config.getoption("--seeds") or USUAL_SEEDS)):
        wrong = run_cluster_seed(seed, PLANS[name], counted)
        if wrong:
            pytest.fail(wrong)
    print(f"{name}: {dict(sorted(counted.items()))}")


def test_seed_is_one_run() -> None:
    """Given the same seed twice, when both worlds ran, then their histories are the same, byte for byte."""
    plan = PLANS["pair, all kinds of trouble"]
    histories = [write_lines(run_cluster(7, usual_clients, plan)[0]) for _ in range(2)]
    assert histories[0] == histories[1]
    assert histories[0] != write_lines(run_cluster(8, usual_clients, plan)[0])
