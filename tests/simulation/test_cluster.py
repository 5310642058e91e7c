"""Clusters in which servers die, stop, and lose each other, and in which the promises of the design hold all the same.

`pytest tests/simulation/test_cluster.py --seeds 500 --first-seed 1` runs longer; a failure names its seed.
"""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace
from support.cast import usual_clients
from support.cluster_reports import run_cluster_seed
from support.cluster_world import ClusterPlan, run_cluster

from rmimom_chaos.history import write_lines

ALL_KINDS = ClusterPlan(kills=2, stops=2, cuts=2, breaks=3, absences=1, switchovers=2, slow_disks=1, full_disks=1)
PLANS = {
    "pair": ClusterPlan(kills=4, breaks=2),
    "pair, all kinds of trouble": ALL_KINDS,
    "three, all kinds of trouble": replace(ALL_KINDS, servers=3, kills=3, cuts=3),
    "three, switchovers": ClusterPlan(servers=3, kills=2, switchovers=6, breaks=2, absences=1, names_kept=3),
    "partitions": ClusterPlan(kills=1, cuts=8, stops=2),
    "name server that forgets": ClusterPlan(kills=1, cuts=1, losses=1, absences=1),
    "name server in trouble": ClusterPlan(servers=3, kills=3, absences=5, cuts=1),
    "slow disks": ClusterPlan(kills=3, slow_disks=4, full_disks=3, breaks=3),
    "clocks": ClusterPlan(kills=2, stops=1, clock_steps=3),
    "nobody goes on alone": ClusterPlan(servers=3, kills=3, cuts=2, breaks=2, wait_for_lost=True),
}
USUAL_SEEDS = 4
"""For each plan; together some thirty seconds."""


@pytest.mark.parametrize("name", PLANS)
def test_promises_hold(name: str, request: pytest.FixtureRequest) -> None:
    first = request.config.getoption("--first-seed")
    counted: Counter[str] = Counter()
    for seed in range(first, first + (request.config.getoption("--seeds") or USUAL_SEEDS)):
        wrong = run_cluster_seed(seed, PLANS[name], counted)
        if wrong:
            pytest.fail(wrong)
    print(f"{name}: {dict(sorted(counted.items()))}")  # shown by -s or -rP


def test_seed_is_one_run() -> None:
    """Given the same seed twice, when both worlds ran, then their histories are the same, byte for byte."""
    histories = [write_lines(run_cluster(7, usual_clients, ALL_KINDS)[0]) for _ in range(2)]
    assert histories[0] == histories[1]
    assert histories[0] != write_lines(run_cluster(8, usual_clients, ALL_KINDS)[0])


def test_world_is_eventful() -> None:
    """Given some seeds, when they ran, then all that can go wrong did, and servers came back in every way."""
    counted: Counter[str] = Counter()
    plan = replace(ALL_KINDS, servers=3, kills=4, absences=2, losses=0, clock_steps=1)
    for seed in range(1, 6):
        assert run_cluster_seed(seed, plan, counted) == ""
    wanted = {"kill", "stop", "cut", "cut one way", "break", "slow disk", "full disk", "clock step", "switched over"}
    wanted |= {"names away", "names late", "names loses replies"}
    wanted |= {"joined by a copy", "joined by the log", "truncations", "states compared"}
    assert wanted <= counted.keys() - {kind for kind, times in counted.items() if not times}
    assert counted["reigns"] > 2 * counted["worlds"]
