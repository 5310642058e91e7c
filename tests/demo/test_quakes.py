"""The recorded week, and what the demonstration chooses from it."""

from __future__ import annotations

from rmimom.demo.quakes import SELECTOR, read_quakes
from rmimom.selector import Selector


def test_the_selector_chooses_what_the_table_counts() -> None:
    """Given every report of the week, when the selector is asked, then it says what `strong` says."""
    selector = Selector(SELECTOR)
    quakes = [quake for quake, _ in read_quakes()]
    chosen = {quake.id for quake in quakes if selector.matches(quake.properties)}
    assert chosen == {quake.id for quake in quakes if quake.strong}
    assert (len(quakes), len(chosen)) == (1707, 85)


def test_some_reports_are_poisonous() -> None:
    assert sum(quake.poisonous for quake, _ in read_quakes()) == 3
