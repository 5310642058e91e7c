"""The demonstration as a whole, as fast as it goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from rmimom.demo.director import Director
from rmimom.demo.tally import Tally


@pytest.fixture(autouse=True)
def _loud_afterwards() -> Iterator[None]:
    """The demonstration keeps logs out of its view; tests after this one want to see them."""
    loggers = [logging.getLogger(name) for name in ("Pyro5", "rmimom")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def test_the_week_comes_out_right() -> None:
    """Given a server that is killed half-way, when the week was played, then every line of the table is right."""
    steps: list[str] = []

    def watch(what: str, tally: Tally) -> None:
        del tally
        steps.append(what)

    rows = Director(0.0, watch).run()
    assert [row for row in rows if not row.ok] == []
    assert [row.expected for row in rows] == [1707, 1707, 85, 85, 3, 3, 85]
    assert "SIGKILL to the server" in steps
