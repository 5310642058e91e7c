"""When the demonstration has gone well."""

from __future__ import annotations

import pytest

from rmimom.demo.outcome import Outcome
from rmimom.demo.tally import Row, made_row

RIGHT = made_row("archive", 2, 2)


@pytest.mark.parametrize(
    ("row", "active", "ok"),
    [
        (RIGHT, "two", True),
        (made_row("archive", 1, 2), "two", False),
        (made_row("archive", 2, 2, duplicates=1), "two", False),
        (RIGHT, "one", False),
        (RIGHT, "", False),
    ],
    ids=["all is there", "one is missing", "one came twice", "the wrong server", "nobody"],
)
def test_all_must_be_there_once_and_the_successor_active(row: Row, active: str, ok: bool) -> None:
    assert Outcome("week", [RIGHT, row], 0.5, active, "two").ok is ok
