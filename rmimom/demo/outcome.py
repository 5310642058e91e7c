"""What came of the demonstration."""

from __future__ import annotations

import msgspec

from rmimom.demo.tally import Row


class Outcome(msgspec.Struct, frozen=True):
    """The closing table; `pause` is the time from the kill to the next confirmed publish, in seconds."""

    title: str
    rows: list[Row]
    pause: float
    active: str
    """Who is active at the end."""
    successor: str
    """Who must be."""

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, nothing came twice, and the right server is active."""
        return all(row.ok for row in self.rows) and self.active == self.successor
