"""From a seed of a world with a cluster to a report that a person can read."""

from __future__ import annotations

from collections import Counter
from functools import partial

import msgspec
from support.cast import usual_clients
from support.cluster_world import STEP, ClusterPlan, run_cluster

from rmimom_chaos.checkers import ALL, check_redelivery, check_times
from rmimom_chaos.history import History, excerpt
from rmimom_chaos.judging import Verdict

LATE = 12_000
"""Milliseconds for which a server that is stopped, or lost its standby, may keep what it has decided."""


def judge(history: History, plan: ClusterPlan) -> list[Verdict]:
    """The verdicts that are not good; a clock that is wrong may deceive a server by as much."""
    checkers = {
        **ALL,
        "times": partial(check_times, late=LATE, skews={"clock step": STEP}),
        "redelivery": partial(check_redelivery, unnoticed=LATE),
    }
    if plan.clock_steps:
        # What was shown is held against the clock of the world; and what a server handed out before its time, because
        # its clock was ahead, another one takes for never handed out.
        del checkers["browsing"], checkers["redelivery"]
    return [verdict for verdict in (check(history) for check in checkers.values()) if verdict.valid is not True]


def run_cluster_seed(seed: int, plan: ClusterPlan, counted: Counter[str] | None = None) -> str:
    """Run a world; what is wrong with it, or nothing.  `counted` takes in what happened."""
    try:
        history, world = run_cluster(seed, usual_clients, plan)
    except AssertionError as error:
        return f"seed {seed}, {_shown(plan)}\n{error}"
    if counted is not None:
        counted.update(world.counted)
        counted["worlds"] += 1
        counted["steps"] += sum(process.steps for process in world.loop.processes)
        counted["told"] += world.watch.told
        counted["states compared"] += world.watch.compared
        counted["copies"] += world.watch.copies
        counted["truncations"] += world.watch.truncations
    bad = judge(history, plan)
    if not bad:
        return ""
    lines = [f"seed {seed}, {_shown(plan)}"]
    for verdict in bad:
        lines.append(f"{verdict.checker}: {'wrong' if verdict.valid is False else 'not known'}")
        lines += verdict.findings[:5]
    values = {line.split(":", 1)[0] for verdict in bad for line in verdict.findings[:1]}
    return "\n".join([*lines, *excerpt(history, values)])


def _shown(plan: ClusterPlan) -> str:
    """What the plan has in other numbers than usual."""
    usual = msgspec.structs.asdict(ClusterPlan())
    return ", ".join(f"{name} {value}" for name, value in msgspec.structs.asdict(plan).items() if value != usual[name])
