"""From a seed to a report that a person can read."""

from __future__ import annotations

import msgspec
from support.cast import usual_clients
from support.world import Plan, run_world

from rmimom_chaos.checkers import check_all
from rmimom_chaos.history import History, excerpt
from rmimom_chaos.judging import Verdict

SMALLER = (0.15, 0.3, 0.6)
"""How much of a plan is tried, smallest first, to find a short trace."""


def judge(history: History) -> list[Verdict]:
    """The verdicts that are not good."""
    return [verdict for verdict in check_all(history) if verdict.valid is not True]


def run_seed(seed: int, plan: Plan | None = None) -> list[Verdict]:
    """Run a world; the verdicts that are not good.  What breaks a rule inside raises AssertionError."""
    return judge(run_world(seed, usual_clients, plan))


def explain(seed: int, plan: Plan | None = None) -> str:
    """What is wrong with a seed, on the smallest plan that shows it."""
    plan = plan or Plan()
    for share in (*SMALLER, 1.0):
        tried = msgspec.structs.replace(
            plan,
            messages=max(3, int(plan.messages * share)),
            crashes=int(plan.crashes * share + 0.5),
            tears=int(plan.tears * share + 0.5),
            duration=plan.duration * share,
        )
        try:
            history = run_world(seed, usual_clients, tried)
        except AssertionError as error:
            return f"seed {seed}, {tried}\n{error}"
        bad = judge(history)
        if bad:
            lines = [f"seed {seed}, {tried}"]
            for verdict in bad:
                lines.append(f"{verdict.checker}: {'wrong' if verdict.valid is False else 'not known'}")
                lines += verdict.findings[:5]
            values = {line.split(":", 1)[0] for verdict in bad for line in verdict.findings[:1]}
            return "\n".join([*lines, *excerpt(history, values)])
    return f"seed {seed} is good the second time: the simulation is not deterministic"
