"""Small helps of tests/spec: what a consumer gets next, and that it gets nothing before something else."""

from __future__ import annotations

import time
from typing import Final

from rmimom import Consumer, Message

PATIENCE: Final = 30.0
"""Seconds to wait for a message that must come: far more than it takes on a busy machine."""


def next_of(consumer: Consumer) -> Message:
    """The next message, which must come."""
    message = consumer.receive(timeout=PATIENCE)
    assert message is not None, f"{consumer!r} got no message"
    return message


def bodies(consumer: Consumer, count: int) -> list[object]:
    """What the next `count` messages hold."""
    return [next_of(consumer).body for _ in range(count)]


def now() -> int:
    """Milliseconds since 1970, as in headers."""
    return time.time_ns() // 1_000_000


def wait_past(moment: int) -> None:
    """Return when the clock is past this time of a header, for everybody on this machine."""
    while now() <= moment + 5:
        time.sleep(0.001)
