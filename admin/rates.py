"""Rates of queues and topics, from two looks at their counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

SORTS: Final = ("pending", "in", "out", "consumers", "name")


class Line(NamedTuple):
    """A queue or topic, with messages in and out a second."""

    kind: str
    name: str
    pending: int
    consumers: int
    rate_in: float
    rate_out: float


class Rates:
    """Keeps the look before; the first look knows no rates, and says 0."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], tuple[int, int]] = {}
        self._at: float | None = None

    def look(self, rows: Iterable[Mapping[str, Any]], now: float) -> list[Line]:
        """The rows with their rates since the look before; `now` in seconds of any steady clock."""
        seconds = now - self._at if self._at is not None else 0.0
        found: list[Line] = []
        counters: dict[tuple[str, str], tuple[int, int]] = {}
        for row in rows:
            key = (str(row["kind"]), str(row["name"]))
            counted = counters[key] = (int(row["enqueued"]), int(row["dequeued"]))
            before = self._before.get(key, counted)
            # Counters begin anew when another server becomes active.
            into, out = (
                max(0, new - old) / seconds if seconds > 0 else 0.0 for new, old in zip(counted, before, strict=True)
            )
            found.append(Line(*key, int(row["pending"]), int(row["consumers"]), into, out))
        self._before, self._at = counters, now
        return found


def _rate(more: int, seconds: float) -> float:
    return max(0, more) / seconds if seconds > 0 else 0.0


def in_order(lines: Iterable[Line], sort: str) -> list[Line]:
    """The lines, the busiest first, or by name."""
    if sort == "name":
        return sorted(lines, key=lambda line: (line.name, line.kind))
    field = {"in": "rate_in", "out": "rate_out"}.get(sort, sort)
    return sorted(lines, key=lambda line: (-getattr(line, field), line.name, line.kind))
