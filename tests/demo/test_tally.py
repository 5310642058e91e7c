"""What the closing table says."""

from __future__ import annotations

from rmimom.demo.tally import Row, Tally, made_row


def test_each_once_is_right() -> None:
    tally = Tally()
    tally.note("worker A", "one")
    tally.note("worker B", "two")
    assert tally.count("worker A", "worker B") == 2
    assert tally.row("worked", 2, "worker A", "worker B") == Row("worked", 2, 2, 0, ok=True)


def test_what_two_workers_got_is_a_duplicate() -> None:
    tally = Tally()
    tally.note("worker A", "one")
    tally.note("worker B", "one")
    assert tally.row("worked", 1, "worker A", "worker B") == Row("worked", 1, 1, 1, ok=False)


def test_what_is_missing_is_wrong() -> None:
    assert Tally().row("worked", 1, "worker A") == Row("worked", 0, 1, 0, ok=False)
    assert not made_row("sent back", 2, 3).ok
