"""The demonstration as a whole, as fast as it goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from rmimom.demo.director import Director
from rmimom.demo.outcome import Outcome
from rmimom.demo.tally import Tally


@pytest.fixture(autouse=True)
def _loud_afterwards() -> Iterator[None]:
    """The demonstration keeps logs out of its view; tests after this one want to see them."""
    loggers = [logging.getLogger(name) for name in ("Pyro5", "rmimom")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def play(*, failover: bool) -> tuple[Outcome, list[str]]:
    """Play the week; what came of it, and the steps."""
    steps: list[str] = []

    def watch(what: str, tally: Tally) -> None:
        del tally
        steps.append(what)

    return Director(0.0, watch, failover=failover).run(), steps


@pytest.mark.parametrize(("failover", "successor"), [(True, "two"), (False, "one")], ids=["standby", "restart"])
def test_the_week_comes_out_right(failover: bool, successor: str) -> None:
    """Given a server that is killed half-way, when the week was played, then every line of the table is right."""
    outcome, steps = play(failover=failover)
    assert [row for row in outcome.rows if not row.ok] == []
    assert [row.expected for row in outcome.rows] == [1707, 1707, 85, 85, 3, 3, 85]
    assert (outcome.active, outcome.successor, outcome.ok) == (successor, successor, True)
    assert outcome.pause > 0
    killed = next(number for number, step in enumerate(steps) if step.startswith("SIGKILL to server one"))
    assert any(step.startswith(f"server {successor}") for step in steps[killed:]), steps
