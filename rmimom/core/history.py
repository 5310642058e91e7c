"""The last messages of a topic, kept in memory for subscribers who ask for what was sent before they came."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from rmimom.frame import Head
from rmimom.retention import Retention
from rmimom.wishes import Wishes


class Kept(NamedTuple):
    """A message as it was sent, by whom and when; `number` tells the order among all topics."""

    number: int
    at: int
    head: Head
    frame: bytes
    wishes: Wishes | None
    connection: str


class History:
    """Within the bounds of the retention, the oldest first."""

    __slots__ = ("_bytes", "_kept", "_retention")

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._kept: deque[Kept] = deque()
        self._bytes = 0

    def add(self, kept: Kept) -> None:
        """A message was sent; those that go beyond a bound are forgotten."""
        self._kept.append(kept)
        self._bytes += len(kept.frame)
        while self._kept and (len(self._kept) > self._retention.messages or self._bytes > self._retention.bytes):
            self._forget_first()

    def recall(self, now: int) -> list[Kept]:
        """What is kept and not too old."""
        limit = self._retention.milliseconds
        while limit and self._kept and self._kept[0].at < now - limit:
            self._forget_first()
        return list(self._kept)

    def _forget_first(self) -> None:
        self._bytes -= len(self._kept.popleft().frame)
