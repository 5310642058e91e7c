"""How many bytes of frames live in memory."""

from __future__ import annotations

from collections.abc import Iterable

from rmimom.core.entry import Entry

DEFAULT_RESIDENT_BYTES = 16 * 1024 * 1024
"""Enough for thousands of messages in flight; a backlog beyond it rests on disk alone."""


class Residence:
    """The budget for frames in memory, in bytes.

    Rule 1: `used` is the sum of the sizes of all entries whose frame is in memory.
    Rule 2: a frame may be forgotten only if the store has it.
    """

    __slots__ = ("budget", "used")

    def __init__(self, budget: int = DEFAULT_RESIDENT_BYTES) -> None:
        self.budget = budget
        self.used = 0

    def forget(self, entry: Entry) -> None:
        """Let go of the frame of an entry, because the store has it or nobody waits for it any more."""
        if entry.frame is not None:
            entry.frame = None
            self.used -= entry.size

    def shrink(self, entries: Iterable[Entry]) -> None:
        """Forget frames of these entries that the store has, until the budget holds."""
        for entry in entries:
            if self.used <= self.budget:
                return
            if entry.stored:
                self.forget(entry)

    @property
    def exhausted(self) -> bool:
        """Whether a frame that only memory holds should be written to the store instead."""
        return self.used > self.budget
