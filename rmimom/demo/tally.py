"""What was seen, against what must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One line of the closing table; `ok` says whether what was seen is what must be."""

    name: str
    seen: int
    expected: int
    duplicates: int
    ok: bool


class Tally:
    """Counts reports by actor; an id seen twice is a duplicate."""

    def __init__(self) -> None:
        self._seen: dict[str, Counter[str]] = {}
        self.published = 0
        self.dead = 0
        self.sent_back = 0

    def note(self, actor: str, quake: str) -> None:
        """An actor got an earthquake."""
        self._seen.setdefault(actor, Counter())[quake] += 1

    def count(self, *actors: str) -> int:
        """How many different earthquakes these actors got between them."""
        return len(self._together(actors))

    def row(self, name: str, expected: int, *actors: str) -> Row:
        """A line of the closing table about what these actors got between them."""
        seen = self._together(actors)
        return made_row(name, len(seen), expected, seen.total() - len(seen))

    def _together(self, actors: Iterable[str]) -> Counter[str]:
        together: Counter[str] = Counter()
        for actor in actors:
            together += self._seen.get(actor, Counter())
        return together


def made_row(name: str, seen: int, expected: int, duplicates: int = 0) -> Row:
    """A line of the closing table."""
    return Row(name, seen, expected, duplicates, ok=seen == expected and not duplicates)
