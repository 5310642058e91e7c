"""The budget for frames in memory (docs/design/0001, Memory)."""

from __future__ import annotations

from rmimom.core.entry import Entry
from rmimom.core.residence import Residence


def resident(*stored: bool, budget: int = 25) -> tuple[Residence, list[Entry]]:
    """Entries of 10 bytes, all in memory."""
    residence = Residence(budget)
    entries = [Entry(number, 4, 0, 10, 1, kept, b"x" * 10) for number, kept in enumerate(stored, 1)]
    residence.used = 10 * len(entries)
    return residence, entries


def test_forgetting_counts_once() -> None:
    residence, (entry,) = resident(True)
    residence.forget(entry)
    residence.forget(entry)
    assert (residence.used, entry.frame) == (0, None)


def test_shrink_forgets_until_the_budget_holds() -> None:
    """Given four stored frames and a budget for two, when it shrinks, then the first two are forgotten."""
    residence, entries = resident(True, True, True, True)
    residence.shrink(entries)
    assert [entry.frame is None for entry in entries] == [True, True, False, False]
    assert residence.used == 20
    assert not residence.exhausted


def test_shrink_keeps_what_only_memory_has() -> None:
    """Rule 2: a frame may be forgotten only if the store has it."""
    residence, entries = resident(False, False, True, False)
    residence.shrink(entries)
    assert [entry.frame is None for entry in entries] == [False, False, True, False]
    assert residence.exhausted
