"""What was seen, against what must be."""

from __future__ import annotations

from collections import Counter

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
        self.sent_to_workers = 0
        self.longest_pause = 0.0
        """The longest that one publish took, in seconds."""

    def note(self, actor: str, quake: str) -> None:
        """An actor got an earthquake."""
        self._seen.setdefault(actor, Counter())[quake] += 1

    def count(self, actor: str) -> int:
        """How many different earthquakes an actor got."""
        return len(self._seen.get(actor, ()))

    def rows(self, total: int, strong: int, archive: str, workers: list[str]) -> list[Row]:
        """The closing table: everything published, everything archived, every strong one worked once."""
        worked: Counter[str] = Counter()
        for worker in workers:
            worked.update(self._seen.get(worker, Counter()))
        archived = self._seen.get(archive, Counter())
        return [
            _row("published to the topics of the networks", self.published, total, 0),
            _row("sent to the queue of strong quakes", self.sent_to_workers, strong, 0),
            _row("archive (durable, offline for a while)", len(archived), total, archived.total() - len(archived)),
            _row(f"worked by {' and '.join(workers)}", len(worked), strong, worked.total() - len(worked)),
        ]


def _row(name: str, seen: int, expected: int, duplicates: int) -> Row:
    return Row(name, seen, expected, duplicates, ok=seen == expected and not duplicates)
