"""Which messages of which producer are accepted already, so that a repetition is not stored twice.

A producer numbers its messages from 1 without gaps and has one send under way at a time.  So the highest number
accepted says it all: what is numbered up to it came before, what is above it is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Producers:
    """The highest number accepted of each producer, kept for `memory` milliseconds after the last send."""

    __slots__ = ("_known", "_memory")

    def __init__(self, memory: int) -> None:
        self._known: dict[str, tuple[int, int]] = {}  # producer: (highest number, when)
        self._memory = memory

    def __len__(self) -> int:
        return len(self._known)

    def accepted_up_to(self, producer: str) -> int:
        """The highest number accepted, 0 for a producer not known."""
        found = self._known.get(producer)
        return found[0] if found else 0

    def advance(self, producer: str, sequence: int, now: int) -> None:
        """Everything up to `sequence` is accepted.  The producer moves to the young end of the table."""
        self._known.pop(producer, None)
        self._known[producer] = (sequence, now)

    def forget(self, producers: Iterable[str]) -> list[str]:
        """Forget these, who repeat nothing any more; returns those that were known."""
        return [producer for producer in producers if self._known.pop(producer, None) is not None]

    def forget_silent(self, now: int) -> list[str]:
        """Forget producers that were silent for too long; returns their names."""
        limit = now - self._memory
        silent: list[str] = []
        for producer, (_, when) in self._known.items():
            if when > limit:
                break
            silent.append(producer)
        for producer in silent:
            del self._known[producer]
        return silent

    def items(self) -> Iterator[tuple[str, int]]:
        """Producers and their highest numbers, the longest silent first."""
        return ((producer, sequence) for producer, (sequence, _) in self._known.items())
